"""What the agent's own repositories say, held against what was sealed while they were made.

A repository is the agent's claim, down to its dates. A sealed snapshot holds all of it as it was
then: a commit that claims to be older than a snapshot without it was not there when it says so.
"""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from auditor import tree
from auditor.code.source import decoded
from auditor.evidence.book import Book
from auditor.evidence.code import LIMIT_BYTES
from auditor.history import sources
from auditor.history.copying import Copied, Item
from auditor.history.lines import line_hashes
from auditor.history.repository import Commit, Question, Repository, git_name, read
from auditor.models import How
from auditor.tree import Tree
from harness import snapshot
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.models import ScoreLine

STATES = 12
"""States of one repository that are read; between the first and the last, evenly spaced ones."""
REPOSITORIES = 8
READ_S = 240.0
"""Time for all repositories of one attempt; a reading that has begun may take a minute more."""
SLACK_S = 300
"""How far the clocks of agent and harness may be apart, and how long a snapshot takes."""
NAMED = 100
"""Facts of one kind about one repository."""
SMALLEST = 64
"""Bytes of a withheld file; smaller ones may be had by chance."""
LARGEST = 64 << 20
"""Bytes of a withheld file that is hashed: git keeps few larger ones."""
FETCHED = ("fetch", "pull", "clone", "am", "initial pull")


@dataclass(frozen=True)
class _State:
    """A repository as it was when something was sealed, or as it is now."""

    entry: int | None
    """Index of the score entry; None for the start, and for the workspace as it is now."""
    at: float | None
    """When it was sealed, in seconds since 1970; None for the workspace as it is now."""
    repository: Repository | None
    """None where there was no repository yet."""

    @property
    def names(self) -> frozenset[str] | None:
        """Names of all objects; None where not everything is known."""
        if self.repository is None:
            return frozenset()
        held = self.repository.held
        if held is None or not held.whole or held.unreadable or self.repository.copied.left:
            return None
        return held.names


@dataclass
class _Withheld:
    """What the agent was not given."""

    whole: dict[str, str] = field(default_factory=dict)
    lines: dict[str, frozenset[str]] = field(default_factory=dict)


def collect(
    book: Book, folder: AttemptFolder, environment: Environment, lines: Sequence[ScoreLine]
) -> None:
    """Notes what the repositories of an attempt hold, and where they contradict its snapshots."""
    found = _places(folder, lines)
    book.add("repositories_sought", {"found": len(found)}, stage="history")
    if not found:
        return
    attempt = folder.attempt()
    how = How.OBSERVED if attempt.imported is None else How.CLAIMED
    question = _question(folder, environment, lines)
    reader = _Reader(question)
    for place in found[:REPOSITORIES]:
        states = list(_states(folder, place, lines, reader))
        shown = tree.shown(snapshot.unescape(place))
        for state in states:
            if state.repository is not None:
                _note(book, shown, state)
        started = attempt.start.timestamp()
        _note_misdated(book, shown, states, started, how)
        _note_replaced(book, shown, states)
        _note_matches(book, shown, states)


def collect_plain(
    book: Book, root: Path, found: Tree, environment: Environment | None
) -> list[str]:
    """Notes what the repositories of a plain folder hold; returns those that were not read."""
    places = [*found.repositories, *_bare(found)]
    book.add("repositories_sought", {"found": len(places)}, stage="history")
    unread = places[REPOSITORIES:]
    withheld = _Withheld()
    if environment is not None and places:
        _withhold_tree(withheld, environment.root / "reference", "reference", _Given())
    reader = _Reader(Question(withheld.whole, withheld.lines))
    for place in places[:REPOSITORIES]:
        path = root if place == "." else root / place
        if not _is_repository(path):
            unread.append(place)
            continue
        state = _State(None, None, reader.read(sources.of_folder(path)))
        _note(book, place, state)
        _note_matches(book, place, [state])
        if state.names is None:
            unread.append(place)
    return unread


