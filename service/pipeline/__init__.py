"""The steps of an answer, one file each; the orchestrator alone knows their order."""
