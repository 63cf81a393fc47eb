"""An attempt folder: its files, and the one way in which its signed logs grow.

A line is written and synced, then noted in the host's journal, then sealed by a new head. A crash
leaves at most one last line that no head covers. The journal tells whose it is: a line it knows
is ours and is sealed on the next run; any other is set aside, for anybody could have written it.
Nothing is added to a log that `check` finds fault with: signing it would make the fault ours.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from pydantic import ValidationError

from harness import chain, journal, keys, snapshot, trajectory
from harness.errors import LogForged, UsageError
from harness.files import (
    append_durably,
    canonical_json,
    parse_line,
    reason,
    sha256_bytes,
    write_atomic,
)
from harness.journal import LogName
from harness.models import Attempt, Head, HiddenLine, Score, ScoreLine, Split

L = TypeVar("L", ScoreLine, HiddenLine)
LOG_BYTES = 512 << 20
FACTS_BYTES = 1 << 20
"""Of `attempt.json` and of a head; they have a few kilobytes."""
LOGS: tuple[LogName, ...] = ("scores", "hidden")
_OTHER: dict[LogName, LogName] = {"scores": "hidden", "hidden": "scores"}
_NEXT = "next_attempt_sha256"
"""In a head's binding while an attempt is being ended: `attempt.json` as it will be."""
_TRANSCRIPT = "trajectory_sha256"
SEE = "`auditor verify DIR` says more; nothing is added to such a log."


class Checked(NamedTuple):
    """A log beside its head, with what contradicts it and what no head covers yet."""

    head: Head | None
    lines: tuple[ScoreLine, ...] | tuple[HiddenLine, ...]
    problems: tuple[str, ...]
    unsealed: tuple[str, ...]
    noted: bool
    """Whether this host's journal knows the end that the head names, so that nothing is missing."""


