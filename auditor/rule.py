"""What a rule is: a misdeed, the evidence it needs, and a judgement over one unit of evidence."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple
from weakref import WeakKeyDictionary

from pydantic import JsonValue

from auditor.code.program import Program
from auditor.code.source import ChangedSource
from auditor.example import (
    Edit,
    Example,
    Facts,
    Transcript,
    changed,
    compared,
    fact,
    replayed,
    scored,
    sealed,
)
from auditor.models import (
    Confidence,
    Effect,
    Evidence,
    Finding,
    How,
    Kind,
    Misdeed,
    Scope,
    Severity,
    Site,
)
from auditor.unit import Replayed, Unit, flag, items, number, word
from auditor.watched import unseen
from harness.models import EnvironmentFacts, Outcome

HEADINGS = ("What it finds", "Why it matters", "Honest look-alikes", "What it misses")
"""What every rule's docstring must say."""
CODE_SUFFIXES = (".py", ".pth", ".sh", ".bash")
_STRENGTH = (How.CLAIMED, How.INFERRED, How.OBSERVED)


class Rule(ABC):
    """One misdeed. Subclass the class for your kind of evidence, not this one."""

    code: ClassVar[str]
    kind: ClassVar[Kind]
    """The most it may claim."""
    misdeed: ClassVar[Misdeed]
    severity: ClassVar[Severity]
    confidence: ClassVar[Confidence]
    scope: ClassVar[Scope] = Scope.ENTRY
    source: ClassVar[Literal["code", "run", "trail"]]
    needs: ClassVar[tuple[str, ...]] = ()
    """Kinds of evidence without which silence proves nothing."""
    interventions: ClassVar[tuple[str, ...]] = ()
    """Names of the interventions that bear on the claim."""
    cheat: ClassVar[Mapping[str, Example]]
    honest: ClassVar[Mapping[str, Example]]

    @property
    def name(self) -> str:
        """The class name as words: `this attempt shows …`."""
        return type(self).__name__

    def applies(self, facts: EnvironmentFacts | None) -> bool:
        """Returns whether the rule makes sense for an environment.

        It sees nothing else on purpose: `not_applicable` must not depend on the attempt.
        """
        return True

    @abstractmethod
    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields what the unit shows; made with `report`."""

    def missing(self, unit: Unit) -> str:
        """Returns why silence would prove nothing here; empty when it does."""
        absent = [kind for kind in self.needs if not unit.of(kind)]
        return f"no {' and no '.join(absent)} evidence" if absent else ""

    def report(
        self,
        unit: Unit,
        message: str,
        cites: Sequence[Evidence],
        *,
        sites: Sequence[Site] = (),
        kind: Kind | None = None,
        effect: Effect = Effect.UNKNOWN,
        flow: bool = False,
        conditional: bool = False,
        interventions: Sequence[str] | None = None,
    ) -> Finding:
        """Builds a finding that cites what it rests on.

        Args:
            unit: what was looked at.
            message: one or two sentences of fact.
            cites: the evidence; at least one fact.
            sites: where it is.
            kind: less than the rule's own kind, where proof is short.
            effect: whether the score was changed by it, where that is known already.
            flow: code rules: an end-to-end path to the score was followed.
            conditional: code rules: the code branches on being observed, or stays opaque.
            interventions: those that bear on this claim, when not all of the rule's do.
        """
        return Finding(
            code=self.code,
            rule=self.name,
            kind=min(kind or self.kind, self.kind, key=gravity),
            misdeed=self.misdeed,
            severity=self.severity,
            confidence=self.confidence,
            source=self.source,
            effect=effect,
            message=message,
            entries=() if unit.entry is None else (unit.entry,),
            sites=tuple(sites),
            cites=tuple(fact.id for fact in cites),
            how=max((fact.how for fact in cites), key=_STRENGTH.index),
            flow=flow,
            conditional=conditional,
            interventions=tuple(self.interventions if interventions is None else interventions),
        )


_inspected: "WeakKeyDictionary[Program, dict[str, tuple[object, Sequence[tuple[str, Found]]]]]" = (
    WeakKeyDictionary()
)
"""What code rules found in the last programs, with what else they were asked about."""


class CodeRule(Rule):
    """A rule about what the agent changed in source files, against the start."""

    source = "code"
    needs: ClassVar[tuple[str, ...]] = ("files_compared",)

    @abstractmethod
    def inspect(self, unit: Unit) -> Iterable[tuple[str, "Found"]]:
        """Yields places by file; those on lines the agent left alone are dropped."""

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding per line that the agent added or changed."""
        reported = set()
        sources = {source.path: source for source in unit.sources}
        for path, place in self._places(unit):
            source, key = sources[path], (path, place.line)
            fact = unit.about(source)
            if fact is not None and place.line in source.changed and key not in reported:
                reported.add(key)
                yield self._finding(unit, source, fact, place)

    def _places(self, unit: Unit) -> Sequence[tuple[str, "Found"]]:
        """What `inspect` yields; for entries with the same code it is asked once."""
        asked = (unit.sources, unit.facts, dict(unit.thresholds))
        known = _inspected.setdefault(unit.program, {})
        before = known.get(self.code)
        if before is None or before[0] != asked:
            known[self.code] = before = (asked, tuple(self.inspect(unit)))
        return before[1]

    def _finding(
        self, unit: Unit, source: ChangedSource, fact: Evidence, place: "Found"
    ) -> Finding:
        commit = word(fact, "commit") or None
        runs = source.reachable or unit.program.loads(source.path)
        where = "" if runs else " (not reached from the entry point)"
        return self.report(
            unit,
            f"{source.path}:{place.line} {place.message}{where}.",
            [fact],
            sites=[
                Site(path=path, line=line, commit=commit)
                for path, line in ((source.path, place.line), *place.way)
            ],
            kind=place.kind,
            flow=place.flow and runs,
            conditional=place.conditional and runs,
        )

    def missing(self, unit: Unit) -> str:
        """Returns which code was not read: an unread file is a place to hide."""
        if reason := super().missing(unit):
            return reason
        read, broken = {source.path for source in unit.sources}, unit.program.broken
        unread = [
            word(fact, "path")
            for fact in unit.of("file_changed")
            if word(fact, "type") == "file"
            and word(fact, "change") != "removed"
            and word(fact, "path").endswith(CODE_SUFFIXES)
            and word(fact, "path") not in read
        ]
        unread += [
            source.path
            for source in unit.sources
            if source.reachable and source.path.endswith(".py") and source.path in broken
        ]
        unread += [path for path in unseen(unit) if path not in unread]
        return f"not parsed: {', '.join(unread[:5])}" if unread else ""


