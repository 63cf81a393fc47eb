"""The `auditor` command: parses, calls one library function, prints, chooses an exit code."""

from auditor.cli.app import main

__all__ = ["main"]
