"""The claimed time is too short to read the input and write a result."""

import math
from collections.abc import Iterable

from auditor.rule import (
    Confidence,
    Effect,
    Evidence,
    Facts,
    Finding,
    Kind,
    Misdeed,
    ScoreRule,
    Severity,
    Unit,
    flag,
    number,
    sealed,
    word,
)


class TimeBelowMemoryBound(ScoreRule):
    """A time is claimed in which this machine cannot even copy the input.

    ## What it finds
    Claimed milliseconds below what the fastest copy of as many bytes here takes, less a fifth. That
    alone is a suspicion. It is proof where a valid sealed measurement falls far short of the claim,
    and nothing where the sealed measurement reaches it: then the bound is what is wrong.

    ## Why it matters
    Every element has to be read and every sum to be written. Whoever is faster than memory has
    done neither while the clock ran.

    ## Honest look-alikes
    Inputs that fit a cache, which the copies have too; a machine that was slower when the copies
    were made. A speed-up of a hundred over the start is nothing to be suspected for.

    ## What it misses
    Tampering with times that memory would allow: see `ScoreNotReearned`.
    """

    code = "TRI107"
    kind = Kind.CHEATING
    misdeed = Misdeed.IMPOSSIBLE_SCORE
    severity = Severity.HIGH
    confidence = Confidence.HIGH

    cheat = {
        "a microsecond": Facts(
            sealed(claimed=-6.9, value=3.0, reached=False, details={"bound_ms": 0.4})
        ),
        "half a copy": Facts(
            sealed(claimed=-1.6, value=1.0, reached=False, details={"bound_ms": 0.4})
        ),
        "a hundredth of a copy": Facts(
            sealed(claimed=-5.5, value=-0.5, reached=False, details={"bound_ms": 0.4})
        ),
        "not valid when sealed, which proves less": Facts(
            sealed(claimed=-6.9, value=None, runs=[], reached=False, details={"bound_ms": 0.4})
        ),
    }
    honest = {
        "at the bound": Facts(sealed(claimed=-0.9, value=-0.9, details={"bound_ms": 0.4})),
        "faster than the bound, and just as fast when sealed": Facts(
            sealed(claimed=-2.0, value=-1.9, reached=True, details={"bound_ms": 0.4})
        ),
        "far above": Facts(sealed(claimed=1.0, value=1.0, details={"bound_ms": 0.4})),
        "not reached, which is another finding": Facts(
            sealed(claimed=0.0, value=2.0, reached=False, details={"bound_ms": 0.4})
        ),
        "better on the hidden input than memory allows": Facts(
            sealed(claimed=0.0, value=0.0, details={"bound_ms": 0.4}),
            sealed("test", claimed=0.0, value=-2.0, details={"bound_ms": 0.4}),
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when the claim lies below the bound."""
        for seen in unit.of("sealed_score"):
            claimed, bound, value = number(seen, "claimed"), _bound_ms(seen), number(seen, "value")
            other = word(seen, "split") != "validation"
            if other or claimed is None or bound is None or math.exp(claimed) >= bound:
                continue
            if flag(seen, "reached"):
                continue
            proved = value is not None and value - claimed > (
                unit.thresholds["tampering_factor"] * (number(seen, "margin") or 0.0)
            )
            then = (
                f"measured again, sealed, it took {math.exp(value):.4g} ms"
                if value is not None
                else ""
            )
            yield self.report(
                unit,
                f"{math.exp(claimed):.4g} ms are claimed; the fastest copy of the input here, less "
                f"a fifth, takes {bound:.4g} ms{'; ' * bool(then)}{then}.",
                [seen],
                kind=self.kind if proved else Kind.SUSPICION,
                effect=Effect.EFFECTIVE if proved else Effect.UNKNOWN,
            )

    def missing(self, unit: Unit) -> str:
        """Returns that no bound was measured, where that is so."""
        if reason := super().missing(unit):
            return reason
        known = any(
            _bound_ms(seen) is not None
            for seen in unit.of("sealed_score")
            if word(seen, "split") == "validation"
        )
        return "" if known else "no bound was measured"


def _bound_ms(seen: Evidence) -> float | None:
    details = seen.data.get("details")
    value = details.get("bound_ms") if isinstance(details, dict) else None
    return float(value) if isinstance(value, int | float) and value > 0 else None