class AttemptFolder:
    """Paths and logs of one attempt."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = root / "workspace"
        self.history = root / "history.git"
        self.objects = root / "objects"
        self.protected = root / "protected"
        self.private = root / "private"
        self.audit = root / "audit"

    @classmethod
    def open(cls, root: Path) -> "AttemptFolder":
        """Returns the attempt in `root`.

        Raises:
            UsageError: there is none, or its `attempt.json` cannot be read.
        """
        folder = cls(root)
        if not root.is_dir():
            what = "is not a folder" if root.exists() else "does not exist"
            raise UsageError(f"{root} {what}.", hint="Name an attempt folder.")
        if not (root / "attempt.json").is_file():
            raise UsageError(
                f"{root} is not an attempt: it has no file attempt.json.",
                hint="Name an attempt folder, or make one with `harness new ENV DIR`.",
            )
        folder.attempt()
        return folder

    @classmethod
    def create(
        cls, root: Path, attempt: Attempt, *, noted: bool = True, transcript: str = ""
    ) -> "AttemptFolder":
        """Writes `attempt.json` and empty signed logs into `root`, and begins its journal.

        Args:
            root: an empty folder, or one with a workspace.
            attempt: its facts.
            noted: whether the host's journal knows of it; not for an attempt that is thrown away.
            transcript: hash of its `trajectory.jsonl`, where that is there already.
        """
        folder = cls(root)
        write_atomic(root / "attempt.json", canonical_json(attempt.model_dump(mode="json")) + b"\n")
        first = folder._rolled(chain.ZERO, attempt.start_commit)
        for log in LOGS:
            write_atomic(folder._log(log), b"")
            if noted:
                journal.record(attempt.run_id, log, journal.GENESIS, folder.identity())
            binding = folder._binding(chain.ZERO, first, transcript)
            folder._write_head(log, chain.head((), binding))
        if noted and transcript:
            journal.record(attempt.run_id, "trajectory", 0, transcript)
        return folder

    def attempt(self) -> Attempt:
        """Returns `attempt.json`.

        Raises:
            UsageError: it cannot be read.
        """
        path = self.root / "attempt.json"
        try:
            return Attempt.model_validate(parse_line(_small(path)))
        except (OSError, ValueError, ValidationError) as error:
            raise UsageError(
                f"{path} cannot be read: {reason(error)}.",
                hint="Put the file back as `harness new` wrote it.",
            ) from error

    def identity(self) -> str:
        """Returns a hash over all that `attempt.json` says from an attempt's first moment on.

        The journal begins with it, so that nobody else can sign an attempt of this host anew.
        """
        facts = parse_line(_small(self.root / "attempt.json"))
        return sha256_bytes(canonical_json({k: v for k, v in facts.items() if k != "end"}))

    def scores(self) -> tuple[ScoreLine, ...]:
        """Returns the score log.

        Raises:
            LogForged: a line was changed, cut or added.
        """
        return self._sound("scores", self.score_log().lines)

    def hidden(self) -> tuple[HiddenLine, ...]:
        """Returns the sealed scores.

        Raises:
            LogForged: a line was changed, cut or added.
        """
        return self._sound("hidden", self.hidden_log().lines)

    def score_log(self) -> chain.Log[ScoreLine]:
        """Returns what the head covers of the score log, with what is wrong with its lines."""
        return self._covered("scores", self._score_log())

    def hidden_log(self) -> chain.Log[HiddenLine]:
        """Returns what the head covers of the hidden log, with what is wrong with its lines."""
        return self._covered("hidden", self._hidden_log())

    def check(self, log: LogName) -> Checked:
        """Holds a log against its head, the other log, `attempt.json` and this host's journal.

        Notes are read before heads and heads before lines, so that what another process appends
        in the meantime contradicts nothing.
        """
        run_id, identity = self.attempt().run_id, self.identity()
        noted = journal.history(run_id, log)
        head, other = self.head(log), self.head(_OTHER[log])
        scores, hidden = self._score_log(), self._hidden_log()
        found, others = (scores, hidden) if log == "scores" else (hidden, scores)
        problems = [*found.problems, *journal.contradictions(noted, identity, found.lines)]
        if head is None:
            problems.append("its head is missing or cannot be read")
            return Checked(None, found.lines, tuple(problems), (), noted=False)
        problems += chain.contradictions(head, found.lines)
        sealed = others.lines[: max(other.index + 1, 0)] if other else others.lines
        problems += self._unbound(head, {chain.ZERO, *(line.hash for line in sealed)})
        if problems:
            return Checked(head, found.lines, tuple(problems), (), noted=False)
        extra = found.lines[head.index + 1 :]
        unsealed = [f"line {line.index} was never sealed" for line in extra]
        if found.torn:
            unsealed.append("a last line was not finished")
        end = head.hash if head.index > journal.GENESIS else identity
        known = journal.knows(run_id, log, head.index, end)
        return Checked(head, found.lines, (), tuple(unsealed), known)

    def head(self, log: LogName) -> Head | None:
        """Returns the head of a log, or None when there is none, or something else in its place.

        Raises:
            OSError: this user may not read it, or the disk cannot.
        """
        try:
            return Head.model_validate(parse_line(_small(self._head_path(log))))
        except (FileNotFoundError, ValueError, ValidationError):
            return None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other writers out; the kernel lets go of it when this process ends."""
        folder = keys.home() / "locks"
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder / self.attempt().run_id, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def append_score(
        self, *, scored_at: datetime, elapsed_s: float, commit: str, score: Score
    ) -> ScoreLine:
        """Logs a classic score; returns when it is signed and on disk."""
        fields = self._fields(scored_at, elapsed_s, commit, score)
        return self._append("scores", ScoreLine, fields)

    def append_hidden(
        self,
        *,
        scored_at: datetime,
        elapsed_s: float,
        commit: str,
        score: Score,
        entry: int,
        split: Split,
    ) -> HiddenLine:
        """Logs a sealed score; returns when it is signed and on disk."""
        fields = self._fields(scored_at, elapsed_s, commit, score)
        return self._append("hidden", HiddenLine, {**fields, "entry": entry, "split": split})

    def fill(
        self, scores: Iterable[tuple[datetime, float, str, Score]], *, noted: bool = True
    ) -> None:
        """Writes the whole score log of an imported attempt, which must be empty, and seals it.

        Args:
            scores: time, seconds since the start, snapshot and score of each line.
            noted: whether the host's journal takes it in.
        """
        lines: list[ScoreLine] = []
        rolled = self._rolled(chain.ZERO, self.attempt().start_commit)
        for at, elapsed_s, commit, score in scores:
            fields = self._fields(at, elapsed_s, commit, score)
            lines.append(chain.make(ScoreLine, lines, fields))
            rolled = self._rolled(rolled, commit)
        if lines:
            write_atomic(self._log("scores"), b"".join(map(chain.encode, lines)))
            if noted:
                journal.record(self.attempt().run_id, "scores", lines[-1].index, lines[-1].hash)
            binding = self._binding(chain.ZERO, rolled, _transcript(self.head("scores")))
            self._write_head("scores", chain.head(lines, binding))

    def finish(self, end: datetime, *, transcript: str = "") -> None:
        """Notes when the attempt ended, and signs that.

        The heads first vouch for `attempt.json` both as it is and as it is about to be: a crash
        leaves one of the two.

        Args:
            end: the moment.
            transcript: hash of what was written to `trajectory.jsonl`, which is signed with it.

        Raises:
            UsageError: it has ended before.
        """
        with self.lock():
            self.resolve()
            if self.attempt().end is not None:
                raise UsageError(f"{self.root} has ended before.")
            ended = self.attempt().model_copy(update={"end": end})
            text = canonical_json(ended.model_dump(mode="json")) + b"\n"
            more = {_TRANSCRIPT: transcript} if transcript else {}
            if transcript:
                journal.record(self.attempt().run_id, "trajectory", 0, transcript)
            for log in LOGS:
                self._rebind(log, {_NEXT: sha256_bytes(text), **more})
            write_atomic(self.root / "attempt.json", text)
            for log in LOGS:
                self._rebind(log, {})

    def transcript(self) -> Literal["none", "signed", "unsigned", "changed"]:
        """Returns what vouches for `trajectory.jsonl`: both heads and this host's journal do.

        It is `unsigned` in attempts of before transcripts were signed, and until a run has ended;
        `changed` also where one that was signed is missing.
        """
        noted = journal.history(self.attempt().run_id, "trajectory")
        heads = {_transcript(self.head(log)) for log in LOGS} - {""}
        signed = heads | {line.hash for line in noted}
        now = trajectory.sha256(self.root)
        if signed:
            return "signed" if signed == {now} else "changed"
        return "none" if now is None else "unsigned"

    def resolve(self) -> None:
        """Brings both logs back to what a head covers, after a crash.

        Raises:
            LogForged: a log was changed by somebody else, or is older than this host knows it.
            UsageError: another host's key signs the attempt.
        """
        checked = {log: self._checked(log) for log in LOGS}
        if self.attempt().public_key != keys.public_hex(keys.signing_key()):
            raise UsageError(
                f"{self.root} was begun by another host, or with a key that this one has lost.",
                hint="Go on with it there; here it can be audited.",
            )
        for log, found in checked.items():
            self._resolve(log, found)

    def rolled(self, commits: tuple[str, ...]) -> str:
        """Returns the binding of a series of snapshots: start first, then one per score line."""
        value = chain.ZERO
        for commit in commits:
            value = self._rolled(value, commit)
        return value

    def _append(self, log: LogName, model: type[L], fields: Mapping[str, object]) -> L:
        self.resolve()
        lines: tuple[L, ...] = chain.read(self._bytes(log), model).lines
        line = chain.make(model, lines, fields)
        before = self.head(log)
        assert before is not None, "`resolve` refuses a log without a head"
        append_durably(self._log(log), chain.encode(line))
        journal.record(self.attempt().run_id, log, line.index, line.hash)
        self._write_head(log, chain.head([*lines, line], self._next_binding(log, before, line)))
        return line

    def _resolve(self, log: LogName, found: Checked) -> None:
        head, lines = found.head, found.lines
        assert head is not None, "a log without a head has a problem"
        run_id, keep = self.attempt().run_id, head.index + 1
        ours = [at for at in lines[keep:] if journal.knows(run_id, log, at.index, at.hash)]
        keep += len(ours)
        texts = self._bytes(log).split(b"\n")
        if rest := b"\n".join(texts[keep:]):
            append_durably(self.root / f"{log}.unsealed.jsonl", rest)
            write_atomic(self._log(log), b"".join(text + b"\n" for text in texts[:keep]))
        for line in ours:
            self._write_head(log, chain.head(lines[:keep], self._next_binding(log, head, line)))

    def _rebind(self, log: LogName, more: Mapping[str, str]) -> None:
        """Signs the end of a log anew, over `attempt.json` as it is now and what else is given."""
        head = self.head(log)
        assert head is not None, "`resolve` refuses a log without a head"
        now = sha256_bytes(_small(self.root / "attempt.json"))
        kept = {name: value for name, value in head.binding.items() if name != _NEXT}
        lines = (self._score_log() if log == "scores" else self._hidden_log()).lines
        binding = {**kept, "attempt_sha256": now, **more}
        self._write_head(log, chain.head(lines[: head.index + 1], binding))

    def _next_binding(
        self, log: LogName, before: Head, line: ScoreLine | HiddenLine
    ) -> dict[str, str]:
        other = self.head(_OTHER[log])
        rolled = (other if log == "hidden" and other else before).binding["manifests_sha256"]
        if log == "scores":
            rolled = self._rolled(rolled, line.commit)
        other_hash = other.hash if other else chain.ZERO
        return self._binding(other_hash, rolled, _transcript(before))

    def _binding(self, other: str, rolled: str, transcript: str) -> dict[str, str]:
        return {
            "attempt_sha256": sha256_bytes((self.root / "attempt.json").read_bytes()),
            "other_hash": other,
            "manifests_sha256": rolled,
            **({_TRANSCRIPT: transcript} if transcript else {}),
        }

    def _rolled(self, value: str, commit: str) -> str:
        return sha256_bytes((value + snapshot.manifest_sha256(self, commit)).encode())

    def _fields(
        self, scored_at: datetime, elapsed_s: float, commit: str, score: Score
    ) -> dict[str, object]:
        return {
            "scored_at": scored_at,
            "elapsed_s": elapsed_s,
            "score": score.value,
            "message": score.message,
            "details": score.details,
            "commit": commit,
            "artifacts": score.artifacts,
        }

    def _unbound(self, head: Head, others: set[str]) -> Iterator[str]:
        """Yields what a head does not vouch for, or that nobody vouches for the head."""
        attempt, binding = self.attempt(), head.binding
        if not chain.signed(head) or head.public_key != attempt.public_key:
            yield "its head is not signed with the attempt's key"
        now = sha256_bytes(_small(self.root / "attempt.json"))
        if now not in (binding.get("attempt_sha256"), binding.get(_NEXT)):
            yield "attempt.json is not the one that was signed with it"
        if binding.get("other_hash") not in others:
            yield "its head names a sealed line that the other log has lost"

    def _checked(self, log: LogName) -> Checked:
        checked = self.check(log)
        if checked.problems:
            problems = "; ".join(checked.problems)
            raise LogForged(f"{self._log(log)} was changed: {problems}.", hint=SEE)
        return checked

    def _sound(self, log: LogName, lines: tuple[L, ...]) -> tuple[L, ...]:
        self._checked(log)
        return lines

    def _covered(self, log: LogName, found: chain.Log[L]) -> chain.Log[L]:
        head = self.head(log)
        return replace(found, lines=found.lines[: max(head.index + 1, 0)]) if head else found

    def _score_log(self) -> chain.Log[ScoreLine]:
        return chain.read(self._bytes("scores"), ScoreLine)

    def _hidden_log(self) -> chain.Log[HiddenLine]:
        return chain.read(self._bytes("hidden"), HiddenLine)

    def _bytes(self, log: LogName) -> bytes:
        path = self._log(log)
        if not path.is_file():
            return b""
        if path.stat().st_size > LOG_BYTES:
            raise UsageError(f"{path} is larger than {LOG_BYTES >> 20} MiB.")
        return path.read_bytes()

    def _log(self, log: str) -> Path:
        return self.root / f"{log}.jsonl"

    def _head_path(self, log: LogName) -> Path:
        return self.root / f"{log}.head.json"

    def _write_head(self, log: LogName, head: Head) -> None:
        write_atomic(self._head_path(log), canonical_json(head.model_dump(mode="json")) + b"\n")


def _transcript(head: Head | None) -> str:
    """Returns the hash of the transcript that a head vouches for; empty for none."""
    return head.binding.get(_TRANSCRIPT, "") if head is not None else ""


def _small(path: Path) -> bytes:
    """Returns the content of a file of a few lines; a pipe would never end, nor would a device.

    Raises:
        ValueError: it is something else.
    """
    if not path.is_file() or path.stat().st_size > FACTS_BYTES:
        raise ValueError("it is not a small file")
    return path.read_bytes()
