"""Whether an attempt's signed logs are intact, and on whose word."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness import chain, journal, keys, snapshot
from harness.attempt import AttemptFolder
from harness.errors import HarnessError, LogForged, UsageError
from harness.files import sha256_file
from harness.journal import LogName
from harness.models import Attempt, Head, HiddenLine, ScoreLine

Trust = Literal["pinned", "own", "known", "unknown", ""]


@dataclass(frozen=True)
class Verification:
    """What was found; `intact` with gaps is not the same as vouched for."""

    status: Literal["intact", "forged", "unreadable"]
    signer: str = ""
    """Public key, hexadecimal."""
    trust: Trust = ""
    """Why that key is believed: given by the caller, this host's own, listed, or not at all."""
    problems: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    unsealed: tuple[str, ...] = ()


def verify(root: Path, pinned: str | None = None) -> Verification:
    """Checks chains, heads, what the heads bind, and this host's journal.

    Args:
        root: an attempt folder.
        pinned: the public key that it must be signed with.
    """
    try:
        folder = AttemptFolder.open(root)
        return _Verifier(folder, pinned.lower() if pinned else None).run()
    except UsageError as error:
        return Verification("unreadable", problems=(error.diagnostics(),))


class _Verifier:
    def __init__(self, folder: AttemptFolder, pinned: str | None) -> None:
        self._folder, self._pinned = folder, pinned
        self._attempt: Attempt = folder.attempt()
        self._problems: list[str] = []
        self._gaps: list[str] = []
        self._unsealed: list[str] = []

    def run(self) -> Verification:
        signer = self._attempt.public_key
        trust = self._trust(signer)
        scores, hidden = self._folder.score_log(), self._folder.hidden_log()
        self._log("scores", scores, hidden)
        self._log("hidden", hidden, scores)
        self._snapshots(scores.lines)
        return Verification(
            "forged" if self._problems else "intact", signer, trust,
            tuple(self._problems), tuple(self._gaps), tuple(self._unsealed),
        )  # fmt: skip

    def _trust(self, signer: str) -> Trust:
        own = keys.public_hex(keys.signing_key())
        ours = bool(journal.history(self._attempt.run_id, "scores"))
        if self._pinned and signer != self._pinned:
            self._problems.append("it is signed with another key than the one given")
        elif ours and signer != own:
            self._problems.append("this host made the attempt, but another key has signed it")
        if self._pinned:
            return "pinned"
        if signer == own:
            return "own"
        if signer in keys.known():
            return "known"
        self._gaps.append("the signer is unknown: anybody could have made and signed this folder")
        return "unknown"

    def _log(
        self,
        name: LogName,
        found: "chain.Log[ScoreLine] | chain.Log[HiddenLine]",
        other: "chain.Log[ScoreLine] | chain.Log[HiddenLine]",
    ) -> None:
        self._problems += [f"{name}.jsonl: {problem}" for problem in found.problems]
        head = self._folder.head(name)
        if head is None:
            self._problems.append(f"{name}.head.json is missing or cannot be read")
            return
        if not chain.signed(head) or head.public_key != self._attempt.public_key:
            self._problems.append(f"{name}.head.json is not signed with the attempt's key")
        self._covers(name, head, found.lines)
        if found.torn:
            self._unsealed.append(f"{name}.jsonl ends in a line that was not finished")
        binding = head.binding
        if binding.get("attempt_sha256") != self._attempt_sha256():
            self._problems.append("attempt.json is not the one that was signed")
        if binding.get("other_hash") not in other.hashes:
            self._problems.append(f"{name}.head.json names a line that the other log has lost")
        self._rollback(name, head)

    def _covers(
        self, name: LogName, head: Head, lines: "tuple[ScoreLine, ...] | tuple[HiddenLine, ...]"
    ) -> None:
        extra = len(lines) - 1 - head.index
        if extra < 0:
            self._problems.append(f"{name}.jsonl was cut: the head knows {head.index + 1} lines")
        elif (lines[head.index].hash if head.index >= 0 else chain.ZERO) != head.hash:
            self._problems.append(f"{name}.jsonl is not the log that was signed")
        elif extra == 1:
            self._unsealed.append(f"{name}.jsonl: line {head.index + 1} was never sealed")
        elif extra > 1:
            self._problems.append(f"{name}.jsonl has {extra} lines that were never signed")

    def _rollback(self, name: LogName, head: Head) -> None:
        seen = journal.history(self._attempt.run_id, name)
        if not seen:
            self._gaps.append(f"rollback of {name}.jsonl is not excluded: not this host's journal")
            return
        last = seen[-1]
        if last.index > head.index + 1 or (last.index == head.index and last.hash != head.hash):
            self._problems.append(
                f"{name}.jsonl was rolled back: this host sealed line {last.index}, "
                f"the head ends at {head.index}"
            )
        elif last.index == head.index + 1 and not self._unsealed:
            self._problems.append(f"{name}.jsonl has lost line {last.index}, which was written")

    def _snapshots(self, lines: tuple[ScoreLine, ...]) -> None:
        """Recomputes from the stored snapshots what the head binds."""
        head = self._folder.head("scores")
        if head is None or self._problems:
            return
        commits = (self._attempt.start_commit, *(line.commit for line in lines[: head.index + 1]))
        try:
            rolled = self._folder.rolled(commits)
            if rolled != head.binding.get("manifests_sha256"):
                self._problems.append("the snapshots are not those that were signed")
            for commit in dict.fromkeys(commits):
                self._objects(commit)
        except LogForged as error:
            self._problems.append(str(error))
        except HarnessError as error:
            self._gaps.append(f"the snapshots could not be read: {error}")

    def _objects(self, commit: str) -> None:
        for entry in snapshot.manifest(self._folder, commit).entries:
            if entry.type == "file" and entry.size > snapshot.LARGE_BYTES:
                path = self._folder.objects / entry.sha256
                if not path.is_file() or path.stat().st_size != entry.size:
                    self._problems.append(f"objects/ has lost {entry.path}")

    def _attempt_sha256(self) -> str:
        return sha256_file(self._folder.root / "attempt.json")
