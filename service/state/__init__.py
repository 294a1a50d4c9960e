"""What the gateway remembers between requests: quotas and cached answers, in memory or in Redis."""
