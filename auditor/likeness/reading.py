"""Reads what is compared: attempts with all their scored snapshots, plain folders, single files.

Nothing that is read is followed, run or written; sizes and numbers are bounded by who reads.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from auditor import tree
from auditor.code.source import decoded
from auditor.evidence.code import LIMIT_BYTES
from auditor.likeness.marks import Given
from auditor.likeness.work import Source, Work
from harness import snapshot
from harness.attempt import AttemptFolder
from harness.errors import HarnessError, UsageError, unusable

SIGNS = ("history.git", "scores.jsonl")
"""What tells an attempt of ours from a folder with a file of that name."""
FOREIGN = frozenset(
    {"site-packages", "dist-packages", "node_modules", ".venv", "venv", "third_party", "vendor"}
)
"""Folders of what others have written."""


@dataclass(frozen=True)
class Reading:
    """What was read of one path; without its texts, so that it passes between processes."""

    name: str
    """The path as given."""
    work: Work | None = None
    error: str = ""
    """Why nothing could be read."""
    gaps: tuple[str, ...] = ()
    """What was left out."""
    at: tuple[datetime, ...] = ()
    """When each score entry was scored."""
    environment: str = ""


@dataclass(frozen=True)
class Reader:
    """Reads paths, one by one; it can be sent to another process."""

    given: Mapping[str, str] = field(default_factory=dict)
    """Texts that everybody was given, by path."""
    start: Path | None = None
    """What plain folders were before."""

    def __call__(self, path: Path) -> Reading:
        """Returns what a path holds; whatever is wrong with it becomes its error."""
        try:
            return self._read(path)
        except HarnessError as error:
            return Reading(str(path), error=_in_a_line(error))
        except OSError as error:
            return Reading(str(path), error=_in_a_line(unusable(error)))
        except MemoryError:
            return Reading(str(path), error=f"{path} needs more memory than there is.")

    def lost(self, path: Path) -> Reading:
        """What is said of a path whose process died."""
        return Reading(str(path), error="The process that read it came to an end.")

    def sources(self, path: Path) -> list[Source]:
        """Returns the texts of a path again, in the same order."""
        return self._sources(path)[0]

    def _read(self, path: Path) -> Reading:
        sources, gaps = self._sources(path)
        given = _given(tuple(sorted(self.given.items())))
        at: tuple[datetime, ...] = ()
        environment, known = "", self.start is not None
        if is_attempt(path):
            folder = AttemptFolder.open(path)
            attempt = folder.attempt()
            start = tuple(sorted(_snapshot(folder, attempt.start_commit)))
            given |= _given(start)
            if attempt.imported is None:  # else its times are claims
                at = tuple(line.scored_at for line in folder.score_log().lines)
            environment, known = attempt.environment, bool(start)
        elif self.start is not None:
            given |= _given(tuple(sorted(_texts(self.start).items())))
        work = Work.of(str(path), sources, given, starts=known)
        if not sources:
            gaps.append("it holds no text that could be compared")
        return Reading(str(path), work, gaps=tuple(gaps), at=at, environment=environment)

    def _sources(self, path: Path) -> tuple[list[Source], list[str]]:
        gaps: list[str] = []
        found = _scored(path) if is_attempt(path) else []
        if not found:
            read = tree.read(path / "workspace" if is_attempt(path) else path)
            found = [Source(name, text) for name, text in read.texts.items()]
            if not read.whole:
                gaps.append("not all of it could be read")
        own = [item for item in found if FOREIGN.isdisjoint(item.path.split("/"))]
        if len(own) < len(found):
            gaps.append("folders of installed packages were left out")
        return own, gaps


def is_attempt(path: Path) -> bool:
    """Returns whether a path is an attempt that a harness of ours made."""
    made = (os.path.lexists(path / sign) for sign in SIGNS)
    return os.path.lexists(path / "attempt.json") and any(made)


def corpus(path: Path) -> list[Path]:
    """Returns what a folder of earlier work consists of: what lies in it, each for itself.

    Raises:
        UsageError: it is no folder.
    """
    if not path.is_dir():
        raise UsageError(f"The corpus {path} is not a folder.", hint="Name a folder of solutions.")
    return [item for item in sorted(path.iterdir()) if not item.name.startswith(".")]


def _scored(path: Path) -> list[Source]:
    """The texts of all scored snapshots of an attempt, each with the entry that first held it."""
    folder = AttemptFolder.open(path)
    first: dict[tuple[str, str], int] = {}
    for line in folder.score_log().lines:
        for name, text in _snapshot(folder, line.commit):
            first.setdefault((name, text), line.index)
    return [Source(name, text, since) for (name, text), since in first.items()]


def _snapshot(folder: AttemptFolder, commit: str) -> Iterator[tuple[str, str]]:
    wanted = {
        entry.path
        for entry in snapshot.manifest(folder, commit).entries
        if entry.type == "file"
        and entry.size <= LIMIT_BYTES
        and ".git" not in entry.path.split("/")
    }
    for entry, content in snapshot.read(folder, commit, wanted):
        if (text := decoded(content)) is not None:
            yield entry.path, text


@lru_cache(maxsize=8)
def _given(texts: tuple[tuple[str, str], ...]) -> Given:
    return Given.of(dict(texts))


@lru_cache(maxsize=1)
def _texts(path: Path) -> Mapping[str, str]:
    return tree.read(path).texts


def _in_a_line(error: HarnessError) -> str:
    return error.diagnostics().replace("\n", " ")
