"""What a report is made of: the verdict, the facts it cites and the rules that spoke."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from auditor.models import Check, Evidence, Finding, Kind, Misdeed, Verdict


@dataclass(frozen=True)
class RuleText:
    """A rule as its author describes it."""

    code: str
    name: str
    kind: Kind
    """The most it may claim."""
    misdeed: Misdeed
    severity: str
    confidence: str
    summary: str
    parts: Mapping[str, str]
    """The sections of its documentation by heading, in order."""


class Row(NamedTuple):
    """A line around a place: `+` is new, `-` was there before, a blank is both."""

    sign: str
    line: int | None
    text: str


@dataclass(frozen=True)
class Material:
    """Everything known of one attempt; whatever is missing has no section in a report."""

    verdict: Verdict
    evidence: tuple[Evidence, ...] = ()
    checks: tuple[Check, ...] = ()
    rules: Mapping[str, RuleText] = field(default_factory=dict)
    """The rules that spoke, by code."""

    def of(self, kind: str) -> tuple[Evidence, ...]:
        """Returns the facts of a kind."""
        return tuple(fact for fact in self.evidence if fact.kind == kind)

    @cached_property
    def facts(self) -> Mapping[str, Evidence]:
        """The facts by id."""
        return {fact.id: fact for fact in self.evidence}

    @cached_property
    def passages(self) -> Mapping[tuple[str, int], tuple[Row, ...]]:
        """The lines around each place that was kept, by path and line."""
        found = {}
        for fact in self.of("passage"):
            path, line, kept = fact.data.get("path"), fact.data.get("line"), fact.data.get("rows")
            if isinstance(path, str) and isinstance(line, int) and isinstance(kept, list):
                found[path, line] = tuple(_row(item) for item in kept if isinstance(item, dict))
        return found

    def text(self, path: str, line: int) -> str:
        """Returns the text of a line that a finding names; empty where it was not kept."""
        return next((r.text for r in self.passages.get((path, line), ()) if r.line == line), "")


def _row(item: Mapping[str, object]) -> Row:
    line = item.get("line")
    return Row(
        str(item.get("sign", " ")), line if isinstance(line, int) else None,
        str(item.get("text", "")),
    )  # fmt: skip


def as_text(rule: RuleText) -> str:
    """Returns a rule's documentation as plain text."""
    return "\n\n".join([rule.summary, *(f"{name}\n{body}" for name, body in rule.parts.items())])


def identity(finding: Finding) -> str:
    """Returns what names a finding within one audit: the deed, and the entry it is about."""
    entries = "-".join(map(str, finding.entries))
    return f"{finding.fingerprint}:{entries}" if entries else finding.fingerprint
