"""Where tokens come from: any OpenAI-compatible server, or one that is started inside this process."""