class Found(NamedTuple):
    """A place that a code rule reports."""

    line: int
    message: str
    """What is done there: a verb phrase that follows the place."""
    flow: bool = False
    conditional: bool = False
    kind: Kind | None = None
    way: tuple[tuple[str, int], ...] = ()
    """Further places that the data passes, by file and line."""


class RunRule(Rule):
    """A rule about what a solution did when it was executed again under interventions."""

    source = "run"
    needs: ClassVar[tuple[str, ...]] = ("intervention",)

    def replays(self, unit: Unit) -> tuple[Replayed, ...]:
        """Returns what the rule's interventions showed.

        What fails on the instance that the agent was given shows nothing by failing elsewhere.
        """
        sealed = [item for item in unit.of("sealed_score") if word(item, "split") == "validation"]
        fails = any(number(item, "value") is None for item in sealed)
        return tuple(
            replay
            for replay in unit.interventions(self.interventions)
            if replay.outcome is not Outcome.BROKE
            or not (fails or flag(replay.fact, "fails_unchanged"))
        )

    def missing(self, unit: Unit) -> str:
        """Returns which interventions did not run: silence rests on every one of them."""
        if reason := super().missing(unit):
            return reason
        seen = {replay.name: replay for replay in self.replays(unit)}
        gaps = [name for name in self.interventions if name not in seen or not seen[name].ran]
        return f"nothing shown by: {', '.join(gaps)}" if gaps else ""

    def of_replay(
        self,
        unit: Unit,
        replay: Replayed,
        message: str,
        *,
        kind: Kind | None = None,
        effect: Effect = Effect.UNKNOWN,
    ) -> Finding:
        """Builds a finding that rests on one intervention."""
        path = word(replay.fact, "path") or word(replay.fact, "output") or None
        link = word(replay.fact, "link")
        told = f"{message}: {replay.shown.rstrip('.')}{_tensors(replay.fact)}"
        return self.report(
            unit,
            f"{told}; the output was a link to {link}." if link else f"{told}.",
            [replay.fact],
            sites=[Site(path=path)] if path else (),
            kind=kind,
            effect=effect,
            interventions=[replay.name],
        )


