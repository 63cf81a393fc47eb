"""Runs a command and says how much memory the largest of its processes took."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], check=False)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""


def run(
    command: Sequence[str | Path], timeout_s: float | None = None
) -> tuple[subprocess.CompletedProcess[bytes], int]:
    """Returns the ended command, its output captured, and its peak in KiB.

    A process counts what its parent had when it was made, so a small one stands between.
    """
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *command],
        capture_output=True, check=False, timeout=timeout_s,
    )  # fmt: skip
    *said, peak = done.stderr.splitlines()
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout, b"\n".join(said)
    ), int(peak)
