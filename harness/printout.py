"""What a run has said about its work: the lines that it printed, or wrote to a log of its own."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from harness import sandbox
from harness.errors import InvalidSolution
from harness.files import read_beneath

LINES, CHARACTERS = 100, 200
"""Lines that are kept, and characters of each."""
LOG_BYTES = 1 << 20
LOGS = 20
LOG = re.compile(r".*(\.(log|txt|out|jsonl|csv)|(^|/)nohup)$", re.I)
_FIGURE = re.compile(r"\d\.\d{3,}")
_FEWEST = 4


def printout(run: sandbox.Run, before: Collection[str] = ()) -> list[str]:
    """Returns the last lines of the first that tells figures: output, new logs, error output.

    A log that lay there before is no word of this run. Error output that goes back in its line is
    a progress bar: what that shows depends on the time.

    Args:
        run: how it went.
        before: what lay in the workspace, as `paths_in` has it.
    """
    errors = () if "\r" in run.stderr else (run.stderr,)
    for text in (run.stdout, *_logs(run.layer, before), *errors):
        lines = _last(text)
        if tells(lines):
            return lines
    return _last(run.stdout)


def paths_in(tree: Path) -> list[str]:
    """Returns what lies in a tree, by its path in it, in order."""
    return [path.relative_to(tree).as_posix() for path in sorted(tree.rglob("*"))]


def tells(lines: Collection[str]) -> bool:
    """Returns whether lines hold figures that could be compared with those of another run."""
    return sum(_FIGURE.search(line) is not None for line in lines) >= _FEWEST


def _logs(layer: Path, before: Collection[str]) -> Iterator[str]:
    known = set(before)
    new = [name for name in paths_in(layer) if LOG.match(name) and name not in known]
    for name in new[:LOGS]:
        try:
            yield read_beneath(layer, name, LOG_BYTES).decode("utf-8", "replace")
        except (InvalidSolution, OSError):
            continue


def _last(text: str) -> list[str]:
    return [line[:CHARACTERS] for line in text.splitlines()[-LINES:]]
