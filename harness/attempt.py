"""An attempt folder: its files, and the one way in which its signed logs grow.

A line is written and synced, then noted in the host's journal, then sealed by a new head. A crash
leaves at most one last line that no head covers. The journal tells whose it is: a line it knows
is ours and is sealed on the next run; any other is set aside, for anybody could have written it.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from harness import chain, journal, keys, snapshot
from harness.errors import LogForged, UsageError
from harness.files import append_durably, canonical_json, parse_line, sha256_bytes, write_atomic
from harness.journal import LogName
from harness.models import Attempt, Head, HiddenLine, Score, ScoreLine, Split

L = TypeVar("L", ScoreLine, HiddenLine)
LOG_BYTES = 512 << 20
LOGS: tuple[LogName, ...] = ("scores", "hidden")


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
            raise UsageError(f"{root} is not a folder.", hint="Name an attempt folder.")
        if not (root / "attempt.json").is_file():
            raise UsageError(
                f"{root} is not an attempt: it has no attempt.json.",
                hint="Make one with `harness new ENV DIR`.",
            )
        folder.attempt()
        return folder

    @classmethod
    def create(cls, root: Path, attempt: Attempt) -> "AttemptFolder":
        """Writes `attempt.json` and empty signed logs into `root`, and begins its journal."""
        folder = cls(root)
        write_atomic(root / "attempt.json", canonical_json(attempt.model_dump(mode="json")) + b"\n")
        first = folder._rolled(chain.ZERO, attempt.start_commit)
        for log in LOGS:
            write_atomic(folder._log(log), b"")
            journal.record(attempt.run_id, log, journal.GENESIS, chain.ZERO)
            folder._write_head(log, chain.head((), folder._binding(chain.ZERO, first)))
        return folder

    def attempt(self) -> Attempt:
        """Returns `attempt.json`.

        Raises:
            UsageError: it cannot be read.
        """
        path = self.root / "attempt.json"
        try:
            return Attempt.model_validate(parse_line(path.read_bytes()))
        except (OSError, ValueError, ValidationError) as error:
            raise UsageError(f"{path} cannot be read: {_short(error)}") from error

    def scores(self) -> tuple[ScoreLine, ...]:
        """Returns the score log.

        Raises:
            LogForged: a line was changed, cut or added.
        """
        return self._sound("scores", self.score_log())

    def hidden(self) -> tuple[HiddenLine, ...]:
        """Returns the sealed scores.

        Raises:
            LogForged: a line was changed, cut or added.
        """
        return self._sound("hidden", self.hidden_log())

    def score_log(self) -> chain.Log[ScoreLine]:
        """Returns the score log as it was written, with what is wrong with it."""
        return chain.read(self._bytes("scores"), ScoreLine)

    def hidden_log(self) -> chain.Log[HiddenLine]:
        """Returns the hidden log as it was written, with what is wrong with it."""
        return chain.read(self._bytes("hidden"), HiddenLine)

    def head(self, log: LogName) -> Head | None:
        """Returns the signed head of a log, or None when there is none that can be read."""
        try:
            return Head.model_validate(parse_line(self._head_path(log).read_bytes()))
        except (OSError, ValueError, ValidationError):
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

    def resolve(self) -> None:
        """Brings both logs back to what a head covers, after a crash.

        Raises:
            LogForged: a log was changed by somebody else.
        """
        self._resolve("scores", self.score_log())
        self._resolve("hidden", self.hidden_log())

    def rolled(self, commits: tuple[str, ...]) -> str:
        """Returns the binding of a series of snapshots: start first, then one per score line."""
        value = chain.ZERO
        for commit in commits:
            value = self._rolled(value, commit)
        return value

    def _append(self, log: LogName, model: type[L], fields: Mapping[str, object]) -> L:
        self.resolve()
        lines: tuple[L, ...] = self._lines(log, model)
        line = chain.make(model, lines, fields)
        before = self.head(log)
        assert before is not None, "`resolve` refuses a log without a head"
        append_durably(self._log(log), chain.encode(line))
        journal.record(self.attempt().run_id, log, line.index, line.hash)
        self._write_head(log, chain.head([*lines, line], self._next_binding(log, before, line)))
        return line

    def _resolve(self, log: LogName, found: chain.Log[L]) -> None:
        head = self.head(log)
        if found.problems or head is None or not chain.signed(head):
            reason = "; ".join(found.problems) or "its head is missing or not signed"
            raise LogForged(f"{self._log(log)} was changed: {reason}.")
        if head.public_key != keys.public_hex(keys.signing_key()):
            raise LogForged(f"{self.root} was signed by another host.")
        extra = found.lines[head.index + 1 :]
        if not extra and not found.torn:
            return
        last = extra[0] if len(extra) == 1 else None
        run_id = self.attempt().run_id
        if last and not found.torn and journal.knows(run_id, log, last.index, last.hash):
            binding = self._next_binding(log, head, last)
            self._write_head(log, chain.head(found.lines, binding))
            return
        rest = b"".join(map(chain.encode, extra)) + found.torn
        append_durably(self.root / f"{log}.unsealed.jsonl", rest)
        kept = b"".join(map(chain.encode, found.lines[: head.index + 1]))
        write_atomic(self._log(log), kept)

    def _next_binding(
        self, log: LogName, before: Head, line: ScoreLine | HiddenLine
    ) -> dict[str, str]:
        other = self.head("hidden" if log == "scores" else "scores")
        rolled = (other if log == "hidden" and other else before).binding["manifests_sha256"]
        if log == "scores":
            rolled = self._rolled(rolled, line.commit)
        return self._binding(other.hash if other else chain.ZERO, rolled)

    def _binding(self, other: str, rolled: str) -> dict[str, str]:
        return {
            "attempt_sha256": sha256_bytes((self.root / "attempt.json").read_bytes()),
            "other_hash": other,
            "manifests_sha256": rolled,
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

    def _lines(self, log: LogName, model: type[L]) -> tuple[L, ...]:
        return self._sound(log, chain.read(self._bytes(log), model))

    def _sound(self, log: LogName, found: chain.Log[L]) -> tuple[L, ...]:
        if found.problems:
            raise LogForged(f"{self._log(log)} was changed: {'; '.join(found.problems)}.")
        head = self.head(log)
        return found.lines[: head.index + 1] if head else found.lines

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


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        item = error.errors()[0]
        return f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
    return str(error)
