"""The host's own list of what it sealed, outside all attempts: a rolled-back log shows in it."""

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from harness import keys
from harness.files import canonical_json, parse_line
from harness.models import JournalLine

LogName = Literal["scores", "hidden"]
GENESIS = -1
"""Index of the line that an attempt's journal begins with."""


def record(run_id: str, log: LogName, index: int, hash: str) -> None:
    """Notes that a line is about to be sealed; returns when the note is on disk."""
    line = JournalLine(run_id=run_id, log=log, index=index, hash=hash, at=datetime.now(UTC))
    path = _path()
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(canonical_json(line.model_dump(mode="json")) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def history(run_id: str, log: LogName) -> tuple[JournalLine, ...]:
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


def _path() -> Path:
    return keys.home() / "journal.jsonl"
