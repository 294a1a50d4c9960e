"""Synthesis: unlabelled queries come in; for each a rubric made from the principles that matter for it goes out."""
