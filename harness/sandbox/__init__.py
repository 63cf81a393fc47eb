"""Runs hostile commands: isolated by bubblewrap, bounded, timed by the parent's clock."""

from harness.sandbox.launch import Run, run
from harness.sandbox.limits import Limits
from harness.sandbox.root import HOME
from harness.sandbox.support import allow_unsafe, describe, require

__all__ = ["HOME", "Limits", "Run", "allow_unsafe", "describe", "require", "run"]
