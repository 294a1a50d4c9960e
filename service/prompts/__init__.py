"""Every word we say to a model, each beside the grammar that reads its reply. Pure; training uses the same words."""
