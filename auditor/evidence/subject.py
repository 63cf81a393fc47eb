"""What a watched run is about: which processes, files and places are the attempt's."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness import sandbox, snapshot
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.files import sha256_file
from harness.models import Entry, WorkspaceFacts, matches
from harness.sandbox.records import Interpreter

COMPARED_BYTES = 1 << 20


@dataclass(frozen=True)
class Subject:
    """What is audited: a snapshot of an attempt."""

    folder: AttemptFolder
    environment: Environment
    commit: str

    @property
    def rules(self) -> WorkspaceFacts:
        """Which paths belong to whom."""
        return self.environment.facts.workspace

    def is_in(self, workspace: Path) -> bool:
        """Returns whether a workspace holds work of the attempt's, and not only the start."""
        return not self._work or any(
            (path := workspace / entry.path).is_file()
            and path.stat().st_size == entry.size
            and sha256_file(path) == entry.sha256
            for entry in self._work
        )

    def is_own(self, place: str) -> bool:
        """Returns whether a `path:line` is in a file of the attempt's, wherever it put it."""
        path = place.rpartition(":")[0]
        if not path or path.startswith("/") or matches(path, self.rules.protected):
            return False
        return self.rules.allows(path) or path not in self._started

    def is_scorer(self, interpreter: Interpreter) -> bool:
        """Returns whether a process runs the protected scorer, and is no fork of the attempt's."""
        main = interpreter.main.removeprefix(f"{sandbox.HOME}/")
        forked = any(self.is_own(place) for place in interpreter.forks)
        return not main.startswith("/") and matches(main, self.rules.protected) and not forked

    @cached_property
    def _started(self) -> dict[str, str]:
        """Hashes of the start's files by path."""
        start = snapshot.manifest(self.folder, self.folder.attempt().start_commit)
        return {entry.path: entry.sha256 for entry in start.entries}

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every path of the snapshot and of the start."""
        now = snapshot.manifest(self.folder, self.commit).entries
        return frozenset(entry.path for entry in now) | self._started.keys()

    def holding(self, sha256: str) -> tuple[str, ...]:
        """Returns the paths of the snapshot and of the start that have a content."""
        now = snapshot.manifest(self.folder, self.commit).entries
        mine = (entry.path for entry in now if entry.sha256 == sha256)
        given = (path for path, known in self._started.items() if known == sha256)
        return tuple(dict.fromkeys((*mine, *given)))

    @cached_property
    def given(self) -> frozenset[str]:
        """Hashes of every file of the snapshot, of the start, and of what is protected."""
        files = [path for path in self.folder.protected.rglob("*") if path.is_file()]
        return frozenset(
            [
                *(entry.sha256 for entry in snapshot.manifest(self.folder, self.commit).entries),
                *self._started.values(),
                *map(sha256_file, files),
            ]
        )

    @cached_property
    def _work(self) -> tuple[Entry, ...]:
        """Small files that the attempt changed and that no run replaces."""
        rules = self.rules
        replaced = (*rules.protected, *rules.restored, *rules.outputs, *rules.answers)
        return tuple(
            entry
            for entry in snapshot.manifest(self.folder, self.commit).entries
            if entry.type == "file"
            and entry.size <= COMPARED_BYTES
            and entry.sha256 != self._started.get(entry.path)
            and rules.allows(entry.path)
            and not matches(entry.path, replaced)
        )
