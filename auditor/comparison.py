"""Compares several attempts: reads them, finds what they share, applies the rules of scope `set`.

Each attempt is read by itself, in any process; only fingerprints come together.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from auditor import engine
from auditor.comparing import (
    Cluster,
    Compared,
    Comparison,
    Extract,
    Shared,
    SharedPassage,
)
from auditor.evidence.book import Book
from auditor.likeness import groups, pairs
from auditor.likeness.languages import View
from auditor.likeness.marks import Hashes
from auditor.likeness.pairs import FIGURES, Bounds, Pair, Table
from auditor.likeness.passages import Span, passages
from auditor.likeness.reading import Reader, Reading
from auditor.likeness.work import Source, Spots, Work
from auditor.models import Check, CheckOutcome, Evidence, Finding, Kind, VerdictName
from auditor.registry import RuleSet
from auditor.settle import settle
from auditor.summary import version
from auditor.unit import Unit
from auditor.verdict import decide, worst
from harness.errors import HarnessError
from harness.verify import verify

SHOWN_PAIRS = 200
"""Pairs that are shown with their passages."""
SHOWN_PASSAGES = 5
SHOWN_LINES = 40
"""Lines of a passage; it may be a whole program."""
KEPT_TEXTS = 50
"""Attempts whose texts are held at a time to quote from them."""


def compare(
    readings: Sequence[Reading], corpus: Sequence[Reading], rules: RuleSet, reader: Reader
) -> Comparison:
    """Compares attempts with each other and with earlier work.

    Args:
        readings: the attempts.
        corpus: earlier work; what lies in it is not compared with itself.
        rules: those of scope `set` are applied.
        reader: what the readings were made with; quotes are read with it again.
    """
    return _Comparison(readings, corpus, rules, reader).run()


@dataclass(frozen=True)
class _Side:
    """One end of a pair, with what it holds."""

    reading: Reading
    spots: Spots


class _Comparison:
    """The state of one comparison."""

    def __init__(
        self,
        readings: Sequence[Reading],
        corpus: Sequence[Reading],
        rules: RuleSet,
        reader: Reader,
    ) -> None:
        self._all = [*readings, *corpus]
        self._asked = len(readings)
        self._rules, self._reader = rules, reader
        self._bounds = bounds(rules.thresholds)
        self._works = [item.work or Work(item.name, (), {}) for item in self._all]
        self._book = Book()
        self._texts: dict[int, list[Source]] = {}
        self._signed: dict[int, bool] = {}

    def run(self) -> Comparison:
        """Runs the whole comparison."""
        found = pairs.tables(self._works, self._bounds)
        tables = {table.view: table for table in found}
        kept = [pair for table in found for pair in pairs.pairs(table, self._bounds)]
        kept = [pair for pair in kept if pair.one < self._asked]
        alike = [pair for pair in kept if self._is_copy(pair)]
        grouped = groups.grouped(len(self._all), alike)
        told = self._chosen(kept, grouped)
        self._book.add(
            "attempts_compared",
            {
                "attempts": self._asked,
                "corpus": len(self._all) - self._asked,
                "not_read": [item.name for item in self._all if item.error],
            },
            stage="likeness",
        )
        facts = [self._note(self._shared(pair, tables, quoted)) for pair, quoted in told]
        unit = Unit(None, self._book.all(), (), self._rules.thresholds, several=True)
        checks = engine.apply(self._rules, [unit])
        findings = settle([item for check in checks for item in check.findings], [])
        return Comparison(
            verdict=self._verdict(findings, checks),
            attempts=self._compared(grouped, groups.outliers(self._works[: self._asked])),
            clusters=tuple(_clusters(self._all, grouped, facts, findings)),
            shared=tuple(_others(facts, grouped, self._all, findings)),
            findings=tuple(findings),
            checks=_counted(check.outcome for check in checks),
            coverage={"gaps": list[JsonValue](self._gaps(checks))},
            provenance={"auditor": version(), "rules_sha256": self._rules.sha256},
        )

    def _is_copy(self, pair: Pair) -> bool:
        return pair.view not in FIGURES and pair.share >= self._bounds.share

    def _chosen(
        self, found: Sequence[Pair], grouped: Sequence[Sequence[int]]
    ) -> list[tuple[Pair, bool]]:
        """Returns the pairs to be told, and which of them are quoted from.

        Of a group, each attempt is told beside the one it has most in common with: a group of a
        thousand copies has half a million pairs.
        """
        group = {member: number for number, members in enumerate(grouped) for member in members}
        seen, told = set[tuple[int, str]](), list[Pair]()
        for pair in sorted(found, key=lambda item: (-item.share, -item.shared, item[:2])):
            inside = group.get(pair.one, -1) == group.get(pair.other, -2)
            kind = "copy" if inside and pair.view not in FIGURES else pair.view
            new = {(pair.one, kind), (pair.other, kind)} - seen
            if new:
                seen |= new
                told.append(pair)
        return [(pair, number < SHOWN_PAIRS) for number, pair in enumerate(told)]

    def _shared(self, pair: Pair, tables: Mapping[View, Table], quoted: bool) -> Shared:
        common = tables[pair.view].common(pair.one, pair.other)
        one, other = (
            _Side(self._all[index], self._works[index].spots[pair.view])
            for index in (pair.one, pair.other)
        )
        found = passages(one.spots, other.spots, common)[:SHOWN_PASSAGES] if quoted else []
        return Shared(
            one=one.reading.name,
            other=other.reading.name,
            view=pair.view,
            share=round(pair.share, 4),
            marks=pair.shared,
            later=self._later(pair, one, other, common),
            grew=(_grew(one, common), _grew(other, common)),
            passages=tuple(
                SharedPassage(
                    one=self._extract(pair.one, item.one),
                    other=self._extract(pair.other, item.other),
                    marks=item.marks,
                )
                for item in found
            ),
        )

    def _later(self, pair: Pair, one: _Side, other: _Side, common: Hashes) -> str:
        """Which of two had most of what they share later, where signed logs tell."""
        times = [_since(side, common) for side in (one, other)]
        if times[0] is None or times[1] is None or times[0] == times[1]:
            return ""
        if not (self._is_signed(pair.one) and self._is_signed(pair.other)):
            return ""
        return (one if times[0] > times[1] else other).reading.name

    def _is_signed(self, index: int) -> bool:
        if index not in self._signed:
            try:
                found = verify(Path(self._all[index].name))
                self._signed[index] = found.status == "intact" and found.trust != "unknown"
            except (HarnessError, OSError):
                self._signed[index] = False
        return self._signed[index]

    def _extract(self, index: int, span: Span) -> Extract:
        sources = self._sources(index)
        path = self._works[index].paths[span.file]
        # Somebody may have changed the folder since it was compared.
        source = sources[span.file] if span.file < len(sources) else Source(path, "")
        lines = source.text.split("\n")[span.line - 1 : span.end][:SHOWN_LINES]
        entry = source.since if self._all[index].at else None
        return Extract(path=path, line=span.line, end=span.end, entry=entry, text="\n".join(lines))

    def _sources(self, index: int) -> list[Source]:
        if index not in self._texts:
            if len(self._texts) >= KEPT_TEXTS:
                self._texts.clear()
            self._texts[index] = self._reader.sources(Path(self._all[index].name))
        return self._texts[index]

    def _note(self, shared: Shared) -> tuple[Shared, Evidence]:
        kind = "figures_shared" if shared.view in FIGURES else "work_shared"
        data = shared.model_dump(mode="json", exclude={"passages", "copied"})
        corpus = {item.name for item in self._all[self._asked :]}
        places: list[JsonValue] = [
            {
                "one": f"{item.one.path}:{item.one.line}-{item.one.end}",
                "other": f"{item.other.path}:{item.other.line}-{item.other.end}",
                "marks": item.marks,
            }
            for item in shared.passages
        ]
        unknown = {work.name for work in self._works if not work.starts}
        data |= {
            "passages": places,
            "corpus": shared.other in corpus,
            "start_known": not {shared.one, shared.other} & unknown,
        }
        return shared, self._book.add(kind, data, stage="likeness")

    def _verdict(self, findings: Sequence[Finding], checks: Sequence[Check]) -> VerdictName:
        """What the findings say; nothing is clean where something could not be compared."""
        found = decide([], findings, checks, required={}).verdict
        silent = any(
            item.error or (item.work and not item.work.paths) for item in self._all[: self._asked]
        )
        silent |= any(check.outcome is CheckOutcome.CRASHED for check in checks)
        return worst([found, VerdictName.INCONCLUSIVE]) if silent else found

    def _compared(
        self, grouped: Sequence[Sequence[int]], odd: Sequence[int]
    ) -> tuple[Compared, ...]:
        group = {member: number for number, members in enumerate(grouped) for member in members}
        return tuple(
            Compared(
                attempt=item.name,
                error=item.error or None,
                environment=item.environment or None,
                own={view: len(spots) for view, spots in self._works[index].spots.items()},
                cluster=group.get(index),
                outlier=index in odd,
                corpus=index >= self._asked,
            )
            for index, item in enumerate(self._all)
        )

    def _gaps(self, checks: Sequence[Check]) -> Iterator[str]:
        for check in checks:
            if check.outcome is CheckOutcome.CRASHED:
                yield f"{check.code} {check.rule} crashed: {check.reason}"
        for item in self._all:
            yield from (f"{item.name}: {gap}" for gap in item.gaps)
        unknown = [
            item.name for item in self._all[: self._asked] if item.work and not item.work.starts
        ]
        if unknown:
            yield (
                f"no start is known for {', '.join(unknown[:5])}"
                f"{f' and {len(unknown) - 5} more' if len(unknown) > 5 else ''}: what they were "
                "given counts as their own (name it with --start)"
            )
        undated = [item for item in self._all if not item.at]
        if undated:
            yield "without signed logs of both, nobody can tell who was first"


def bounds(thresholds: Mapping[str, float]) -> Bounds:
    """Returns from where on likeness counts, by the rule set's numbers."""
    usual = Bounds()
    return Bounds(
        share=thresholds.get("copied_share", usual.share),
        marks=int(thresholds.get("copied_marks", usual.marks)),
        branches=int(thresholds.get("copied_branches", usual.branches)),
        whole=thresholds.get("copied_whole", usual.whole),
        few_marks=int(thresholds.get("copied_few_marks", usual.few_marks)),
        few_branches=int(thresholds.get("copied_few_branches", usual.few_branches)),
        figures=int(thresholds.get("repeated_lines", usual.figures)),
    )


