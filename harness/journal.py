"""The host's own list of what it sealed, outside all attempts: a rolled-back log shows in it."""

import fcntl
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import ValidationError

from harness import keys
from harness.files import canonical_json, parse_line, sync_folder
from harness.models import JournalLine, Line

LogName = Literal["scores", "hidden"]
Noted = LogName | Literal["trajectory"]
"""What the journal has lines of; of a transcript there is one, its hash when it was signed."""
GENESIS = -1
"""Index of the line that a log's journal begins with; its hash is the attempt's identity."""


def record(run_id: str, log: Noted, index: int, hash: str) -> None:
    """Notes that a line is about to be sealed; returns when the note is on disk."""
    line = JournalLine(run_id=run_id, log=log, index=index, hash=hash, at=datetime.now(UTC))
    path = _path()
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        new = file.seek(0, os.SEEK_END) == 0
        end = b"" if new or _ends(file) else b"\n"  # else a torn line would swallow this one
        file.write(end + canonical_json(line.model_dump(mode="json")) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if new:
        sync_folder(path.parent)


def history(run_id: str, log: Noted) -> tuple[JournalLine, ...]:
    """Returns what this host has sealed of a log, oldest first; empty for others' attempts."""
    path = _path()
    if not path.is_file():
        return ()
    found = []
    for text in path.read_bytes().splitlines():
        if run_id.encode() not in text:
            continue
        try:
            line = JournalLine.model_validate(parse_line(text))
        except (ValueError, ValidationError):
            continue  # a line torn by a crash; what it would have said was not sealed
        if line.run_id == run_id and line.log == log:
            found.append(line)
    return tuple(found)


def knows(run_id: str, log: LogName, index: int, hash: str) -> bool:
    """Returns whether this host noted that very line."""
    return any((line.index, line.hash) == (index, hash) for line in history(run_id, log))


def contradictions(noted: Sequence[JournalLine], identity: str, lines: Sequence[Line]) -> list[str]:
    """Returns where a log first lacks what this host has noted of it.

    A line is noted once it is on disk, so an honest log holds each of them, after a crash too.
    """
    for note in noted:
        if note.index == GENESIS and note.hash != identity:
            return ["attempt.json is not that of the attempt that this host began"]
        if note.index >= len(lines):
            return [f"it was rolled back: this host has noted line {note.index}, which is missing"]
        if note.index >= 0 and lines[note.index].hash != note.hash:
            return [f"its line {note.index} is not the one that this host has noted"]
    return []


def _ends(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _path() -> Path:
    return keys.home() / "journal.jsonl"