class _Reader:
    """Reads one repository after another until the time for all of them is spent."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._until = time.monotonic() + READ_S

    def read(self, items: Iterable[Item]) -> Repository:
        """Returns what a repository holds, or that there was no time for it."""
        if time.monotonic() > self._until:
            return Repository(Copied(), None, "no time was left for it")
        return read(items, self._question)


@dataclass
class _Given:
    """What an agent was given: hashes of files, and of the lines of texts."""

    files: set[str] = field(default_factory=set)
    lines: set[str] = field(default_factory=set)


def _places(folder: AttemptFolder, lines: Sequence[ScoreLine]) -> list[str]:
    """Every place that held a repository when something was sealed."""
    found = dict[str, None]()
    for line in lines:
        found |= dict.fromkeys(sources.repositories(folder, line.commit))
    return sorted(found)


def _question(
    folder: AttemptFolder, environment: Environment, lines: Sequence[ScoreLine]
) -> Question:
    start = folder.attempt().start_commit
    entries = snapshot.manifest(folder, start).entries
    given = _Given({entry.sha256 for entry in entries if entry.type == "file"})
    for _, content in snapshot.read(folder, start):
        if decoded(content) is not None:
            given.lines |= line_hashes(content)
    withheld = _Withheld()
    for root in (folder.protected, folder.private):
        _withhold_tree(withheld, root, root.name, given)
    _withhold_tree(withheld, environment.root / "reference", "reference", given)
    return Question(withheld.whole, withheld.lines, _own(folder, lines, given.files))


def _withhold_tree(withheld: _Withheld, root: Path, name: str, given: _Given) -> None:
    """Adds the files of a folder of ours, but for what was given as well."""
    if not root.is_dir():
        return
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        size = path.stat().st_size
        if not SMALLEST <= size <= LARGEST or "__pycache__" in path.parts:
            continue
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() in given.files:
            continue
        shown = f"{name}/{path.relative_to(root)}"
        withheld.whole[git_name(content)] = shown
        if size <= LIMIT_BYTES and decoded(content) is not None:
            lines = line_hashes(content) - given.lines
            if lines:
                withheld.lines[shown] = frozenset(lines)


def _own(folder: AttemptFolder, lines: Sequence[ScoreLine], given: set[str]) -> dict[str, str]:
    """The attempt's own work: every file of a snapshot that was not given, by its git name."""
    own, seen = dict[str, str](), set(given)
    for line in lines:
        wanted = {
            entry.path
            for entry in snapshot.manifest(folder, line.commit).entries
            if entry.type == "file" and entry.sha256 not in seen and entry.size >= SMALLEST
            if b".git" not in snapshot.unescape(entry.path).split(b"/")
        }
        for entry, content in snapshot.read(folder, line.commit, wanted):
            seen.add(entry.sha256)
            own[git_name(content)] = tree.shown(snapshot.unescape(entry.path))
    return own


def _states(
    folder: AttemptFolder, place: str, lines: Sequence[ScoreLine], reader: "_Reader"
) -> Iterator[_State]:
    """Yields the states of a repository that differ, oldest first, and how it is now."""
    attempt = folder.attempt()
    sealed: list[tuple[int | None, float, str]] = [
        (None, attempt.start.timestamp(), attempt.start_commit),
        *((line.index, line.scored_at.timestamp(), line.commit) for line in lines),
    ]
    known: dict[tuple[str, ...], Repository] = {}
    chosen = [item for item in sealed if place in sources.repositories(folder, item[2])]
    kept = {item[2] for item in _spread(chosen)}
    for entry, at, commit in sealed:
        if commit not in kept:
            if all(commit != item[2] for item in chosen):
                yield _State(entry, at, None)
            continue
        content = tuple(
            f"{item.path}\0{item.sha256}" for item in sources.within(folder, commit, place)
        )
        if content not in known:
            known[content] = reader.read(sources.of_snapshot(folder, commit, place))
        yield _State(entry, at, known[content])
    now = folder.workspace / os.fsdecode(snapshot.unescape(place))
    if _is_repository(now) and _has_changed(folder, sealed[-1][2], place, now):
        yield _State(None, None, reader.read(sources.of_folder(now)))


def _has_changed(folder: AttemptFolder, commit: str, place: str, now: Path) -> bool:
    """Whether a repository has other files now than when it was sealed, by name and size."""
    entries = sources.within(folder, commit, place)
    sealed = {
        (os.fsdecode(snapshot.unescape(item.path[len(place) + 1 :])), item.size)
        for item in entries
        if item.type == "file"
    }
    return {(item.path, item.size) for item in sources.of_folder(now)} != sealed


def _spread(
    states: Sequence[tuple[int | None, float, str]],
) -> list[tuple[int | None, float, str]]:
    if len(states) <= STATES:
        return list(states)
    step = (len(states) - 1) / (STATES - 1)
    return [states[round(number * step)] for number in range(STATES)]


def _is_repository(path: Path) -> bool:
    """Whether a folder, not by way of a link, holds what a repository consists of."""
    parts = (path, path / "objects", path / "refs")
    return all(part.is_dir() and not part.is_symlink() for part in parts)