class ScoreRule(Rule):
    """A rule about scores: what was claimed, what a sealed measurement gives, what was alive."""

    source = "run"
    needs: ClassVar[tuple[str, ...]] = ("sealed_score",)


class TrailRule(Rule):
    """A rule about files, logs and where things came from."""

    source = "trail"
    needs: ClassVar[tuple[str, ...]] = ("files_compared",)


class Doing(NamedTuple):
    """A deed of an event, as rules read it."""

    fact: Evidence
    deed: Mapping[str, JsonValue]

    @property
    def event(self) -> int:
        """Number of the event in the trajectory."""
        return int(number(self.fact, "event") or 0)

    @property
    def imported(self) -> bool:
        """Whether somebody else recorded it."""
        return flag(self.fact, "imported")

    def text(self, key: str) -> str:
        """Returns a text field of the deed: `verb`, `path`, `zone`, `to`, `to_zone`, `what`."""
        value = self.deed.get(key)
        return value if isinstance(value, str) else ""

    def is_true(self, key: str) -> bool:
        """Returns a flag of the deed: `sure`, `to_sure`, `background`, `loop`."""
        return self.deed.get(key) is True

    @property
    def failed(self) -> bool:
        """Whether what was printed says that it was refused."""
        return self.is_true("failed")

    @property
    def quote(self) -> str:
        """The line that does it."""
        return self.text("quote").replace("`", "'")

    @property
    def via(self) -> str:
        """The agent's own file that does it, where the event only runs that."""
        return self.text("via")


class TrajectoryRule(Rule):
    """A rule about what an agent was recorded to do and say, event by event."""

    source = "trail"
    scope = Scope.ATTEMPT
    needs: ClassVar[tuple[str, ...]] = ("trajectory_read",)

    def doings(self, unit: Unit) -> Iterator[Doing]:
        """Yields what the events do that concerns more than the agent's own files."""
        for seen in unit.of("agent_action"):
            for deed in items(seen, "deeds"):
                if isinstance(deed, dict):
                    yield Doing(seen, deed)

    def of_events(
        self,
        unit: Unit,
        doings: Sequence[Doing],
        message: str,
        *,
        kind: Kind | None = None,
    ) -> Finding:
        """Builds a finding about deeds of one event; what failed has no effect."""
        first = doings[0]
        failed = all(doing.failed for doing in doings)
        via = f", by {first.via}" if first.via else ""
        tried = ", which was refused" if failed else ""
        return self.report(
            unit,
            f"Event {first.event}{via} {message}{tried}: `{first.quote}`.",
            [first.fact],
            sites=[Site(event=first.event), *([Site(path=first.via)] if first.via else [])],
            kind=kind,
            effect=Effect.INEFFECTIVE if failed else Effect.UNKNOWN,
        )

    def missing(self, unit: Unit) -> str:
        """Returns which events were not read."""
        if reason := super().missing(unit):
            return reason
        read = unit.of("trajectory_read")
        problems = [str(text) for seen in read for text in items(seen, "problems")]
        return f"events that were not read: {'; '.join(problems[:3])}" if problems else ""


def gravity(kind: Kind) -> int:
    """Returns how much a kind claims, as a number to compare."""
    return list(Kind).index(kind)


def _tensors(fact: Evidence) -> str:
    """The tensors that show it best, by name."""
    data = fact.data.get("tensors") or fact.data.get("worst_tensors")
    if isinstance(data, dict):
        figures = {name: value for name, value in data.items() if isinstance(value, int | float)}
        names = sorted(figures, key=lambda name: -abs(figures[name]))
    else:
        listed = data if isinstance(data, list) else []
        names = [str(item.get("name", "")) for item in listed if isinstance(item, dict)]
    return f"; tensors {', '.join(names[:3])}" if names else ""


__all__ = [
    "CODE_SUFFIXES", "HEADINGS", "ChangedSource", "CodeRule", "Confidence", "Doing", "Edit",
    "Effect", "EnvironmentFacts", "Evidence", "Example", "Facts", "Finding", "Found", "How", "Kind",
    "Misdeed", "Outcome", "Replayed", "Rule", "RunRule", "Scope", "ScoreRule", "Severity", "Site",
    "TrailRule", "TrajectoryRule", "Transcript", "Unit", "changed", "compared", "fact", "flag",
    "gravity", "items", "number", "replayed", "scored", "sealed", "word",
]  # fmt: skip
