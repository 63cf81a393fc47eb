"""Traces of work: code beside the transcript that should show it, artefacts beside their code."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import JsonValue

from auditor.code.source import ChangedSource
from auditor.evidence.book import Book
from auditor.evidence.printed import series
from auditor.models import How
from harness import snapshot
from harness.attempt import AttemptFolder
from harness.models import EnvironmentFacts, ScoreLine, matches
from harness.trajectory import Event, EventKind, Trajectory

LINE = 12
"""Characters of a line that is looked for in a transcript; shorter ones stand in any."""
TEXT = 64 << 20
"""Characters of a transcript that are looked through."""
ARTEFACT_BYTES = 16 << 10
"""Size from which on a file that is no text counts as an artefact."""
LOGS = ("log", "txt", "out", "jsonl")
FIGURES = 4
"""Figures of one name that make a log."""
ARTEFACTS = 50
"""Artefacts noted per entry beside the outputs."""
DATA = frozenset({"prose", "json", "yaml", "toml"})


def transcript(
    book: Book,
    trajectory: Trajectory | None,
    sources: Mapping[int, Sequence[ChangedSource]],
) -> None:
    """Notes how many of the new lines of each code file stand anywhere in the transcript."""
    if trajectory is None:
        return
    known, whole = _lines(trajectory)
    actions = [event for event in trajectory.events if event.kind is EventKind.ACTION]
    seen = set[tuple[str, str]]()
    for entry, changed in sources.items():
        for source in changed:
            if source.language in DATA or (source.path, source.text) in seen:
                continue
            seen.add((source.path, source.text))
            lines = _new(source)
            if lines:
                book.add(
                    "code_in_transcript",
                    {
                        "path": source.path, "lines": len(lines), "seen": len(lines & known),
                        "reachable": source.reachable, "first_entry": entry,
                    },
                    stage="history",
                    how=How.CLAIMED,
                )  # fmt: skip
    book.add(
        "transcript_compared",
        {
            "actions": len(actions),
            "characters": sum(len(event.text) for event in actions),
            "whole": whole and not trajectory.problems,
        },
        stage="history",
        how=How.CLAIMED,
    )


def artefacts(
    book: Book,
    folder: AttemptFolder,
    facts: EnvironmentFacts,
    lines: Sequence[ScoreLine],
    sources: Mapping[int, Sequence[ChangedSource]],
) -> None:
    """Notes for each entry's artefacts which entry first held them, and which first held code."""
    start = folder.attempt().start_commit
    given = {entry.sha256 for entry in snapshot.manifest(folder, start).entries}
    first: dict[str, int] = {}
    coded: int | None = None
    for line in lines:
        code = sorted(
            item.path
            for item in sources.get(line.index, ())
            if item.changed and item.language not in DATA
        )
        coded = line.index if coded is None and code else coded
        texts = {item.path for item in sources.get(line.index, ())}
        noted = 0
        for entry in snapshot.manifest(folder, line.commit).entries:
            output = matches(entry.path, facts.workspace.outputs)
            binary = entry.size >= ARTEFACT_BYTES and entry.path not in texts
            if entry.type != "file" or entry.sha256 in given or not (output or binary):
                continue
            if not facts.workspace.allows(entry.path) and not output:
                continue
            since = first.setdefault(entry.sha256, line.index)
            noted += 1
            if noted > ARTEFACTS and not output:
                continue
            book.add(
                "artefact_dated",
                {
                    "path": entry.path, "sha256": entry.sha256, "first_entry": since,
                    "code_since": coded, "code": list[JsonValue](code[:20]), "output": output,
                },
                stage="history",
                entry=line.index,
            )  # fmt: skip
        book.add(
            "artefacts_dated", {"commit": line.commit}, stage="history", entry=line.index
        )  # fmt: skip


def logs(book: Book, sources: Mapping[int, Sequence[ChangedSource]]) -> None:
    """Notes the figures of the logs that an attempt has left in its workspace."""
    for entry, changed in sources.items():
        for source in changed:
            if source.changed and source.path.rpartition(".")[2] in LOGS:
                found = series(source.text.split("\n"))
                if any(len(values) >= FIGURES for values in found.values()):
                    told: dict[str, JsonValue] = {
                        name: list[JsonValue](values) for name, values in found.items()
                    }
                    book.add(
                        "log_claimed", {"path": source.path, "series": told},
                        stage="history", entry=entry, how=How.CLAIMED,
                    )  # fmt: skip


def _lines(trajectory: Trajectory) -> tuple[set[str], bool]:
    """The lines of a transcript, and whether all of it was looked through."""
    found, room = set[str](), TEXT
    for event in trajectory.events:
        for text in _texts(event):
            room -= len(text)
            if room < 0:
                return found, False
            found.update(line.strip() for line in text.split("\n"))
    return found, True


def _texts(event: Event) -> Iterator[str]:
    yield event.text
    yield event.output
    yield from _strings(event.data.values())


def _strings(values: Iterable[JsonValue]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _strings(value.values())
        elif isinstance(value, list):
            yield from _strings(value)


def _new(source: ChangedSource) -> set[str]:
    lines = source.text.split("\n")
    new = (lines[number - 1].strip() for number in source.changed)
    return {line for line in new if len(line) >= LINE}
