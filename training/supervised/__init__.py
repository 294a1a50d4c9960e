"""Supervised training of the small checkpoint on trees of tokens that the dialogue generator makes."""
