"""Inputs that nobody would write, at everything that reads what others wrote: `python -m loadtests.fuzz`."""
