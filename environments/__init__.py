"""One folder per environment; the folders know nothing about auditing."""
