"""What the tiny encoders are held against each other by, in an environment with torch and in one without."""

TEXTS = ["crushing pain in my chest", "ok", "my knee hurts when I walk down the stairs " * 40]
