"""The records that travel through the pipeline, and the tree of errors. Standard library only."""
