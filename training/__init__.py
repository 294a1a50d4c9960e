"""The offline sidecar: from principles to the checkpoint that is served."""
