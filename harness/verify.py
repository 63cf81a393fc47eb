"""Whether an attempt's signed logs are intact, and on whose word."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness import journal, keys, snapshot
from harness.attempt import LOGS, AttemptFolder, Checked
from harness.errors import HarnessError, LogForged, UsageError, unusable
from harness.files import sha256_file, tree_sha256
from harness.journal import LogName
from harness.models import Attempt, Entry

Trust = Literal["pinned", "own", "known", "unknown", ""]
_SHOWN = 500
"""Characters of one problem; a line of a forged log can be as long as the log."""
_PUBLIC_KEY = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Verification:
    """What was found; `intact` with gaps is not the same as vouched for."""

    status: Literal["intact", "forged", "unreadable"]
    signer: str = ""
    """Public key, hexadecimal."""
    trust: Trust = ""
    """Why that key is believed: given by the caller, this host's own, listed, or not at all.

    A key is this host's own, too, when the journal says that the attempt began with it here.
    """
    problems: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    unsealed: tuple[str, ...] = ()
    transcript: Literal["none", "signed", "unsigned", "changed"] = "none"
    """`trajectory.jsonl`; one that is not as it was signed is a forgery, and no evidence.

    The status is about the logs alone: whoever changes a transcript, the scores are what they were.
    """


def verify(root: Path, pinned: str | None = None) -> Verification:
    """Checks chains, heads, what the heads bind, the snapshots and this host's journal.

    Args:
        root: an attempt folder.
        pinned: the public key that it must be signed with.
    """
    try:
        return _Verifier(AttemptFolder.open(root), _key(pinned)).run()
    except UsageError as error:
        return Verification("unreadable", problems=(error.diagnostics(),))
    except OSError as error:
        return Verification("unreadable", problems=(unusable(error).diagnostics(),))


def _key(pinned: str | None) -> str | None:
    """A slip of the caller is neither a forgery nor a wish for any key at all."""
    if pinned is None:
        return None
    key = pinned.strip().lower()
    if not _PUBLIC_KEY.fullmatch(key):
        raise UsageError(
            f"{pinned!r} is not a public key.", hint="Give 64 hexadecimal digits, or none."
        )
    return key


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
        checked = {log: self._folder.check(log) for log in LOGS}
        for log, found in checked.items():
            self._log(log, found)
        if not self._problems:
            self._snapshots(checked["scores"])
            self._instance()
        return Verification(
            "forged" if self._problems else "intact",
            signer if _PUBLIC_KEY.fullmatch(signer) else "",
            trust, _shown(self._problems), _shown(self._gaps), _shown(self._unsealed),
            self._folder.transcript(),
        )  # fmt: skip

    def _trust(self, signer: str) -> Trust:
        if self._pinned is not None:
            if signer == self._pinned:
                return "pinned"
            self._problems.append("it is signed with another key than the one given")
            return ""
        if signer == keys.public_hex(keys.signing_key()) or self._began():
            return "own"
        if signer in keys.known():
            return "known"
        self._gaps.append("the signer is unknown: anybody could have made and signed this folder")
        return "unknown"

    def _began(self) -> bool:
        """Whether this host began the attempt, with a key that it may have lost since."""
        identity = self._folder.identity()
        return journal.knows(self._attempt.run_id, "scores", journal.GENESIS, identity)

    def _log(self, log: LogName, found: Checked) -> None:
        self._problems += [f"{log}.jsonl: {problem}" for problem in found.problems]
        self._unsealed += [f"{log}.jsonl: {line}" for line in found.unsealed]
        if not found.problems and not found.noted:
            self._gaps.append(
                f"rollback of {log}.jsonl is not excluded: its end is not in this host's journal"
            )

    def _instance(self) -> None:
        """Compares what scores are measured against with what the attempt was made with."""
        for name, made in self._attempt.instance_sha256.items():
            place = self._folder.root / name
            if place.is_symlink() or not place.is_dir():
                self._gaps.append(f"{name}/ is not here, so nothing can be measured again")
            elif tree_sha256(place) != made:
                self._problems.append(f"{name}/ is not as it was made")

    def _snapshots(self, scores: Checked) -> None:
        """Recomputes from the stored snapshots what the head binds, and reads all they hold."""
        head = scores.head
        assert head is not None, "a log without a head has a problem"
        sealed = scores.lines[: head.index + 1]
        commits = (self._attempt.start_commit, *(line.commit for line in sealed))
        if not (self._folder.history / "objects").is_dir():
            self._problems.append("history.git is missing")
            return
        try:
            if self._folder.rolled(commits) != head.binding.get("manifests_sha256"):
                self._problems.append("the snapshots are not those that were signed")
                return
            large: dict[tuple[str, int], Entry] = {}
            for commit in dict.fromkeys(commits):
                for _ in snapshot.read(self._folder, commit):
                    pass  # it holds every small file against the manifest
                found = snapshot.manifest(self._folder, commit).entries
                large |= {
                    (at.sha256, at.size): at for at in found if at.size > snapshot.LARGE_BYTES
                }
            lost = (entry.path for entry in large.values() if not self._keeps(entry))
            self._problems += [f"objects/ has lost {path}" for path in lost]
        except LogForged as error:
            self._problems.append(str(error))
        except HarnessError as error:
            self._gaps.append(f"the snapshots could not be read: {error}")

    def _keeps(self, entry: Entry) -> bool:
        """Whether a large file is stored; what has its size is read, and no more than that."""
        path = self._folder.objects / entry.sha256
        if path.is_symlink() or not path.is_file() or path.stat().st_size != entry.size:
            return False
        return sha256_file(path) == entry.sha256


def _shown(texts: list[str]) -> tuple[str, ...]:
    """They may cite names that the attempt chose, and those must not drive a terminal."""
    return tuple(
        "".join(sign if sign.isprintable() else "?" for sign in text[:_SHOWN]) for text in texts
    )
