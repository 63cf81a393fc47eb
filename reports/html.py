"""The report for people: one self-contained page per attempt, with a dossier for each deed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from auditor.models import (
    Answered,
    CheckOutcome,
    Effect,
    Evidence,
    Finding,
    Intervention,
    Site,
    VerdictName,
)
from reports import charts, facts, page, trail
from reports.charts import Level, Series, Sheet, Timeline, drawable
from reports.facts import Listed, Quote
from reports.material import Material, Row, RuleText
from reports.words import (
    EFFECTS,
    HEADLINES,
    HOWS,
    Deed,
    deeds,
    figure,
    gaps,
    headline,
    measured,
    numbers,
    place,
    said,
    scores,
    source,
)

FULL = 40
"""Dossiers with everything; further ones say what, where and how it is known."""
DRAWN = 6
"""Dossiers with pictures: each costs about 20 kilobytes and a fifth of a second."""
PASSAGES = 4
OTHERS = 5
FACTS = 8
REFUTED = {
    "code": (
        "Show that the line does not run when the solution is scored, or that what it reads or "
        "changes does not reach what is scored."
    ),
    "run": (
        "Show an honest solution of which the same would be seen, or that it was the machine's "
        "doing and not the solution's: another audit would then see something else."
    ),
    "trail": "Show where the file, the number or the commit came from instead.",
}
"""What it takes to refute a finding, by the proof it rests on."""


class Place(NamedTuple):
    """Where something is, with the lines around it where they were kept."""

    name: str
    text: str
    """The line itself."""
    line: int | None
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Dossier:
    """Everything about one deed that a page shows."""

    number: int
    deed: Deed
    anchor: str
    words: str
    """The rule's name as words."""
    entries: str
    how: str
    effect: str
    places: tuple[Place, ...]
    way: bool
    """The places are steps that data takes, one after the other."""
    more_places: int
    full: bool
    quotes: tuple[Quote, ...]
    interventions: tuple[Intervention, ...]
    pictures: tuple[tuple[str, Markup], ...]
    cited: tuple[tuple[Evidence, list[tuple[str, str]], list[Listed]], ...]
    rule: RuleText | None
    refute: str
    answers: tuple[Answered, ...]
    others: tuple[Finding, ...]
    """Findings about further entries that say it in other words or figures."""

    @property
    def finding(self) -> Finding:
        """The finding about the first entry."""
        return self.deed.finding


class Line(NamedTuple):
    """What became of one entry."""

    number: int
    claimed: float | None
    remeasured: float | None
    hidden: float | None
    verdict: VerdictName


def render(material: Material) -> str:
    """Returns the page."""
    verdict = material.verdict
    sheet = Sheet()
    listed = deeds(verdict)
    sealed = _measured(material)
    lines = [
        Line(item.index, item.score, *sealed.get(item.index, (None, None)), item.verdict)
        for item in verdict.entries
    ]
    dossiers = list(_dossiers(material, listed, sheet))
    names, grid = _grid(verdict.interventions)
    return page.render(
        "attempt.html.j2",
        sheet,
        verdict=verdict,
        sentence=HEADLINES[verdict.verdict],
        headline=headline(verdict),
        task=_task(material),
        scores=scores(verdict),
        timeline=_timeline(material, lines, sheet),
        trail=Markup(trail.render(material.evidence, page=True)),  # noqa: S704  # it escapes what it draws
        lines=lines,
        dossiers=dossiers,
        grid=grid,
        replayed=names,
        held=sum(item.held is True for item in verdict.interventions),
        ran=sum(item.held is not None for item in verdict.interventions),
        gaps=list(gaps(verdict)),
        checks=_checks(material),
        figure=figure,
        known=HOWS,
        said=said,
        measured=measured(verdict),
        outdated=[item for item in verdict.answers if not item.stands],
        pictures=charts.available(),
    )


