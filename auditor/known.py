"""Verdicts that still hold: found again by everything they depend on.

A verdict is believed when this host's key vouches for it and nothing that it depends on has
changed: what an audit reads of the attempt, what this host knows about it, the rules, the
environment, the auditor, and how far the audit went. It is kept outside all attempts: what lies in
an attempt's `audit/` is anybody's word.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from auditor.vetting import Case
from harness import cache as caches
from harness import journal, keys, machine, sandbox
from harness.attempt import LOGS, AttemptFolder
from harness.files import canonical_json, sha256_bytes, sha256_file, tree_sha256

KIND = "vetted attempt"
CASE = "case.json"
NOT_READ = ("audit", "workspace")
"""What an audit leaves alone in an attempt: its own reports, and what nobody has scored."""
STRONGER = {"never": ("auto", "always"), "auto": ("always",), "always": ()}
"""Whose verdicts are as good, because they rest on more."""


@dataclass(frozen=True)
class Basis:
    """Everything that a verdict on an attempt depends on."""

    attempt: str
    """Hash over what an audit reads of it, and what this host knows about it."""
    rules: str
    environment: str
    auditor: str
    """Hash over its own code, the machine and the packages."""
    common: bool
    replay: str
    budget: str

    @property
    def inputs(self) -> dict[str, str]:
        """The basis as the key of a cache."""
        return {name: str(value) for name, value in asdict(self).items()}

    def stronger(self) -> Iterator["Basis"]:
        """Yields this basis, and those whose verdicts rest on more."""
        yield self
        for replay in STRONGER[self.replay]:
            yield replace(self, replay=replay, budget="" if replay == "always" else self.budget)


def basis(
    root: Path, *, rules: str, environment: str, common: bool, replay: str, budget_s: float | None
) -> Basis:
    """Returns what a verdict on the attempt in `root` depends on, as things are now.

    Raises:
        OSError: something in it cannot be read.
        UsageError: it is no attempt.
    """
    budget = "" if budget_s is None or replay == "always" else f"{budget_s:g}"
    return Basis(
        attempt=content(root),
        rules=rules, environment=environment, auditor=_auditor(),
        common=common, replay=replay, budget=budget,
    )  # fmt: skip


def content(root: Path) -> str:
    """Returns a hash over what an audit reads of an attempt, and what this host knows of it.

    Raises:
        OSError: something in it cannot be read.
        UsageError: it is no attempt.
    """
    run_id = AttemptFolder.open(root).attempt().run_id
    logs: tuple[journal.Noted, ...] = (*LOGS, "trajectory")
    noted = [line for log in logs for line in journal.history(run_id, log)]
    facts = {
        "files": tree(root),
        "signer": keys.public_hex(keys.signing_key()),
        "known": sorted(keys.known()),
        "journal": [[line.log, line.index, line.hash] for line in noted],
    }
    return sha256_bytes(canonical_json(facts))


def name(root: Path) -> str:
    """Returns what names an attempt in a review: what it is and what it scored."""
    paths = (root / part for part in ("attempt.json", "scores.jsonl"))
    parts = [sha256_file(path) if path.is_file() else "" for path in paths]
    return sha256_bytes("/".join(parts).encode())[:16]


def tree(root: Path) -> str:
    """Returns a hash over every entry of an attempt that an audit reads; links are not followed."""
    digest = hashlib.sha256()
    for path, entry in _walk(root, b""):
        facts = entry.stat(follow_symlinks=False)
        digest.update(canonical_json([path.hex(), stat.S_IFMT(facts.st_mode)]))
        if stat.S_ISREG(facts.st_mode):
            digest.update(_content(entry.path))
        elif stat.S_ISLNK(facts.st_mode):
            digest.update(hashlib.sha256(os.readlink(entry.path)).digest())
    return digest.hexdigest()


def recall(its: Basis) -> Case | None:
    """Returns what an earlier vetting found on the same basis, or a stronger one."""
    for base in its.stronger():
        found = caches.find(KIND, base.inputs)
        if found is not None:
            return Case.model_validate_json((found / CASE).read_bytes())
    return None


def remember(its: Basis, case: Case) -> None:
    """Keeps what an audit found for the next vetting."""

    def build(folder: Path) -> None:
        (folder / CASE).write_text(case.model_dump_json(), "utf-8")

    caches.cached(KIND, its.inputs, build)


@cache
def _auditor() -> str:
    """What decides beside rules and environment: our code, and where it runs."""
    here = Path(__file__).resolve().parent
    code = [tree_sha256(here), tree_sha256(here.parent / "harness")]
    facts = {
        "code": code, "machine": machine.machine(), "packages": machine.packages(),
        "sandbox": sandbox.describe(),
    }  # fmt: skip
    return sha256_bytes(canonical_json(facts))


def _walk(folder: Path | str, prefix: bytes) -> Iterator[tuple[bytes, "os.DirEntry[bytes]"]]:
    with os.scandir(os.fsencode(folder)) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if not prefix and os.fsdecode(entry.name) in NOT_READ:
            continue
        path = prefix + entry.name
        yield path, entry
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(os.fsdecode(entry.path), path + b"/")


def _content(path: bytes) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
