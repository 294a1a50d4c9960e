"""The gate: two checkpoints come in; a report goes out that says whether the one may take the other's place."""
