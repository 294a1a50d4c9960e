"""Metrics, logs and their names. Names are constants; a patient's words never enter."""
