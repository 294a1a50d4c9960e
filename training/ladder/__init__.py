"""The ladder: a checkpoint before and after GRPO comes in; what each step and each round of revision gains goes out."""
