"""HTTP: what clients say is read and checked here, and answers are written in their dialect."""
