"""Reads what a witness wrote from inside: lines that the watched program may have made up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from harness.files import parse_line

LINE_BYTES = 4096
INTERPRETERS = 512
SPAN = 1000
"""Records between a canary and its sign of life; more are made up."""


@dataclass(frozen=True)
class Replaced:
    """Something that measuring depends on is not what it was."""

    name: str
    was: str
    now: str
    origin: str
    """Where the code of the new one lies: `workspace`, `library`, `text` (given to `exec`),
    `native` (no Python code), or `memory` (the same object leads to other machine code)."""
    place: str
    """`path:line` of that code; the path is one of the workspace where the origin is."""
    at: str
    """The innermost place in the workspace when it was noticed, which may be later."""
    back: bool
    """It was put back."""
    direct: bool
    """`at` is where it was done."""


@dataclass(frozen=True)
class Event:
    """An audit event."""

    name: str
    detail: str
    at: str
    """The innermost place in the workspace; empty for libraries alone."""
    thread: str


@dataclass(frozen=True)
class Operator:
    """A tensor operator."""

    name: str
    shapes: str
    at: str
    count: int


@dataclass(frozen=True)
class Interpreter:
    """One Python process, or a fork of one, by its own account."""

    pid: int
    argv: str
    main: str
    """The main script; empty where it never came so far, or was no file."""
    forks: tuple[str, ...]
    """Places in the workspace that asked for the forks which lead to this process."""
    ended: bool
    """It had its last word; a process that is killed or calls `os._exit` has none."""
    sent: int
    """Canaries that were followed by a sign of life, with every record between them there."""
    arrived: int
    """How many of these the hook had seen."""
    lost: int
    """Records that did not get through."""
    left_out: int
    """Events beyond what is listed."""
    silenced: tuple[str, ...]
    """Places that wrote to the witness's own functions."""
    objects: tuple[Replaced, ...]
    rewritten: tuple[str, ...]
    """Modules that were written to and look as before."""
    events: tuple[Event, ...]
    operators: tuple[Operator, ...]
    broken: tuple[str, ...]
    """Parts of the witness that failed."""


class _Record:
    """A line whose fields may be missing or of another type."""

    def __init__(self, fields: Mapping[str, JsonValue]) -> None:
        self._fields = fields
        self.kind, self.name = self.text("k"), self.text("s")
        self.place = self.number("n")

    def text(self, key: str) -> str:
        """Returns a field that is a text; empty when it is none."""
        value = self._fields.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """Returns a field that is a whole number; 0 when it is none."""
        value = self._fields.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0


def read(log: bytes) -> tuple[tuple[Interpreter, ...], int]:
    """Returns who spoke in a log, and how many lines are no records."""
    told: dict[str, list[_Record]] = {}
    malformed = 0
    for line in filter(None, log.split(b"\n")):
        record = _parsed(line)
        if record and record.kind == "start" and len(told) < INTERPRETERS:
            told.setdefault(record.name, [])
        if record and record.name in told:
            told[record.name].append(record)
        else:
            malformed += 1
    return tuple(_interpreter(name, told) for name in told), malformed


def _parsed(line: bytes) -> _Record | None:
    if len(line) > LINE_BYTES:
        return None
    try:
        return _Record(parse_line(line))
    except ValueError:
        return None


def _interpreter(name: str, told: Mapping[str, list[_Record]]) -> Interpreter:
    records = told[name]
    line = list(_ancestry(name, told))
    mains = [record.text("path") for one in line for record in told[one] if record.kind == "main"]
    operators = {
        (one.name, one.shapes, one.at): one
        for one in (
            Operator(item.text("name"), item.text("shapes"), item.text("at"), item.number("count"))
            for item in _of("operator", records)
        )
    }
    sent, arrived = _canaries(records)
    numbers = {record.place for record in records}
    return Interpreter(
        pid=records[0].number("pid"),
        argv=records[0].text("argv"),
        main=next(iter(mains), ""),
        forks=tuple(told[one][0].text("forked_at") for one in line if told[one][0].text("parent")),
        ended=any(record.kind == "end" for record in records),
        sent=sent,
        arrived=arrived,
        lost=max(numbers) + 1 - len(numbers),
        left_out=sum(record.number("count") for record in _of("left_out", records)),
        silenced=tuple(record.text("at") for record in _of("silenced", records)),
        objects=tuple(map(_replaced, _of("object", records))),
        rewritten=tuple(record.text("object") for record in _of("rewritten", records)),
        events=tuple(map(_event, _of("event", records))),
        operators=tuple(operators.values()),
        broken=tuple(record.text("what") for record in _of("broken", records)),
    )


def _of(kind: str, records: Iterable[_Record]) -> list[_Record]:
    return [record for record in records if record.kind == kind]


def _ancestry(name: str, told: Mapping[str, list[_Record]]) -> Iterable[str]:
    """Yields a process and those it is a fork of, nearest first."""
    seen: set[str] = set()
    while name in told and name not in seen:
        seen.add(name)
        yield name
        name = told[name][0].text("parent")


def _canaries(records: list[_Record]) -> tuple[int, int]:
    """Counts canaries where nothing else can be the reason for the hook's silence.

    The announcement and the sign of life must both be there, and every record numbered between
    them: one that was lost may have been the hook's.
    """
    numbers = {record.place for record in records}
    announced = {record.text("path"): record.place for record in _of("sent", records)}
    heard = {record.text("path") for record in _of("sang", records)}
    sent = arrived = 0
    for alive in _of("alive", records):
        path = alive.text("path")
        began = announced.pop(path, None)
        whole = began is not None and began < alive.place < began + SPAN
        if began is None or not whole or alive.number("failed"):
            continue
        if numbers.issuperset(range(began, alive.place)):
            sent += 1
            arrived += path in heard
    return sent, arrived


def _replaced(record: _Record) -> Replaced:
    return Replaced(
        name=record.text("object"),
        was=record.text("was"),
        now=record.text("now"),
        origin=record.text("origin"),
        place=record.text("place"),
        at=record.text("at"),
        back=bool(record.number("back")),
        direct=bool(record.number("direct")),
    )


def _event(record: _Record) -> Event:
    return Event(
        record.text("event"), record.text("detail"), record.text("at"), record.text("thread")
    )
