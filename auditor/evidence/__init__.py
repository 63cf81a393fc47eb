"""Collects facts from attempts: log, files, code, replay, scores."""
