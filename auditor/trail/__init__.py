"""Where files, tensors and outputs came from: told by content, never by name or time."""
