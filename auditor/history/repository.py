"""What a repository of an agent's holds, as it was read from a copy by another process."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field, ValidationError

from auditor.history.copying import Copied, Item, copy
from harness.models import Record

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "/nonexistent"
"""Where the reader finds programs and settings: it finds no git."""
WALL_S = 60
ANSWER_BYTES = 256 << 20


class Commit(Record):
    """A commit, by its own word."""

    name: str
    parents: tuple[str, ...]
    tree: str
    authored: int
    """Seconds since 1970, as the commit says."""
    committed: int
    subject: str
    reachable: bool
    holds: tuple[str, ...]
    """Paths of the attempt's own work whose content it holds."""


class Move(Record):
    """A line of a log of names: what a name stood for before and after."""

    ref: str
    old: str
    new: str
    time: int
    message: str


class Match(Record):
    """An object that holds what the agent was not given."""

    name: str
    path: str
    how: str
    """`whole` where it is that file, `lines` where it shares lines with it."""
    reachable: bool
    lines: int = 0
    of: int = 0


class Held(Record):
    """Everything that was read of a repository."""

    refs: dict[str, str]
    objects: dict[str, int]
    """How many there are, by type."""
    names: frozenset[str]
    unreachable: dict[str, int]
    unreadable: int
    large: int
    """How many objects were not looked at for the size that they claim."""
    commits: tuple[Commit, ...]
    """By the time they claim, oldest first."""
    reflog: tuple[Move, ...] = Field(default=())
    matches: tuple[Match, ...] = ()
    whole: bool
    """Whether nothing was left out for its size or number."""


@dataclass(frozen=True)
class Question:
    """What is looked for in a repository."""

    whole: Mapping[str, str] = field(default_factory=dict)
    """Paths of files that the agent was not given, by their git name."""
    lines: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Hashes of the telling lines of such files, by path."""
    own: Mapping[str, str] = field(default_factory=dict)
    """Paths of the attempt's own work, by their git name."""


@dataclass(frozen=True)
class Repository:
    """A repository: what was copied of it, and what was read, or why nothing was."""

    copied: Copied
    held: Held | None
    reason: str = ""


def git_name(content: bytes) -> str:
    """Returns the name that git gives to a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def read(items: Iterable[Item], question: Question) -> Repository:
    """Reads a repository from its files, in bounded time and memory; nothing of it is executed."""
    with tempfile.TemporaryDirectory(prefix="repository-") as scratch:
        folder = Path(scratch, "copy.git")
        copied = copy(items, folder)
        held, reason = _ask(folder, question)
        return Repository(copied, held, reason)


def _ask(folder: Path, question: Question) -> tuple[Held | None, str]:
    asked = {
        "whole": dict(question.whole),
        "lines": {path: sorted(lines) for path, lines in question.lines.items()},
        "own": dict(question.own),
    }
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as answer:
        said.write(json.dumps(asked).encode())
        said.seek(0)
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-s", "-m", "auditor.history.reader", str(folder)],
                stdin=said, stdout=answer, stderr=subprocess.PIPE, timeout=WALL_S, check=False,
                cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": NOWHERE, "HOME": NOWHERE},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None, f"reading it took more than {WALL_S} s"
        if done.returncode:
            told = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            return None, told[:200] or f"reading it ended with status {done.returncode}"
        if answer.seek(0, os.SEEK_END) > ANSWER_BYTES:
            return None, "there is too much in it"
        answer.seek(0)
        try:
            return Held.model_validate_json(answer.read()), ""
        except ValidationError as error:
            return None, f"what was read makes no sense: {error.errors()[0]['msg']}"[:200]