def _dossiers(material: Material, listed: Sequence[Deed], sheet: Sheet) -> Iterator[Dossier]:
    taken: set[str] = set()
    for number, deed in enumerate(listed, start=1):
        finding = deed.finding
        anchor = f"f-{finding.fingerprint or number}"
        anchor = anchor if anchor not in taken else f"{anchor}-{number}"
        taken.add(anchor)
        full = number <= FULL
        cited = [material.facts[id] for id in finding.cites if id in material.facts]
        sites = _distinct(finding.sites)
        places = [_place(material, site) for site in sites]
        yield Dossier(
            number=number,
            deed=deed,
            anchor=anchor,
            words=_words(finding.rule),
            entries=numbers(deed.entries),
            how=f"{source(finding)}, {HOWS[finding.how]}",
            effect=EFFECTS[finding.effect],
            places=tuple(places[:PASSAGES]),
            way=sum(item.line is not None for item in places) > 1,
            more_places=max(0, len(places) - PASSAGES),
            full=full,
            quotes=tuple(facts.quotes(_events(material, finding, cited))) if full else (),
            interventions=tuple(_again(material, deed)) if full else (),
            pictures=tuple(_pictures(material, finding, cited, sheet)) if number <= DRAWN else (),
            cited=tuple((fact, facts.lines(fact), facts.tables(fact)) for fact in cited[:FACTS])
            if full
            else (),
            rule=material.rules.get(finding.code),
            refute=_refuted(finding),
            answers=tuple(
                item
                for item in material.verdict.answers
                if item.answer.finding == finding.fingerprint != ""
            ),
            others=_others(deed) if full else (),
        )


def _others(deed: Deed) -> tuple[Finding, ...]:
    told = {deed.finding.message: deed.finding}
    for item in deed.all:
        told.setdefault(item.message, item)
    return tuple(told.values())[1 : OTHERS + 1]


def _distinct(sites: Iterable[Site]) -> list[Site]:
    return list(dict.fromkeys(site for site in sites))


def _place(material: Material, site: Site) -> Place:
    rows: tuple[Row, ...] = ()
    text = ""
    if site.path is not None and site.line is not None:
        rows = material.passages.get((site.path, site.line), ())
        text = material.text(site.path, site.line).strip()
    return Place(place(site), text, site.line, rows)


def _events(material: Material, finding: Finding, cited: Sequence[Evidence]) -> Iterator[Evidence]:
    """Yields the facts that a finding quotes: those it cites, and the events that it names."""
    named = {site.event for site in finding.sites if site.event is not None}
    yield from cited
    ids = {fact.id for fact in cited}
    for fact in material.evidence if named else ():
        if fact.id not in ids and facts.event(fact) in named and fact.stage != "runtime":
            yield fact


def _again(material: Material, deed: Deed) -> Iterator[Intervention]:
    """Yields the interventions that bear on a deed, or that it rests on."""
    cites = {id for finding in deed.all for id in finding.cites}
    names = set(deed.finding.interventions)
    for item in material.verdict.interventions:
        if item.evidence in cites or (item.name in names and item.entry in deed.entries):
            yield item


