"""A rule that finds what its tests tell it to."""

from collections.abc import Iterable

from auditor.rule import (
    Confidence,
    Finding,
    Kind,
    Misdeed,
    Severity,
    TrailRule,
    Unit,
    number,
    word,
)


class Wrong(TrailRule):
    """Something is wrong."""

    code = "TST001"
    kind = Kind.VIOLATION
    misdeed = Misdeed.FORBIDDEN_METHOD
    severity = Severity.LOW
    confidence = Confidence.LOW
    needs = ("seen",)

    def check(self, unit: Unit) -> Iterable[Finding]:
        from auditor.models import Site

        for seen in unit.of("seen"):
            if word(seen, "say") == "raise":
                raise KeyError("no such thing")
            for place in range(int(number(seen, "times") or 0)):
                kind = Kind.NOTE if place < (number(seen, "notes") or 0) else None
                site = Site(path=word(seen, "path") or f"{place}.py", line=place + 1)
                yield self.report(unit, f"wrong {place}", [seen], sites=[site], kind=kind)
