"""The report for a pull request or an issue: the verdict, the gravest findings, what is missing."""

from collections.abc import Iterable, Iterator

from auditor.models import Finding, Verdict, VerdictName
from reports.plain import marked
from reports.words import (
    Deed,
    deeds,
    figure,
    gaps,
    headline,
    known,
    measured,
    numbers,
    places,
    said,
    scores,
)

FINDINGS, ROWS, PLACES = 10, 10, 3
"""Listed of each; the rest is counted."""
LONGEST = 60_000
"""Characters: a comment on GitHub may have 65,536."""


def render(verdict: Verdict) -> str:
    """Returns the report as Markdown; nothing from the attempt is markup in it."""
    kept: list[str] = []
    left = LONGEST
    for line in _lines(verdict):
        left -= len(line) + 1
        if left < 0:
            kept += ["", "The rest was cut off: see the other reports."]
            break
        kept.append(line)
    return "\n".join(kept) + "\n"


def _lines(verdict: Verdict) -> Iterator[str]:
    yield f"# {marked(verdict.attempt)}"
    yield ""
    name, _, sentence = headline(verdict).partition(": ")
    yield f"**{name}**: {marked(sentence)}"
    if verdict.verdict is VerdictName.ERROR:
        return
    if any(row.raw is not None for row in scores(verdict)):
        yield from _section("Scores")
        yield from _table(
            ("score", "raw", "start 0, reference 1", "what it is"),
            (
                (row.name, figure(row.raw), figure(row.normalised), row.meaning)
                for row in scores(verdict)
            ),
        )
    if verdict.entries:
        yield from _section("Entries")
        yield from _table(
            ("entry", "claimed", "verdict"),
            ((item.index, figure(item.score), item.verdict) for item in verdict.entries[-ROWS:]),
        )
        yield from _more(len(verdict.entries) - ROWS, "earlier ones")
    if found := deeds(verdict):
        yield from _section("Findings")
        for deed in found[:FINDINGS]:
            yield from _finding(deed)
        yield from _more(len(found) - FINDINGS, "more")
    yield from _again(verdict)
    if verdict.answers:
        yield from _section("Answers")
        for item in verdict.answers[-ROWS:]:
            yield f"- {marked(said(item))}: {marked(item.answer.because)}"
        yield ""
        yield "They change no verdict."
    yield from _section("Not looked at")
    listed = [f"- {marked(gap)}" for gap in gaps(verdict)]
    yield from listed[:ROWS] or ["Nothing that is required."]
    yield from _more(len(listed) - ROWS, "more")
    made = verdict.provenance
    yield ""
    yield marked(
        f"Made by {made.auditor}; rules {made.rules_sha256[:16]}, environment "
        f"{made.environment_sha256[:16] or 'none'}; sandbox: {made.sandbox}"
    )
    if told := measured(verdict):
        yield ""
        yield f"{marked(told)}."


def _again(verdict: Verdict) -> Iterator[str]:
    """Yields what did not hold when it was executed again; what held is counted."""
    ran = [item for item in verdict.interventions if item.held is not None]
    if not ran:
        return
    failed = [item for item in ran if not item.held]
    yield from _section("Executed again under changed conditions")
    yield f"{len(ran) - len(failed)} of {len(ran)} interventions held."
    if failed:
        yield ""
        yield from _table(
            ("entry", "what", "expected", "observed", "outcome"),
            (
                (item.entry, item.name, item.expected, item.observed or item.reason, item.outcome)
                for item in failed[:ROWS]
            ),
        )
        yield from _more(len(failed) - ROWS, "more")


def _finding(deed: Deed) -> Iterator[str]:
    finding: Finding = deed.finding
    of = f", entry {numbers(deed.entries)}" if deed.entries else ""
    misdeed = finding.misdeed.replace("_", " ")
    yield (
        f"- **{finding.kind.upper()} {marked(finding.code)}** {marked(finding.rule)} "
        f"({misdeed}{of}): {marked(finding.message)} ({marked(known(finding))})"
        + (f" `{finding.fingerprint}`" if finding.fingerprint.isalnum() else "")
    )
    for place in places(finding)[:PLACES]:
        yield f"  - at {marked(place)}"


def _more(count: int, what: str) -> Iterator[str]:
    if count > 0:
        yield ""
        yield f"And {count} {what}."


def _section(title: str) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""


def _table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    titles = list(columns)
    yield f"| {' | '.join(titles)} |"
    yield f"|{' --- |' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(marked(cell) for cell in row)} |"
