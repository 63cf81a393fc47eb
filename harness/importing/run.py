"""What an importer makes of its source, whatever the format: a run with events, rows and files."""

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import JsonValue

from harness.errors import UsageError
from harness.models import Agent, Human
from harness.trajectory import Event

JSON_BYTES = 64 << 20
"""Of one JSON file: Python needs about twenty times as much for it."""
ROWS = 10_000
"""Score rows of one run that are kept."""
TEXT = 1 << 16
"""Characters of one text in a row's message or details."""
DEEPEST = 24
WIDEST = 2_000
"""Items of a list, or keys of an object, in a row's message or details."""
FILES = 2_000
FILE_BYTES = 4 << 20
"""Of one file that a transcript shows being written."""


@dataclass(frozen=True)
class Row:
    """A score that the source says the agent was told."""

    score: float | None
    at: datetime | None = None
    elapsed_s: float | None = None
    message: Mapping[str, JsonValue] = field(default_factory=dict)
    details: Mapping[str, JsonValue] = field(default_factory=dict)
    files: Mapping[str, str] | None = None
    """The workspace as it was scored, as far as the source shows it; None where it does not."""


@dataclass(frozen=True)
class Run:
    """One attempt as its source tells it."""

    name: str
    """Tells the runs of one source apart."""
    format: Literal["inspect", "vivaria", "aide", "home", "repository", "folder", "attempt"]
    task: str = ""
    """What the source calls the task."""
    events: tuple[Event, ...] = ()
    rows: tuple[Row, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """The workspace at the end, as far as a transcript shows it."""
    tree: Path | None = None
    """The folder that holds the workspace, where there is one."""
    leave: frozenset[str] = frozenset()
    """Paths in `tree` that are no part of the workspace."""
    agent: Agent | None = None
    human: Human | None = None
    start: datetime | None = None
    end: datetime | None = None
    direction: Literal["lower", "higher"] | None = None
    seen: tuple[str, ...] = ()
    """What was missing or left out, one sentence each."""
    sha256: str = ""
    """Hash over what was read."""


class Hashed:
    """A file of the source: opened once, plainly, and hashed as it is read."""

    def __init__(self, path: Path, most: int) -> None:
        self.content = read_bounded(path, most)
        self.sha256 = hashlib.sha256(self.content).hexdigest()

    def json(self, path: Path) -> JsonValue:
        """Returns the JSON that it holds; NaN and infinities are None.

        Raises:
            UsageError: it holds none.
        """
        try:
            value: JsonValue = json.loads(self.content, parse_constant=lambda _: None)
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise UsageError(
                f"{path} is not JSON that can be read: {reason[:200]}.",
                hint="Name a log as its program wrote it.",
            ) from error
        return value


def read_bounded(path: Path, most: int) -> bytes:
    """Returns the content of a plain file.

    Raises:
        UsageError: it is none, or holds more than `most` bytes.
    """
    with opened(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UsageError(
            f"{path} holds more than {most >> 20} MiB, which is not read.",
            hint="Import a part of it.",
        )
    return content


def opened(path: Path) -> BinaryIO:
    """Opens a plain file; a person may name a link, and nothing else may be behind it.

    Raises:
        UsageError: it is a device, a pipe or a folder, or cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{path} cannot be opened: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"{path} is not a plain file.", hint="Name a file or a folder.")
    return os.fdopen(descriptor, "rb")


def sha256_of(file: BinaryIO) -> str:
    """Returns the hash of an open file, read in pieces from where it stands."""
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()


def number(value: object) -> float | None:
    """Returns a finite number; a text that spells one counts, everything else is None."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            value = float(value.strip()[:64])
        except ValueError:
            return None
    if not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def moment(value: object) -> datetime | None:
    """Returns a time: milliseconds or seconds since 1970, or ISO text; UTC where no zone is told.

    Times outside 2000 to 2200 are none.
    """
    found: datetime | None = None
    try:
        if isinstance(value, datetime):
            found = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        elif isinstance(value, str):
            found = datetime.fromisoformat(value.strip()[:64].replace("Z", "+00:00"))
        if found is not None:
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found is not None and 2000 <= found.year <= 2200 else None


def plain(value: object, depth: int = DEEPEST) -> JsonValue:
    """Returns a value as the logs can hold it: no NaN, bounded in depth, width and text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else str(value)[:64] if abs(value) < 10**64 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return text(value)
    if depth <= 0:
        return "(nested too deeply)"
    if isinstance(value, Mapping):
        kept = list(value.items())[:WIDEST]
        return {text(str(key))[:256]: plain(item, depth - 1) for key, item in kept}
    if isinstance(value, list | tuple):
        return [plain(item, depth - 1) for item in value[:WIDEST]]
    return text(str(value))


def text(value: str, most: int = TEXT) -> str:
    """Returns a text that can be written as UTF-8, cut."""
    return value[:most].encode("utf-8", "replace").decode()


def described(value: object) -> dict[str, JsonValue]:
    """Returns a message or details as an object; text that holds JSON is read."""
    if isinstance(value, str):
        try:
            value = json.loads(value[:TEXT], parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            return {"text": text(str(value))} if str(value).strip() else {}
    if value is None:
        return {}
    found = plain(value)
    return found if isinstance(found, dict) else {"text": found}


def rooted(path: str, roots: Iterable[str] = ()) -> str | None:
    """Returns a file's place in a workspace; None for one outside, or that names no file.

    Absolute paths lie in a workspace where they begin with one of `roots`.
    """
    path = text(path, 1_000)
    if path.startswith("/"):
        within = [root for root in roots if path.startswith(f"{root.rstrip('/')}/")]
        if not within:
            return None
        path = path.removeprefix(max(within, key=len).rstrip("/"))
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", ".") and len(part) < 200:
            parts.append(part)
    if not parts or "\0" in path or len(parts) > 30 or ".git" in parts:
        return None
    return "/".join(parts)


def folder_name(name: str) -> str:
    """Returns a name that can only be that of a folder."""
    return re.sub(r"[^A-Za-z0-9._=+-]+", "_", name).strip("._")[:80] or "run"
