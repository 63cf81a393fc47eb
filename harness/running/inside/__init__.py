"""Programs that lie inside the sandbox of an agent at work."""
