"""The report for a merge request or an issue."""

from collections.abc import Iterable, Iterator

from auditor.models import Finding, Verdict, VerdictName
from reports.plain import marked
from reports.words import figure, gaps, headline, known, ordered, places, scores

SHOWN = 100


def render(verdict: Verdict) -> str:
    """Returns the report as Markdown; nothing from the attempt is markup in it."""
    return "\n".join(_lines(verdict)) + "\n"


def _lines(verdict: Verdict) -> Iterator[str]:
    yield f"# {marked(verdict.attempt)}"
    yield ""
    name, _, sentence = headline(verdict).partition(": ")
    yield f"**{name}**: {marked(sentence)}"
    if verdict.verdict is VerdictName.ERROR:
        return
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
            ((item.index, figure(item.score), item.verdict) for item in verdict.entries[-SHOWN:]),
        )
    if verdict.findings:
        yield from _section("Findings")
        for finding in ordered(verdict)[:SHOWN]:
            yield from _finding(finding)
        if (more := len(verdict.findings) - SHOWN) > 0:
            yield f"- and {more} more"
    if verdict.interventions:
        yield from _section("Executed again under changed conditions")
        yield from _table(
            ("entry", "what", "expected", "observed", "outcome"),
            (
                (item.entry, item.name, item.expected, item.observed or item.reason, item.outcome)
                for item in verdict.interventions[:SHOWN]
            ),
        )
    yield from _section("Not looked at")
    listed = [f"- {marked(gap)}" for gap in gaps(verdict)][:SHOWN]
    yield from listed or ["Nothing that is required."]
    made = verdict.provenance
    yield ""
    yield marked(
        f"Made by {made.auditor}; rules {made.rules_sha256[:16]}, environment "
        f"{made.environment_sha256[:16] or 'none'}; sandbox: {made.sandbox}"
    )


def _finding(finding: Finding) -> Iterator[str]:
    entries = ", ".join(map(str, finding.entries))
    of = f", entry {entries}" if entries else ""
    misdeed = finding.misdeed.replace("_", " ")
    yield (
        f"- **{finding.kind.upper()} {marked(finding.code)}** {marked(finding.rule)} "
        f"({misdeed}{of}): {marked(finding.message)} {marked(known(finding))}."
    )
    for place in places(finding)[:5]:
        yield f"  - at {marked(place)}"


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
