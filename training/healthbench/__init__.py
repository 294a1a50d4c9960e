"""HealthBench: conversations with physicians' criteria and points; graded answers; exact scores; a report."""
