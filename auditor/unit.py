"""What one application of a rule looks at: facts, and the changed source beside them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from pydantic import JsonValue

from auditor.code.graph import Graph, graph_of
from auditor.code.program import Entry, Program, entries, program_of
from auditor.code.source import ChangedSource
from auditor.models import Evidence
from harness.models import EnvironmentFacts, Outcome


class Replayed(NamedTuple):
    """An intervention as rules read it."""

    fact: Evidence
    name: str
    outcome: Outcome
    forbidden: bool
    promised: bool

    @property
    def ran(self) -> bool:
        """Whether it says anything at all."""
        return self.outcome is not Outcome.NOT_RUN

    @property
    def proves(self) -> bool:
        """Whether it can support cheating: stale, or worse without what the task forbids."""
        return self.outcome is Outcome.STALE or (self.outcome is Outcome.WORSE and self.forbidden)

    @property
    def shown(self) -> str:
        """What was expected and seen, in the environment's own words."""
        return f"expected {word(self.fact, 'expected')}; observed {word(self.fact, 'observed')}"


@dataclass(frozen=True)
class Unit:
    """What one application of a rule looks at: an entry, or a whole attempt."""

    entry: int | None
    """Index of the score entry; None for the attempt as a whole."""
    evidence: tuple[Evidence, ...] = ()
    sources: tuple[ChangedSource, ...] = ()
    """Texts of the changed files, beside the `source_changed` facts about them."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    facts: EnvironmentFacts | None = None
    """The environment's; None where no environment is known."""
    enters: tuple[Entry, ...] | None = None
    """Where scoring enters the code; the environment's entry points when None."""
    several: bool = False
    """It is about several attempts and how they relate."""

    @cached_property
    def program(self) -> Program:
        """The Python of the sources as one program."""
        return program_of(self.sources, self.entries)

    @property
    def entries(self) -> tuple[Entry, ...] | None:
        """Where scoring enters the code; None where nobody knows."""
        return self.enters or entries(self.facts)

    @property
    def graph(self) -> Graph:
        """Where data goes in the program."""
        return graph_of(self.program)

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids that findings may cite."""
        return frozenset(fact.id for fact in self.evidence)

    @cached_property
    def _by_kind(self) -> Mapping[str, tuple[Evidence, ...]]:
        found: dict[str, list[Evidence]] = {}
        for fact in self.evidence:
            found.setdefault(fact.kind, []).append(fact)
        return {kind: tuple(facts) for kind, facts in found.items()}

    def of(self, kind: str) -> tuple[Evidence, ...]:
        """Returns the facts of one kind, oldest first."""
        return self._by_kind.get(kind, ())

    def interventions(self, names: Iterable[str]) -> tuple[Replayed, ...]:
        """Returns what the named interventions showed, in the order of `names`."""
        seen = {word(fact, "name"): fact for fact in self.of("intervention")}
        return tuple(_replayed(seen[name]) for name in names if name in seen)

    def shares_process(self, path: str) -> bool:
        """Returns whether a file may run beside the scorer: always, or only if it is in its way."""
        if self.facts is None or self.facts.in_process:
            return True
        return not self.facts.workspace.allows(path)

    def about(self, source: ChangedSource) -> Evidence | None:
        """Returns the fact that a changed source rests on."""
        for fact in self.of("source_changed"):
            if fact.data.get("path") == source.path:
                return fact
        return None


def word(fact: Evidence, key: str) -> str:
    """Returns a text field of a fact; empty when it is absent or no text."""
    value = fact.data.get(key)
    return value if isinstance(value, str) else ""


def number(fact: Evidence, key: str) -> float | None:
    """Returns a numeric field of a fact; None when it is absent or no number."""
    value = fact.data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def flag(fact: Evidence, key: str) -> bool:
    """Returns whether a field is present and true."""
    return fact.data.get(key) is True


def items(fact: Evidence, key: str) -> list[JsonValue]:
    """Returns a list field of a fact; empty when it is absent or no list."""
    value = fact.data.get(key)
    return value if isinstance(value, list) else []


def survivors(fact: Evidence) -> int:
    """Returns how many processes outlived a scored run, whether counted or listed."""
    details = fact.data.get("details")
    inner = details.get("survivors") if isinstance(details, dict) else None
    for value in (fact.data.get("survivors"), inner):
        if isinstance(value, list):
            return len(value)
        if isinstance(value, int) and value:
            return int(value)
    return 0


def _replayed(fact: Evidence) -> Replayed:
    return Replayed(
        fact,
        word(fact, "name"),
        Outcome(word(fact, "outcome")),
        flag(fact, "forbidden"),
        flag(fact, "promised"),
    )
