"""The report for a terminal: what was decided, on what grounds, and what was not looked at."""

from collections.abc import Sequence
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from auditor.models import Finding, Kind, Verdict, VerdictName
from reports.plain import plain
from reports.words import figure, gaps, headline, known, measured, ordered, places, said, scores

WIDTH = 100
SHOWN = 40
"""Findings, entries or gaps listed; the rest is counted."""
COLOURS = {
    VerdictName.CLEAN: "green",
    VerdictName.INCONCLUSIVE: "yellow",
    VerdictName.SUSPECT: "yellow",
    VerdictName.VIOLATION: "red",
    VerdictName.CHEATING: "bold red",
    VerdictName.ERROR: "red",
}
KINDS = {
    Kind.CHEATING: "bold red",
    Kind.VIOLATION: "red",
    Kind.SUSPICION: "yellow",
    Kind.NOTE: "dim",
}


def render(verdict: Verdict, *, colour: bool = False) -> str:
    """Returns the report as text; with `colour`, for a terminal that shows colours."""
    out = StringIO()
    console = Console(
        file=out,
        width=WIDTH,
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        emoji=False,
        markup=False,
    )
    judged = [plain(word) for word in (verdict.environment, verdict.profile) if word]
    where = f" ({', '.join(judged)})" if judged else ""
    console.print(Text(plain(verdict.attempt), "bold") + where)
    console.print(Text(plain(headline(verdict)), COLOURS[verdict.verdict]))
    if verdict.verdict is not VerdictName.ERROR:
        for title, body in _sections(verdict):
            console.print(Text(f"\n{title}", "bold"))
            console.print(body)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _sections(verdict: Verdict) -> list[tuple[str, RenderableType]]:
    sections: list[tuple[str, RenderableType]] = []
    if any(row.raw is not None for row in scores(verdict)):
        sections.append(("Scores", _scores(verdict)))
    if verdict.entries:
        sections.append(("Entries", _entries(verdict)))
    if verdict.findings:
        sections.append(("Findings", _findings(ordered(verdict))))
    if verdict.interventions:
        sections.append(("Executed again under changed conditions", _interventions(verdict)))
    if verdict.answers:
        sections.append(("Answers, which change no verdict", _answers(verdict)))
    sections.append(("Not looked at", _gaps(verdict)))
    sections.append(("Made by", _provenance(verdict)))
    return sections


def _scores(verdict: Verdict) -> Table:
    table = _table("score", "raw", "start 0, reference 1", "what it is")
    for row in scores(verdict):
        table.add_row(row.name, figure(row.raw), figure(row.normalised), row.meaning)
    return table


def _entries(verdict: Verdict) -> Table:
    table = _table("entry", "claimed", "verdict")
    for entry in verdict.entries[-SHOWN:]:
        table.add_row(
            str(entry.index),
            figure(entry.score) if entry.score is not None else "invalid",
            Text(entry.verdict, COLOURS[entry.verdict]),
        )
    return table


def _findings(findings: Sequence[Finding]) -> Padding:
    text = Text()
    for finding in findings[:SHOWN]:
        entries = ", ".join(map(str, finding.entries))
        of = f", entry {entries}" if entries else ""
        text.append(f"{finding.kind.upper()} {finding.code}", KINDS[finding.kind])
        text.append(f" {plain(finding.rule)} ({finding.misdeed.replace('_', ' ')}{of})\n")
        text.append(f"    {plain(finding.message)}\n")
        for place in places(finding)[:5]:
            text.append(f"    at {plain(place)}\n")
        named = f" [{finding.fingerprint}]" if finding.fingerprint else ""
        text.append(f"    {known(finding)}{named}\n", "dim")
    if (more := len(findings) - SHOWN) > 0:
        text.append(f"and {more} more\n")
    text.rstrip()
    return Padding(text, (0, 0, 0, 2))


def _interventions(verdict: Verdict) -> Table:
    table = _table("entry", "what was changed or removed", "expected", "observed", "outcome")
    for item in verdict.interventions[: 4 * SHOWN]:
        held = {True: "green", False: "red", None: "dim"}[item.held]
        table.add_row(
            str(item.entry),
            plain(item.name),
            plain(item.expected),
            plain(item.observed or item.reason),
            Text(item.outcome.replace("_", " "), held),
        )
    return table


def _answers(verdict: Verdict) -> Padding:
    text = Text()
    for item in verdict.answers[-SHOWN:]:
        text.append(f"- {plain(said(item))}\n", "dim")
        text.append(f"  {plain(item.answer.because)}\n")
    text.rstrip()
    return Padding(text, (0, 0, 0, 2))


def _gaps(verdict: Verdict) -> Padding:
    listed = list(gaps(verdict))
    lines = [f"- {plain(gap)}" for gap in listed[:SHOWN]]
    if (more := len(listed) - SHOWN) > 0:
        lines.append(f"and {more} more")
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in _counts(verdict))
    lines = lines or ["nothing that is required"]
    return Padding(Text("\n".join([*lines, f"Checks: {counts}."])), (0, 0, 0, 2))


def _counts(verdict: Verdict) -> list[tuple[str, int]]:
    return [(plain(name), count) for name, count in verdict.checks.items() if count]


def _provenance(verdict: Verdict) -> Padding:
    made, told = verdict.provenance, plain(measured(verdict), 1_000)
    return Padding(
        Text(
            f"{plain(made.auditor)}; rules {made.rules_sha256[:16]}; "
            f"environment {made.environment_sha256[:16] or 'none'}; sandbox: {plain(made.sandbox)}"
            + (f"\n{told}" if told else ""),
            "dim",
        ),
        (0, 0, 0, 2),
    )


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=True, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
