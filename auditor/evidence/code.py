"""What was done to the code of a snapshot, and what is hidden."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from pydantic import JsonValue

from auditor.code import diff, others
from auditor.code.program import Entry, entries, program_of
from auditor.code.source import ChangedSource, decoded
from auditor.evidence.book import Book
from auditor.evidence.reach import language, reachable
from auditor.models import How
from harness import snapshot
from harness.attempt import AttemptFolder
from harness.models import EnvironmentFacts, WorkspaceFacts

LIMIT_BYTES = 1 << 20
"""A text file above this is data: no rule parses it, and it is noted as such."""
MOST_EDITS = 200
"""Edits noted per file; what is beyond is counted."""
MOST_HIDDEN = 500
Texts = tuple[tuple[str, str], ...]
"""Files by path, in order."""


def collect(
    book: Book,
    folder: AttemptFolder,
    facts: EnvironmentFacts,
    entry: int | None,
    commit: str,
    previous: str | None = None,
) -> tuple[ChangedSource, ...]:
    """Notes every text file that is not as it was given, and returns what the code rules read.

    Args:
        book: takes the facts.
        folder: the attempt.
        facts: the environment's.
        entry: index of the score entry; None for an attempt without any.
        commit: its snapshot.
        previous: the snapshot of the entry before; None for the first.
    """
    now = texts_of(folder, commit)
    before = texts_of(folder, folder.attempt().start_commit)
    sources = compare(book, now, before, facts, entry, commit)
    note_hidden(book, hidden(sources, entries(facts)), entry, commit)
    if previous is not None:
        note_edits(book, now, texts_of(folder, previous), "previous", entry, commit)
    return sources


def compare(
    book: Book,
    now: Mapping[str, str],
    before: Mapping[str, str],
    facts: EnvironmentFacts,
    entry: int | None,
    commit: str,
) -> tuple[ChangedSource, ...]:
    """Notes every text that differs from the one before, by path.

    Returns:
        The texts that differ, and the code that runs beside them: data passes through both.
    """
    sources = _sources(tuple(sorted(now.items())), tuple(sorted(before.items())), facts.workspace)
    for source in sources:
        if source.text != source.start_text:
            _note(book, source, entry, commit)
    note_edits(book, now, before, "start", entry, commit)
    return sources


@lru_cache(maxsize=2)  # many entries of an attempt have the same code
def _sources(now: Texts, before: Texts, workspace: WorkspaceFacts) -> tuple[ChangedSource, ...]:
    """Returns the texts that differ, and the code that runs beside them."""
    texts, start = dict(now), dict(before)
    reached = reachable(texts, workspace)
    kinds = {path: language(path, text) for path, text in now}
    return tuple(
        ChangedSource(
            path=path,
            text=text,
            start_text=start.get(path),
            reachable=path in reached,
            language=kinds[path],
        )
        for path, text in now
        if text != start.get(path) or (path in reached and kinds[path] in ("python", "shell"))
    )


def _note(book: Book, source: ChangedSource, entry: int | None, commit: str) -> None:
    book.add(
        "source_changed",
        {
            "path": source.path,
            "lines": list[JsonValue](sorted(source.changed)),
            "commit": commit,
            "reachable": source.reachable,
            "language": source.language,
        },
        stage="code",
        entry=entry,
        how=How.INFERRED,
    )


def note_edits(
    book: Book,
    now: Mapping[str, str],
    before: Mapping[str, str],
    against: str,
    entry: int | None,
    commit: str,
) -> None:
    """Notes what was done to files that were there before: to functions, statements, options."""
    for path, text in sorted(now.items()):
        old = before.get(path)
        if old is None or old == text:
            continue
        changes, reason = _edits(path, old, text)
        book.add(
            "source_edited",
            {
                "path": path, "against": against, "commit": commit, "changes": changes[:MOST_EDITS],
                "total": len(changes), "reason": reason,
            },
            stage="code",
            entry=entry,
            how=How.INFERRED,
        )  # fmt: skip


def _edits(path: str, old: str, text: str) -> tuple[list[JsonValue], str]:
    if language(path, text) == "python":
        found = diff.compare(old, text)
        return [dict(change._asdict()) for change in found.changes], found.reason
    return [dict(change._asdict()) for change in others.option_changes(old, text, path)], ""


class Hidden(NamedTuple):
    """A call in changed lines of which nobody can tell by reading what it does."""

    path: str
    line: int
    what: str
    weight: int


def hidden(
    sources: Sequence[ChangedSource], enters: tuple[Entry, ...] | None
) -> tuple[Hidden, ...]:
    """Returns the calls that hide what they do.

    Args:
        sources: one program.
        enters: where scoring enters it; None where nobody knows.
    """
    changed = {source.path: source.changed for source in sources if source.language != "prose"}
    return tuple(
        Hidden(call.site.path, call.site.line, call.what, call.weight)
        for call in program_of(tuple(sources), enters).opaque[:MOST_HIDDEN]
        if call.site.line in changed.get(call.site.path, ())
    )


def note_hidden(book: Book, calls: Iterable[Hidden], entry: int | None, commit: str) -> None:
    """Notes the calls that hide what they do."""
    for call in calls:
        data: dict[str, JsonValue] = {**call._asdict(), "commit": commit}
        book.add("opaque_call", data, stage="code", entry=entry, how=How.INFERRED)


@lru_cache(maxsize=4)  # the start, an entry and the one before, for entry after entry
def texts_of(folder: AttemptFolder, commit: str) -> dict[str, str]:
    """Returns every file of a snapshot that is text and not too large, by path."""
    small = {
        item.path
        for item in snapshot.manifest(folder, commit).entries
        if item.type == "file" and item.size <= LIMIT_BYTES
    }
    texts = {item.path: decoded(text) for item, text in snapshot.read(folder, commit, small)}
    return {path: text for path, text in texts.items() if text is not None}
