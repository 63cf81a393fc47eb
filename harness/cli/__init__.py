"""The `harness` command: parses, calls one library function, prints, chooses an exit code."""

from harness.cli.app import main

__all__ = ["main"]
