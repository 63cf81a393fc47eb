"""Writes `trajectory.jsonl` while a run goes on."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.trajectory import EVENTS, NAME, TOTAL_BYTES, Event, EventKind, encode

ROOM_BYTES = TOTAL_BYTES // 4
"""Of events that an agent can make as many of as it likes."""


class Recorder:
    """Appends events; once there is no more room only the harness's own notes."""

    def __init__(self, root: Path, elapsed_s: Callable[[], float]) -> None:
        self._path, self._elapsed_s = root / NAME, elapsed_s
        self._index = 0
        self._room = ROOM_BYTES
        self._written = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Hash of all that was written, whatever became of the file since."""
        return self._written.hexdigest()

    def add(self, kind: EventKind, **fields: Any) -> int:
        """Appends an event; returns its index. Texts beyond a reader's limit are cut."""
        if self._room > 0 and self._index < EVENTS - 2:
            return self._write(kind, fields)
        if self._room > -ROOM_BYTES:
            self._room = -ROOM_BYTES
            self.note("There is no more room: what the agent does from here on is left out.")
        return self._index

    def note(self, text: str, **data: Any) -> int:
        """Appends what the harness has to tell."""
        return self._write(EventKind.NOTE, {"who": "harness", "text": text, "data": data})

    def _write(self, kind: EventKind, fields: dict[str, Any]) -> int:
        index, self._index = self._index, self._index + 1
        at, elapsed = datetime.now(UTC), round(self._elapsed_s(), 3)
        line = encode(Event(index=index, at=at, elapsed_s=elapsed, kind=kind, **fields))
        self._room -= len(line)
        self._written.update(line)
        with self._path.open("ab") as file:
            file.write(line)
        return index