def _bare(found: Tree) -> Iterator[str]:
    """Folders that are repositories by what they hold."""
    folders = {entry.path for entry in found.entries.values() if entry.type == "folder"}
    for path in found.entries:
        above, _, name = path.rpartition("/")
        if name == "HEAD" and {_below(above, "objects"), _below(above, "refs")} <= folders:
            yield above or "."


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _note(book: Book, place: str, state: _State) -> None:
    assert state.repository is not None, "only what was there is noted"
    copied, held = state.repository.copied, state.repository.held
    data: dict[str, JsonValue] = {
        "path": place,
        "reason": state.repository.reason,
        "starts": list[JsonValue](copied.starts),
        "not_copied": list[JsonValue](copied.left[:NAMED]),
        "remote": copied.remote,
        "sealed_at": None if state.at is None else _clock(state.at),
    }
    if held is not None:
        data |= {
            "objects": dict[str, JsonValue](held.objects),
            "unreachable": dict[str, JsonValue](held.unreachable),
            "unreadable": held.unreadable,
            "large": held.large,
            "commits": len(held.commits),
            "whole": held.whole,
        }
    book.add("repository_read", {"entry": state.entry, **data}, stage="history")


def _note_misdated(
    book: Book, place: str, states: Sequence[_State], started: float, how: How
) -> None:
    """Notes commits whose dates cannot be: each once, by the plainest contradiction.

    One that says the same as an earlier one, and of the same time, was rewritten with its date.
    """
    noted = 0
    known = set(states[0].names or ()) if states and states[0].entry is None else set[str]()
    twins = set[tuple[int, str]]()
    for number, state in enumerate(states):
        if state.repository is None or state.repository.held is None:
            continue
        fetched = _fetched(state.repository)
        before = frozenset(twins)
        twins |= {(item.authored, item.subject) for item in state.repository.held.commits}
        for commit in state.repository.held.commits:
            if commit.name in known:
                continue
            known.add(commit.name)
            fact = None
            if not fetched:
                fact = _contradiction(commit, state, states[:number], started)
            if fact is not None and noted < NAMED:
                noted += 1
                if fact["why"] == "absent" and (commit.authored, commit.subject) in before:
                    fact["why"] = "rewritten"
                data: dict[str, JsonValue] = {
                    "path": place,
                    "name": commit.name,
                    "subject": commit.subject.partition("\n")[0][:100],
                    "claimed": _clock(commit.committed),
                    "holds": list[JsonValue](commit.holds),
                    "first_seen": state.entry,
                    **fact,
                }
                book.add("commit_misdated", data, stage="history", how=how)


def _contradiction(
    commit: Commit, state: _State, before: Sequence[_State], started: float
) -> dict[str, JsonValue] | None:
    sealed = state.at if state.at is not None else time.time()
    if commit.committed > sealed + SLACK_S:
        return {"why": "future", "sealed_at": _clock(sealed)}
    if commit.committed + SLACK_S < started and commit.holds:
        return {"why": "before_start", "sealed_at": _clock(started)}
    for earlier in reversed(before):
        if earlier.at is None or earlier.names is None or commit.name in earlier.names:
            continue
        was_there = earlier.repository is not None
        if commit.committed + SLACK_S < earlier.at and (was_there or commit.holds):
            return {
                "why": "absent", "absent_at": earlier.entry, "sealed_at": _clock(earlier.at),
            }  # fmt: skip
    return None


def _fetched(repository: Repository) -> bool:
    """Whether commits may have come from another repository, whose dates are its own."""
    held = repository.held
    moves: Iterable[str] = () if held is None else (move.message for move in held.reflog)
    return repository.copied.remote or any(message.startswith(FETCHED) for message in moves)


def _note_replaced(book: Book, place: str, states: Sequence[_State]) -> None:
    """Notes commits that were part of the history once and are not any more."""
    seen: dict[str, tuple[Commit, int | None]] = {}
    last: Mapping[str, Commit] = {}
    for state in states:
        held = state.repository.held if state.repository else None
        if held is None:
            continue
        last = {commit.name: commit for commit in held.commits if commit.reachable}
        for name, commit in last.items():
            seen.setdefault(name, (commit, state.entry))
    gone = [item for name, item in seen.items() if name not in last]
    if gone:
        book.add(
            "history_replaced",
            {
                "path": place,
                "commits": len(gone),
                "first": [
                    {"name": commit.name, "seen_at": entry, "claimed": _clock(commit.committed)}
                    for commit, entry in gone[:20]
                ],
            },
            stage="history",
        )


def _note_matches(book: Book, place: str, states: Sequence[_State]) -> None:
    """Notes objects that hold what the agent was not given, each as it was first seen."""
    seen = set[tuple[str, str]]()
    given = states[0] if states and states[0].entry is None and states[0].at is not None else None
    known = given.names if given and given.names else frozenset[str]()
    for state in states:
        held = state.repository.held if state.repository else None
        for match in held.matches if held else ():
            key = (match.name, match.path)
            if key in seen or match.name in known or len(seen) >= NAMED:
                continue
            seen.add(key)
            data = match.model_dump(mode="json", exclude={"path"})
            book.add(
                "withheld_in_history",
                {**data, "path": place, "file": match.path, "first_seen": state.entry},
                stage="history",
            )


def _clock(seconds: float) -> str:
    """Returns a time in UTC; what no calendar holds is said as a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s since 1970"