def _since(side: _Side, common: Hashes) -> datetime | None:
    """When an attempt first held half of what it shares."""
    if not side.reading.at:
        return None
    since = np.sort(side.spots.since[side.spots.places(common)])
    return side.reading.at[int(since[len(since) // 2])]


def _grew(side: _Side, common: Hashes) -> int:
    """Over how many score entries what is shared came about."""
    if not side.reading.at:
        return 0
    return len(np.unique(side.spots.since[side.spots.places(common)]))


def _clusters(
    readings: Sequence[Reading],
    grouped: Sequence[Sequence[int]],
    facts: Sequence[tuple[Shared, Evidence]],
    findings: Sequence[Finding],
) -> Iterator[Cluster]:
    accused = _accused(findings)
    for members in grouped:
        names = {readings[member].name for member in members}
        yield Cluster(
            attempts=tuple(readings[member].name for member in members),
            pairs=tuple(
                shared.model_copy(update={"copied": fact.id in accused})
                for shared, fact in facts
                if shared.view not in FIGURES and {shared.one, shared.other} <= names
            ),
        )


def _others(
    facts: Sequence[tuple[Shared, Evidence]],
    grouped: Sequence[Sequence[int]],
    readings: Sequence[Reading],
    findings: Sequence[Finding],
) -> Iterator[Shared]:
    accused = _accused(findings)
    sets = [{readings[member].name for member in members} for members in grouped]
    for shared, fact in facts:
        ends = {shared.one, shared.other}
        if shared.view in FIGURES or not any(ends <= names for names in sets):
            yield shared.model_copy(update={"copied": fact.id in accused})


def _accused(findings: Sequence[Finding]) -> set[str]:
    """Ids of the facts that more than a note rests on."""
    return {cite for item in findings if item.kind is not Kind.NOTE for cite in item.cites}


def _counted(outcomes: Iterable[CheckOutcome]) -> dict[str, int]:
    count = Counter(outcome.value for outcome in outcomes)
    return {outcome.value: count[outcome.value] for outcome in CheckOutcome}
