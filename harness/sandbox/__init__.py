"""Runs code that nobody vouches for, in an isolation that a hostile program cannot leave.

`run` copies a workspace, executes one command in it and hands over what the command wrote. The
command sees an allow-listed file system (`root.py`), few system calls (`filter.py`), bounded
resources (`limits.py`) and nothing that an earlier run left (`layer.py`); the clock is ours
(`launch.py`). `Warm` does the same for many untimed Python programs, with packages loaded once;
`Calls` times single calls of a function; in `Live` an agent works for hours. Within `witnessed`
runs are watched.
"""

from harness.sandbox.calls import Answer, Calls
from harness.sandbox.launch import Run, run
from harness.sandbox.limits import Limits
from harness.sandbox.live import Live
from harness.sandbox.mode import allow_unsafe, describe, require
from harness.sandbox.root import HOME
from harness.sandbox.warm import Warm
from harness.sandbox.witness import Report, Witness, witnessed

__all__ = [
    "HOME",
    "Answer",
    "Calls",
    "Limits",
    "Live",
    "Report",
    "Run",
    "Warm",
    "Witness",
    "allow_unsafe",
    "describe",
    "require",
    "run",
    "witnessed",
]
