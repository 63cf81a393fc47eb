"""Scans for long vectors."""
