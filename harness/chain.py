"""Hash-chained logs: how a line is made, read and checked. Pure, apart from signing a head."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import JsonValue, ValidationError

from harness import keys
from harness.files import canonical_json, parse_line, reason, sha256_bytes
from harness.models import Head, HiddenLine, Line, ScoreLine

ZERO = "0" * 64
"""`prev` of the first line, and the hash of an empty log."""

L = TypeVar("L", ScoreLine, HiddenLine)


@dataclass(frozen=True)
class Log(Generic[L]):
    """A log as it was read: the lines that can be read, and what is wrong with the rest."""

    lines: tuple[L, ...]
    problems: tuple[str, ...]
    torn: bytes = b""
    """A last line without its end: what a crash in the middle of a write leaves."""


def digest(fields: Mapping[str, JsonValue]) -> str:
    """Returns the hash of a line's fields, `hash` left out."""
    return sha256_bytes(canonical_json({k: v for k, v in fields.items() if k != "hash"}))


def make(model: type[L], lines: Sequence[L], fields: Mapping[str, object]) -> L:
    """Returns the line that follows `lines`, with its index, `prev` and `hash`.

    It is never earlier than the line before it, whatever the clock said: `read` would refuse it.
    """
    last = lines[-1] if lines else None
    placed = {**fields, "index": len(lines), "prev": last.hash if last else ZERO, "hash": ZERO}
    draft = model.model_validate(placed)
    if last and draft.elapsed_s < last.elapsed_s:
        draft = draft.model_copy(update={"elapsed_s": last.elapsed_s})
    return draft.model_copy(update={"hash": digest(draft.model_dump(mode="json"))})


def encode(line: Line) -> bytes:
    """Returns the one byte form of a line, with its end."""
    return canonical_json(line.model_dump(mode="json")) + b"\n"


def read(data: bytes, model: type[L]) -> Log[L]:
    """Reads a log leniently: as far as it goes, with every problem named."""
    *whole, torn = data.split(b"\n")
    lines: list[L] = []
    problems: list[str] = []
    for number, text in enumerate(whole):
        try:
            fields = parse_line(text)
            line = model.model_validate(fields)
        except (ValueError, ValidationError) as error:
            problems.append(f"line {number} cannot be read: {reason(error)}")
            break
        problems += _wrong(line, fields, text, lines)
        lines.append(line)
    return Log(tuple(lines), tuple(problems), torn)


def head(lines: Sequence[Line], binding: Mapping[str, str]) -> Head:
    """Returns the signed head of a log that ends with `lines`."""
    index, last = len(lines) - 1, lines[-1].hash if lines else ZERO
    return Head(
        index=index,
        hash=last,
        binding=dict(binding),
        public_key=keys.public_hex(keys.signing_key()),
        signature=keys.sign(_signed(index, last, binding)),
    )


def signed(found: Head) -> bool:
    """Returns whether a head's signature was made with the key it names."""
    message = _signed(found.index, found.hash, found.binding)
    return keys.check(found.public_key, found.signature, message)


def contradictions(found: Head, lines: Sequence[Line]) -> list[str]:
    """Returns why `lines` are not those that a head seals; one more may follow, after a crash."""
    extra = len(lines) - 1 - found.index
    if found.index < -1 or extra < 0:
        return [f"it was cut: the head knows {found.index + 1} lines"]
    if (lines[found.index].hash if found.index >= 0 else ZERO) != found.hash:
        return ["it is not the log that was signed"]
    return [f"it has {extra} lines that were never signed"] if extra > 1 else []


def _signed(index: int, last: str, binding: Mapping[str, str]) -> bytes:
    return canonical_json({"index": index, "hash": last, "binding": dict(binding)})


def _wrong(
    line: Line, fields: Mapping[str, JsonValue], text: bytes, before: Sequence[Line]
) -> list[str]:
    """What is wrong with a line that can be read."""
    name = f"line {len(before)}"
    problems = []
    if canonical_json(fields) != text:
        problems.append(f"{name} was not written by the harness: its form is another")
    if digest(fields) != line.hash:
        problems.append(f"{name} was changed: its hash does not match")
    if line.index != len(before):
        problems.append(f"{name} calls itself {line.index}: lines were cut, added or moved")
    if line.prev != (before[-1].hash if before else ZERO):
        problems.append(f"{name} does not follow the line before it")
    if before and line.elapsed_s < before[-1].elapsed_s:
        problems.append(f"{name} is earlier than the line before it")
    return problems
