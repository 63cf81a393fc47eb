"""Prepares, sandboxes, runs, times, scores and logs attempts; knows nothing about auditing."""
