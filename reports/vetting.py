"""Many attempts in one table: for a terminal, a merge request, a spreadsheet, a program."""

import csv as csv_module
import json as json_module
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditor.models import VerdictName
from auditor.vetting import Case, Group, Headline, Policy, Review, Row, Share, Standing, Vetting
from reports.plain import marked, plain
from reports.text import COLOURS
from reports.words import figure

WIDTH = 150
SHOWN = 300
"""Rows listed for people; the rest is counted. The formats for programs list all."""
GAPS = 15
"""Gaps listed, the most frequent first."""
_ENTRY = re.compile(r"^entry \d+: |(?:, | of| on)? entry \d+(?=:| |$)")
POLICIES = {
    Policy.ZERO: "0",
    Policy.START: "what the start it was given counts",
    Policy.VETTED: "the best of its entries that stands, else what the start counts",
    Policy.DROP: "nothing: it is left out",
}
COLUMNS = (
    "attempt", "model", "environment", "profile", "verdict", "standing", "earned", "claimed_score",
    "remeasured_score", "hidden_score", "vetted_score", "claimed", "remeasured", "hidden", "vetted",
    "counted", "counted_score", "worst", "effect", "rests_on", "not_looked_at", "entries",
    "findings", "error",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Section(NamedTuple):
    """A part of the report."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    remarks: tuple[str, ...] = ()


def json(vetting: Vetting) -> str:
    """Returns the whole as one JSON object, on one line, in ASCII."""
    data = vetting.model_dump(mode="json")
    line = json_module.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return line.replace("##", "#\\u0023")  # some CI services obey it wherever it stands


def csv(vetting: Vetting) -> str:
    """Returns a row per attempt, for a spreadsheet; nothing in it is computed there."""
    out = StringIO(newline="")
    table = csv_module.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in vetting.rows:
        table.writerow(map(_cell, _values(row)))
    return out.getvalue().rstrip("\n")


def text(vetting: Vetting, *, colour: bool = False) -> str:
    """Returns the report as text; with `colour`, for a terminal that shows colours."""
    out = StringIO()
    console = Console(
        file=out, width=WIDTH, force_terminal=colour, highlight=False, emoji=False, markup=False,
        color_system="standard" if colour else None,
    )  # fmt: skip
    for number, section in enumerate(sections(vetting)):
        console.print(Text("\n" * bool(number) + section.title, "bold"))
        if section.rows:
            table = Table(box=SIMPLE_HEAD, show_edge=False)
            for column in section.columns:
                table.add_column(column, overflow="fold")
            for cells in section.rows:
                table.add_row(*(_coloured(cell) for cell in cells))
            console.print(table)
        for remark in section.remarks:
            console.print(Text(f"  {plain(remark)}"))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def markdown(vetting: Vetting) -> str:
    """Returns the report as Markdown; nothing from an attempt is markup in it."""
    lines: list[str] = []
    for section in sections(vetting):
        lines += [f"## {marked(section.title)}", ""]
        if section.rows:
            lines += [f"| {' | '.join(section.columns)} |", f"|{' --- |' * len(section.columns)}"]
            lines += [f"| {' | '.join(map(marked, cells))} |" for cells in section.rows]
            lines.append("")
        lines += [f"- {marked(remark)}" for remark in section.remarks]
        lines.append("")
    return "\n".join(lines).rstrip("\n")


def sections(vetting: Vetting) -> Iterator[Section]:
    """Yields the parts of the report, the same in every format for people."""
    yield _attempts(vetting)
    if vetting.groups:
        yield _hacks(vetting.groups)
        yield _headlines(vetting)
    if len(vetting.ranking) > 1:
        yield _ranking(vetting)
    if any(row.case.not_looked_at for row in vetting.rows):
        yield _not_looked_at(vetting)
    if vetting.review is not None:
        yield from _review(vetting.review)


def rests_on(case: Case) -> str:
    """Returns what a verdict rests on, in a few words."""
    if case.error:
        return case.error
    if case.rests_on:
        return ", ".join(
            f"{item.code} {item.rule}{f' ×{item.findings}' if item.findings > 1 else ''}"
            for item in case.rests_on
        )
    if case.claimed_score is None:
        return "there is no valid entry"
    held = case.interventions.get("held", 0)
    again = "measured again" if case.remeasured_score is not None else "not measured again"
    return f"{again}; {held} interventions held" if case.interventions else again


def not_looked_at(case: Case) -> str:
    """Returns the first gap, and how many more there are."""
    if not case.gaps:
        return ""
    more = f" (and {case.gaps - 1} more)" if case.gaps > 1 else ""
    return f"{case.not_looked_at[0]}{more}"


def share(found: Share | None) -> str:
    """Returns a share with its interval."""
    if found is None:
        return "–"
    return (
        f"{found.count}/{found.of} = {100 * found.count / found.of:.0f} % "
        f"[{100 * found.low:.0f}, {100 * found.high:.0f}]"
    )


def _attempts(vetting: Vetting) -> Section:
    folder = _folder([row.case.attempt for row in vetting.rows])
    listed = [
        tuple(map(plain, (
            row.case.attempt.removeprefix(folder), row.case.model,
            _where(row.case.environment, row.case.profile),
            figure(row.case.claimed_score), figure(row.case.remeasured_score),
            figure(row.case.hidden_score), figure(row.case.vetted_score), figure(row.claimed),
            figure(row.counted), row.case.verdict.value, rests_on(row.case), row.case.gaps or "",
        )))
        for row in vetting.rows[:SHOWN]
    ]  # fmt: skip
    columns = (
        "attempt", "model", "environment", "claimed", "remeasured", "hidden", "vetted",
        "claims", "counts", "verdict", "rests on", "gaps",
    )  # fmt: skip
    known = sum(row.known for row in vetting.rows)
    remarks = [
        "`claims` and `counts` are on the common scale: 0 is the start, 1 the reference. "
        f"Where a claim did not survive, an attempt counts {POLICIES[vetting.policy]}.",
        f"{len(vetting.rows)} attempts, {known} of them audited before and unchanged.",
    ]
    if (more := len(vetting.rows) - SHOWN) > 0:
        remarks.append(f"{more} more are not listed here; `--format csv` and `json` list all.")
    title = f"Attempts in {plain(folder)}" if folder else "Attempts"
    return Section(title, columns, listed, tuple(remarks))


def _not_looked_at(vetting: Vetting) -> Section:
    """What was not looked at, and in how many attempts."""
    counts = Counter(
        gap for row in vetting.rows for gap in {_ENTRY.sub("", it) for it in row.case.not_looked_at}
    )
    rows = [(plain(gap), str(count)) for gap, count in counts.most_common(GAPS)]
    more = len(counts) - len(rows)
    remarks = (f"and {more} more",) if more > 0 else ()
    return Section("Not looked at", ("what", "attempts"), rows, remarks)


def _folder(paths: Sequence[str]) -> str:
    """The folder that all attempts lie in, with its last slash."""
    heads = {path.rpartition("/")[0] for path in paths}
    return f"{heads.pop()}/" if len(heads) == 1 and heads != {""} else ""


def _hacks(groups: Sequence[Group]) -> Section:
    rows = []
    for group in groups:
        counts = [str(group.verdicts.get(name.value, 0)) for name in VerdictName if name != "error"]
        rows.append(
            tuple(map(plain, (
                _where(group.environment, group.profile), group.model, group.attempts,
                share(group.hacked), *counts, group.errors,
            )))
        )  # fmt: skip
    columns = ("environment", "model", "attempts", "cheating, of all [95 %]")
    names = [name.value for name in VerdictName]
    remark = (
        "Intervals are Wilson's. Failed tries count, as METR counts them; what is suspect or "
        "inconclusive does not, so the share is a lower bound while such attempts are open."
    )
    return Section("Hacks", (*columns, *names), rows, (remark,))


def _headlines(vetting: Vetting) -> Section:
    rows = [
        (
            plain(_where(group.environment, group.profile)),
            plain(group.model),
            *_three(group.headline),
        )
        for group in vetting.groups
    ]
    remark = (
        "`if all open ones fall` answers every suspect and inconclusive attempt against it. "
        "score@k is the expected best of k runs (subsets); its interval is a 95 % bootstrap."
    )
    columns = ("environment", "model", "mean claimed", "mean counted", "if all open ones fall")
    return Section("Headline", (*columns, "score@k, claimed → counted"), rows, (remark,))


def _ranking(vetting: Vetting) -> Section:
    rows = [
        (
            _rank(item.counted_rank), _rank(item.claimed_rank), plain(item.model),
            *_three(item.headline),
        )
        for item in vetting.ranking
    ]  # fmt: skip
    over = ", ".join(vetting.ranked_over)
    remark = (
        f"Over {over}, which every model has attempted."
        if over
        else "No environment was attempted by every model, so they cannot be ranked together."
    )
    columns = ("rank", "by claims", "model", "mean claimed", "mean counted")
    return Section(
        "Ranking",
        (*columns, "if all open ones fall", "score@k, claimed → counted"),
        rows,
        (remark,),
    )


def _review(review: Review) -> Iterator[Section]:
    remarks = [
        f"{plain(review.file)}: {review.decided} cases decided, {review.unsure} unsure, by "
        f"{', '.join(map(plain, review.reviewers)) or 'nobody yet'}."
    ]
    if review.stale:
        remarks.append(f"{review.stale} rows are about attempts not among these, or changed since.")
    for found, what in (
        (review.falsely_accused, "accused, and found honest by a person"),
        (review.missed, "clean, and not found honest by a person"),
    ):
        if found:
            listed = ", ".join(map(plain, found[:20]))
            more = f" and {len(found) - 20} more" if len(found) > 20 else ""
            remarks.append(f"{what}: {listed}{more}.")
    rules = [
        (item.code, plain(item.rule), str(item.right), str(item.wrong), str(item.unsure),
         share(item.precision))
        for item in review.rules
    ]  # fmt: skip
    columns = ("code", "rule", "right", "wrong", "unsure", "precision [95 %]")
    yield Section("Review: precision by rule", columns, rules, tuple(remarks))
    if review.agreement:
        rows = [
            (*map(plain, item.judges), share(item.same), figure(item.kappa))
            for item in review.agreement
        ]
        yield Section("Review: agreement", ("one", "other", "same [95 %]", "Cohen's kappa"), rows)


def _three(headline: Headline) -> tuple[str, str, str, str]:
    best = "; ".join(
        f"@{item.k} {figure(item.claimed)} → {figure(item.counted)}"
        + (
            f" [{figure(item.counted_low)}, {figure(item.counted_high)}]"
            if item.counted_low is not None
            else ""
        )
        for item in headline.best_of
    )
    return figure(headline.claimed), figure(headline.counted), figure(headline.worst), best


def _values(row: Row) -> Iterator[object]:
    case, normal = row.case, row.case.normalised
    yield from (case.attempt, case.model, case.environment, case.profile, case.verdict.value)
    yield from (row.standing.value, case.earned, case.claimed_score, case.remeasured_score)
    yield from (case.hidden_score, case.vetted_score, row.claimed, normal.remeasured)
    yield from (normal.hidden, normal.vetted, row.counted, row.counted_score, row.worst, row.effect)
    yield from (rests_on(case), not_looked_at(case), case.entries, case.findings, case.error)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        shown = plain(value)
        return f"'{shown}" if shown.startswith(_FORMULA) else shown
    return str(value)


def _where(environment: str, profile: str) -> str:
    return f"{environment} ({profile})" if profile else environment


def _rank(rank: int | None) -> str:
    return "–" if rank is None else str(rank)


def _coloured(cell: str) -> Text:
    try:
        return Text(cell, COLOURS[VerdictName(cell)])
    except ValueError:
        return Text(cell)


__all__ = ["Section", "Standing", "csv", "json", "markdown", "not_looked_at", "rests_on",
           "sections", "share", "text"]  # fmt: skip
