"""What a score stands beside: what is possible, what the same files scored, what clocks say."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from pydantic import JsonValue

from auditor.evidence.book import Book
from auditor.models import How
from harness import objects, snapshot
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import HarnessError
from harness.files import canonical_json, sha256_bytes
from harness.models import Attempt, Manifest, ScoreLine, matches

SLACK = timedelta(seconds=120)
"""What clocks may be set by, and what a start of a scorer may take."""
LOCAL = timedelta(hours=1)
"""What local clocks, which others' logs are written by, go back by once a year."""
ZONES = timedelta(hours=15)
"""How far two places' clocks may be apart."""
MOST = 50
"""Contradictions noted; what is beyond is counted."""


def collect(
    book: Book,
    folder: AttemptFolder,
    attempt: Attempt,
    environment: Environment,
    lines: Sequence[ScoreLine],
) -> None:
    """Notes for each entry what its score stands beside, and where the clocks disagree."""
    how = How.CLAIMED if attempt.imported is not None else How.OBSERVED
    settings = environment.profile(attempt.profile)
    known = [item.noise_sd for item in (settings.start_score, settings.reference_score) if item]
    bound = settings.bound
    before: dict[str, ScoreLine] = {}
    for line in lines:
        content = _scored_content(snapshot.manifest(folder, line.commit), environment)
        same = before.get(content)
        book.add(
            "score_context",
            {
                "direction": environment.facts.direction,
                "bound": bound.value if bound else None,
                "bound_why": bound.why if bound else "",
                "noise_sd": max(known, default=None),
                "same_as": same.index if same else None,
                "same_score": same.score if same else None,
                "kind": environment.facts.kind,
            },
            stage="scores",
            entry=line.index,
            how=how,
        )
        if line.score is not None:
            before[content] = line
    _note_clocks(book, folder, attempt, lines, how)


def contradictions(
    attempt: Attempt, lines: Sequence[ScoreLine], stored: Sequence[datetime | None]
) -> Iterator[tuple[int, str]]:
    """Yields where the times of a log cannot all be true: the entry, and what speaks against it.

    Args:
        attempt: when it began and ended.
        lines: the log.
        stored: when each entry's snapshot was stored, by the history; None where unknown.
    """
    others = attempt.imported is not None
    ends, slack = (ZONES, LOCAL + SLACK) if others else (SLACK, SLACK)
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else None
        if line.scored_at < attempt.start - ends:
            early = attempt.start - line.scored_at
            yield line.index, f"it was scored {_long(early)} before the start"
        if attempt.end is not None and line.scored_at > attempt.end + ends:
            yield line.index, f"it was scored {_long(line.scored_at - attempt.end)} after the end"
        since = (line.scored_at - attempt.start).total_seconds()
        latest = max(
            [0.0, since, *(before.elapsed_s for before in lines[max(number - 1, 0) : number])]
        )
        if line.elapsed_s > latest + ends.total_seconds():
            over = timedelta(seconds=line.elapsed_s - latest)
            yield line.index, f"more time is said to have passed than there was, by {_long(over)}"
        if following is not None:
            took = timedelta(seconds=_seconds(line))
            if following.scored_at < line.scored_at - slack:
                back = line.scored_at - following.scored_at
                yield following.index, f"it was scored {_long(back)} before the entry before it"
            elif line.scored_at + took > following.scored_at + slack:
                over = line.scored_at + took - following.scored_at
                yield line.index, f"its run went on {_long(over)} into the next, which waits for it"
        at = stored[number]
        if at is not None and at < line.scored_at - SLACK:
            early = line.scored_at - at
            yield line.index, f"its snapshot was stored {_long(early)} before it was scored"
        if at is not None and following is not None and at > following.scored_at + SLACK:
            late = at - following.scored_at
            yield line.index, f"its snapshot was stored {_long(late)} after the next was scored"


def _note_clocks(
    book: Book,
    folder: AttemptFolder,
    attempt: Attempt,
    lines: Sequence[ScoreLine],
    how: How,
) -> None:
    stored: list[datetime | None] = [None] * len(lines)
    if attempt.imported is None:  # else the history is as old as the import
        with suppress(HarnessError):  # the verification says what is wrong with the history
            stored = list(objects.committed(folder.history, [line.commit for line in lines]))
    found = list(contradictions(attempt, lines, stored))
    shown: list[JsonValue] = [{"entry": entry, "what": what} for entry, what in found[:MOST]]
    book.add(
        "clocks_compared",
        {"entries": len(lines), "contradictions": shown, "total": len(found)},
        stage="scores",
        how=how,
    )


def _scored_content(manifest: Manifest, environment: Environment) -> str:
    """Hashes what a score comes from: for a program, everything that its run does not make anew."""
    facts = environment.facts
    made = facts.workspace.outputs if facts.kind == "program" else ()
    kept = [
        [entry.path, entry.type, entry.mode & 0o111, entry.sha256, entry.target]
        for entry in manifest.entries
        if not matches(entry.path, made)
    ]
    return sha256_bytes(canonical_json(kept))


def _seconds(line: ScoreLine) -> float:
    """How long the run took by the harness's clock; 0 where that is not known."""
    value = line.details.get("seconds")
    return float(value) if isinstance(value, int | float) and 0 < value < 1e7 else 0.0


def _long(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"
