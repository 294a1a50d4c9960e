"""Synthetic clinical dialogues: questions, guides, drafts with exact labels, edits and rewrites. No torch."""
