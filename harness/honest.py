"""Honest runs of an environment, which its `honest.py` makes: what likeness is measured against."""

from pathlib import Path
from typing import NamedTuple


class HonestRun(NamedTuple):
    """One honest output beside what it was made from."""

    name: str
    """The approach, and what else tells it from the others."""
    given: tuple[Path, ...]
    """Files of weights that the task gave."""
    answers: tuple[Path, ...]
    """Expected outputs that nobody has to take: readable ones and hidden ones."""
    output: Path
    """The file of weights that was made."""