def _pictures(
    material: Material, finding: Finding, cited: Sequence[Evidence], sheet: Sheet
) -> Iterator[tuple[str, Markup]]:
    if not charts.available():
        return
    for fact, bars in facts.bars(cited):
        about = str(fact.data.get("name") or fact.kind).replace("_", " ")
        title = f"Tensors beside what an honest solution gives: {about} ({fact.id})"
        yield title, sheet.picture(title, bars.draw, rows=(2 * len(bars.values) + 2) // 3)
    entry = finding.entries[0] if finding.entries else None
    own = [fact for fact in material.evidence if fact.entry == entry]
    marked = [site.path for site in finding.sites if site.path]
    drawn = any(fact.kind == "file_trail" for fact in own)  # for all findings, further below
    watched = [] if drawn else [fact for fact in own if fact.kind == "runtime_event"]
    graph = facts.trail(cited, marked) or facts.trail(watched, marked)
    if graph is not None:
        title = "Which files reached which program, as far as it was seen"
        yield title, sheet.picture(title, graph.draw, rows=graph.rows)


def _refuted(finding: Finding) -> str:
    told = REFUTED[finding.source]
    names = ", ".join(finding.interventions)
    if names and finding.source == "code":
        told += f" It is lowered when these hold: {names}."
    elif names:
        told += f" The start and the reference went through the same first ({names}), and held."
    if finding.effect is Effect.INEFFECTIVE:
        told += " It did not change the score, and stands as a try."
    return told


def _measured(material: Material) -> dict[int, tuple[float | None, float | None]]:
    """Returns the sealed scores of each entry, as measured now or else as the harness logged."""
    found: dict[tuple[int, str], float | None] = {}
    for kind, key in (("hidden_entry", "score"), ("sealed_score", "value")):
        for fact in material.of(kind):
            value, split = fact.data.get(key), fact.data.get("split")
            if fact.entry is not None and isinstance(split, str):
                found[fact.entry, split] = float(value) if isinstance(value, int | float) else None
    entries = {entry for entry, _ in found}
    return {
        entry: (found.get((entry, "validation")), found.get((entry, "test"))) for entry in entries
    }


def _task(material: Material) -> Mapping[str, object]:
    return next((fact.data for fact in material.of("task")), {})


def _timeline(material: Material, lines: Sequence[Line], sheet: Sheet) -> Markup | None:
    series = [
        Series(
            name, [(i.number, y) for i in lines if (y := drawable(getattr(i, name))) is not None]
        )
        for name in ("claimed", "remeasured", "hidden")
    ]
    if not series[0].points or not charts.available():
        return None
    guilty = (VerdictName.VIOLATION, VerdictName.CHEATING)
    task = _task(material)
    better = "lower" if task.get("direction") == "lower" else "higher"
    label = f"{task.get('metric', 'score')}, {better} is better" if task else "score"
    timeline = Timeline(
        label,
        [item for item in series if item.points],
        list(_levels(material, task)),
        [
            (line.number, drawn)
            for line in lines
            if line.verdict in guilty and (drawn := drawable(line.claimed)) is not None
        ],
    )
    title = "Scores by entry: what was claimed, and what was measured again"
    return sheet.picture(title, timeline.draw)


def _levels(material: Material, task: Mapping[str, object]) -> Iterator[Level]:
    """Yields what scores are compared with, on the scale of the machine that measured them."""
    start, reference = _value(task.get("start_score")), _value(task.get("reference_score"))
    measured = task.get("measured")
    seen = drawable(measured.get("start_score")) if isinstance(measured, Mapping) else None
    shift = seen - start if seen is not None and start is not None else 0.0
    if start is not None:
        yield Level("start", start + shift)
    if reference is not None:
        yield Level("reference", reference + shift)
    for fact in material.of("sealed_score"):
        details = fact.data.get("details")
        bound = details.get("bound_score") if isinstance(details, Mapping) else None
        if (drawn := drawable(bound)) is not None:
            yield Level("physics", drawn)
            return


def _value(score: object) -> float | None:
    return drawable(score.get("value")) if isinstance(score, Mapping) else None


def _grid(
    interventions: Sequence[Intervention],
) -> tuple[list[int], list[tuple[str, list[Intervention | None]]]]:
    """Returns what became of each intervention on each entry that was executed again."""
    entries = sorted({item.entry for item in interventions})
    found = {(item.name, item.entry): item for item in interventions}
    names = list(dict.fromkeys(item.name for item in interventions))
    return entries, [(name, [found.get((name, entry)) for entry in entries]) for name in names]


def _checks(material: Material) -> list[tuple[str, str, dict[str, int], str]]:
    """Returns, by rule, how many checks came out how, and why one gave nothing."""
    rows: dict[str, tuple[str, dict[str, int], str]] = {}
    for check in material.checks:
        rule, counts, reason = rows.get(check.code, (check.rule, {}, ""))
        counts[check.outcome.value] = counts.get(check.outcome.value, 0) + 1
        if check.outcome in (CheckOutcome.NO_EVIDENCE, CheckOutcome.CRASHED):
            reason = check.reason
        rows[check.code] = (rule, counts, reason)
    return [(code, *row) for code, row in sorted(rows.items())]


def _words(name: str) -> str:
    """A class name as words: `this attempt shows …`."""
    parts = "".join(f" {c.lower()}" if c.isupper() else c for c in name)
    return parts.strip()
