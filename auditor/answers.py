"""What people say to findings: signed lines beside the verdict, which later audits show.

An answer changes no verdict, and neither does a reviewer's decision: both stay apart from what the
machine found. The folder may have come from anywhere, so lines that nobody known has signed are
shown as such, and what cannot be read is named.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from auditor.errors import AuditError
from auditor.models import Answer, Answered, Attachment, Decision, Finding, Verdict
from harness import keys
from harness.errors import HarnessError, UsageError
from harness.files import (
    append_durably,
    canonical_json,
    parse_line,
    read_beneath,
    reason,
    sha256_bytes,
    write_atomic,
)

FILE, FOLDER, VERDICT = "answers.jsonl", "answers", "verdict.json"
ATTEMPT = "audit"
"""Where an attempt keeps its audit."""
LONGEST = 10_000
"""Characters of an answer: four pages."""
ATTACHED = 25 << 20
"""Bytes of an attachment."""
READ = 16 << 20
"""Bytes of answers that are read; each has at most a few kilobytes."""
VERDICT_BYTES = 64 << 20
MOST = 500
SHORTEST = 4
"""Hexadecimal digits that name a finding, when no other begins with them."""


class Read(NamedTuple):
    """The answers in a folder."""

    answered: tuple[Answered, ...]
    problems: tuple[str, ...]
    """What of the file could not be read."""


def add(
    folder: Path,
    name: str,
    because: str,
    *,
    attach: Path | None = None,
    decision: Decision | None = None,
) -> Answer:
    """Signs an answer to a finding and keeps it beside the verdict.

    Args:
        folder: an attempt that was audited, or a folder of reports.
        name: the finding's fingerprint, or the beginning of it, or its rule's code.
        because: what is said.
        attach: a file to keep with it.
        decision: what a reviewer decides.

    Raises:
        UsageError: there is no such verdict or finding, or the answer cannot be kept.
    """
    place = _place(folder)
    text = because.strip()
    if not text or len(text) > LONGEST:
        raise UsageError(
            f"The answer has {len(text)} characters.",
            hint=f"Say why in 1 to {LONGEST} characters, and --attach a file for more.",
        )
    told = _verdict(place)
    finding = _named(told.findings, name)
    attachment = None if attach is None else _attached(place, attach)
    unsigned = Answer(
        finding=finding.fingerprint,
        code=finding.code,
        rule=finding.rule,
        because=text,
        decision=decision,
        attachment=attachment,
        at=datetime.now(UTC),
        verdict_sha256=sha256_bytes(_bytes(place, VERDICT, VERDICT_BYTES)),
        public_key=keys.public_hex(keys.signing_key()),
        signature="",
    )
    answer = unsigned.model_copy(update={"signature": keys.sign(_signed(unsigned))})
    with _alone(place):
        _require_plain(place / FILE)
        append_durably(place / FILE, canonical_json(answer.model_dump(mode="json")))
    return answer


def read(folder: Path, findings: Iterable[Finding]) -> Read:
    """Returns the answers that lie beside a verdict, oldest first, as they concern its findings."""
    if folder.is_symlink() or not os.path.lexists(folder / FILE):
        return Read((), ())
    try:
        data = read_beneath(folder, FILE, READ)
    except (HarnessError, OSError) as error:
        return Read((), (f"the answers beside the verdict cannot be read: {error}",))
    standing = {finding.fingerprint for finding in findings}
    known, own = keys.known(), keys.public_hex(keys.signing_key())
    found: list[Answered] = []
    problems: list[str] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:MOST], start=1):
        try:
            if line:
                answer = Answer.model_validate(parse_line(line))
                trust = _trust(answer, own, known)
                stands = answer.finding in standing
                found.append(Answered.model_validate(
                    {"answer": answer, "trust": trust, "stands": stands}
                ))  # fmt: skip
        except (ValueError, ValidationError) as error:
            problems.append(f"line {number} of {FILE} cannot be read: {reason(error)}")
    if len(lines) > MOST + 1:
        problems.append(f"{len(lines) - MOST - 1} more lines of {FILE} were not read")
    return Read(tuple(found), tuple(problems[:3]))


def shown(verdict: Verdict, folders: Iterable[Path]) -> Verdict:
    """Returns a verdict with the answers beside it; nothing else of it changes but its gaps."""
    kept: dict[str, Answered] = {}
    problems: list[str] = []
    for folder in folders:
        answered = read(folder, verdict.findings)
        kept |= {item.answer.signature: item for item in answered.answered}
        problems += answered.problems
    if not kept and not problems:
        return verdict
    listed = verdict.coverage.get("gaps")
    gaps = [*(listed if isinstance(listed, list) else []), *problems]
    return verdict.model_copy(
        update={"answers": tuple(kept.values()), "coverage": {**verdict.coverage, "gaps": gaps}}
    )


def _place(folder: Path) -> Path:
    """Returns the folder that holds the verdict."""
    for place in (folder / ATTEMPT, folder):
        if os.path.lexists(place / VERDICT):
            if place.is_symlink():
                raise UsageError(f"{place} is a link.", hint="Name the folder that it leads to.")
            return place
    raise UsageError(
        f"{folder} holds no verdict.",
        hint="Audit it first (`auditor audit DIR`), or name the folder that --output wrote.",
    )


def _verdict(place: Path) -> Verdict:
    try:
        return Verdict.model_validate(parse_line(_bytes(place, VERDICT, VERDICT_BYTES)))
    except (ValueError, ValidationError) as error:
        raise AuditError(
            f"{place / VERDICT} cannot be read: {reason(error)}", hint="Audit it again."
        ) from error


def _bytes(place: Path, name: str, most: int) -> bytes:
    try:
        return read_beneath(place, name, most)
    except HarnessError as error:
        raise AuditError(f"{place}: {error}", hint="Audit it again.") from error


def _named(findings: Iterable[Finding], name: str) -> Finding:
    listed = [item for item in findings if item.fingerprint]
    word = name.strip().lower()
    found = [
        item
        for item in listed
        if item.code.lower() == word
        or (len(word) >= SHORTEST and item.fingerprint.startswith(word))
    ]
    if len({item.fingerprint for item in found}) == 1:
        return found[0]
    choices = found or listed
    names = ", ".join(sorted({f"{item.fingerprint} ({item.code})" for item in choices})[:20])
    what = f"{name!r} names several findings." if found else f"There is no finding {name!r}."
    raise UsageError(what, hint=f"Choose one: {names}." if names else "The verdict has none.")


def _attached(place: Path, path: Path) -> Attachment:
    """Keeps a copy of a file by its hash."""
    if not path.is_file():
        raise UsageError(f"{path} is not a file.", hint="Attach one file, or an archive.")
    if (size := path.stat().st_size) > ATTACHED:
        raise UsageError(
            f"{path} has {size} bytes.", hint=f"At most {ATTACHED} are kept; name where it lies."
        )
    data = path.read_bytes()
    _require_plain(place / FOLDER)
    (place / FOLDER).mkdir(exist_ok=True)
    digest = sha256_bytes(data)
    write_atomic(place / FOLDER / digest, data)
    return Attachment(name=path.name, size=len(data), sha256=digest)


def _require_plain(path: Path) -> None:
    """Refuses to write through a link: the folder may have come from anywhere."""
    if path.is_symlink():
        raise UsageError(f"{path} is a link, so nothing is written there.", hint="Remove it.")


def _trust(answer: Answer, own: str, known: frozenset[str]) -> str:
    if not keys.check(answer.public_key, answer.signature, _signed(answer)):
        return "forged"
    if answer.public_key == own:
        return "own"
    return "known" if answer.public_key in known else "unknown"


def _signed(answer: Answer) -> bytes:
    return canonical_json(answer.model_dump(mode="json", exclude={"signature"}))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lets one process write at a time."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
