"""`trajectory.jsonl`: what an agent said and did, one event a line, recorded or imported.

Whoever records it writes one `Event` per line with `encode`, `index` growing from 0. A run signs it
as a whole when it ends (`AttemptFolder.transcript`); its absence or silence clears nobody. `read`
takes any file, since an attempt folder may come from anywhere: what cannot be read is named and
never raises.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from pydantic import Field, JsonValue, ValidationError

from harness.files import canonical_json, parse_line, reason
from harness.models import Number, Record

NAME = "trajectory.jsonl"
TEXT = 1 << 20
"""Characters of one event's text that are kept; what an agent types has fewer."""
LINE_BYTES = 8 << 20
TOTAL_BYTES = 512 << 20
EVENTS = 200_000
PROBLEMS = 100
"""Lines that cannot be read, before the rest of a file is given up."""


class EventKind(StrEnum):
    """What an event is."""

    MESSAGE = "message"
    """Words: the task's instructions, or what the agent says."""
    THOUGHT = "thought"
    """Words of the agent to itself, where they were recorded."""
    ACTION = "action"
    """Something that the agent had done: a command, a snippet, a file written, a tool called."""
    RESULT = "result"
    """What an action gave."""
    SCORE = "score"
    """A score that the agent asked for; `score` is None where it was invalid or not shown."""
    NOTE = "note"
    """Anything else that whoever recorded it holds worth telling: a start, a stop, a limit."""


class Event(Record):
    """A line of `trajectory.jsonl`."""

    schema_version: Literal[1] = 1
    index: int = Field(ge=0)
    """Number of the event, from 0 and growing; what findings cite. An import keeps the number that
    the event has in its source, so some may be left out."""
    at: datetime | None = None
    """Wall clock, UTC; None where unknown."""
    elapsed_s: Number | None = None
    """Seconds since the attempt began; None where unknown."""
    kind: EventKind
    who: Literal["agent", "harness", "user"] = "agent"
    """Who says or does it: `user` stands for whoever gives the task."""
    tool: str = ""
    """Actions and results: the tool's name as the agent called it (`bash`, `python`, `edit`)."""
    language: Literal["", "shell", "python", "file"] = ""
    """Actions: what `text` is: a shell script, Python, or the new content of the file `path`."""
    path: str = ""
    """Actions: the file that is written; else the folder that a command starts in, if known."""
    text: str = ""
    """The words, the code or the output; cut at `TEXT` characters."""
    output: str = ""
    """Actions: what it gave, where that is known by then; else a result may follow."""
    of: int | None = None
    """Results: index of the action; the words are in `text`."""
    exit_code: int | None = None
    """Actions and results: how the process ended, where that is known; 0 for a success."""
    entry: int | None = None
    """Scores: index of the line in `scores.jsonl`."""
    score: Number | None = None
    data: dict[str, JsonValue] = Field(default_factory=dict)
    """What else was recorded: other arguments of a tool, the model's name, limits."""


class Trajectory(NamedTuple):
    """A trajectory as it was read."""

    events: tuple[Event, ...]
    problems: tuple[str, ...]
    """Lines that could not be read, and what was left out."""


def encode(event: Event) -> bytes:
    """Returns the one byte form of an event, with its end; texts beyond `TEXT` are cut.

    Half of a surrogate pair, which agents' output may hold, becomes a question mark.
    """
    if max(len(event.text), len(event.output)) > TEXT:
        cut = {"text": event.text[:TEXT], "output": event.output[:TEXT]}
        event = event.model_copy(update=cut)
    fields = event.model_dump(mode="json", exclude_defaults=True)
    kept = {"schema_version": event.schema_version, **fields}
    try:
        return canonical_json(kept) + b"\n"
    except UnicodeEncodeError:
        return canonical_json(_encodable(kept)) + b"\n"


def read(root: Path) -> Trajectory | None:
    """Returns the trajectory of the attempt in `root`; None where none was recorded."""
    try:
        with _opened(root) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return Trajectory((), (f"{NAME} is not a plain file",))
            events: list[Event] = []
            problems: list[str] = []
            for number, line in enumerate(_lines(file), start=1):
                if len(events) >= EVENTS or len(problems) >= PROBLEMS:
                    problems.append(f"what follows line {number - 1} was not read")
                    break
                try:
                    events.append(_event(line))
                except (ValueError, ValidationError) as error:
                    problems.append(f"line {number} cannot be read: {reason(error)[:200]}")
            return Trajectory(tuple(events), tuple(problems))
    except FileNotFoundError:
        return None
    except OSError as error:
        return Trajectory((), (f"{NAME} cannot be opened: {error.strerror}",))


def sha256(root: Path) -> str | None:
    """Returns the hash of the attempt's trajectory; empty for what none is, None where none is."""
    try:
        with _opened(root) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > TOTAL_BYTES:
                return ""
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except OSError:
        return ""


def _opened(root: Path) -> BufferedReader:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.fdopen(os.open(root / NAME, flags), "rb")


def _event(line: bytes) -> Event:
    if len(line) > LINE_BYTES:
        raise ValueError(f"it is longer than {LINE_BYTES >> 20} MiB")
    return Event.model_validate(parse_line(line))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yields lines; of one that is too long no more than that is kept."""
    room = TOTAL_BYTES
    while room > 0 and (line := file.readline(LINE_BYTES + 1)):
        room -= len(line)
        more = line
        while len(more) > LINE_BYTES and not more.endswith(b"\n") and room > 0:
            more = file.readline(LINE_BYTES + 1)
            room -= len(more)
        if line.strip():
            yield line


def _encodable(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {str(_encodable(key)): _encodable(item) for key, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list) else value


__all__ = [
    "EVENTS", "NAME", "TEXT", "Event", "EventKind", "Trajectory", "encode", "read", "sha256",
]  # fmt: skip
