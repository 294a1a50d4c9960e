"""From preferences to principles: two answers and which one a clinician preferred in; reviewed principles out."""
