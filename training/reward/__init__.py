"""The reward: a rubric, a prompt and an answer come in; a number, or None where the judge failed, goes out."""
