"""Load and latency: scenarios, a simulated vLLM, and the reports they write."""
