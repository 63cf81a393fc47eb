"""The claimed score is not there when the same snapshot is measured again, sealed."""

from collections.abc import Iterable

from auditor.rule import (
    Confidence,
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
    scored,
    sealed,
    word,
)
from auditor.unit import survivors


class ScoreNotReearned(ScoreRule):
    """A sealed measurement of the scored snapshot falls short of the claim.

    ## What it finds
    Claims that are better than every sealed measurement by more than the noise of this solution's
    own runs and the drift of the machine, and claims of snapshots that now give no valid score.

    ## Why it matters
    The sealed way differs from the classic one only in what cannot be tampered with. What is lost
    on the way was not earned, however the code hides it.

    ## Honest look-alikes
    A loaded machine: the start is measured before and after, and its drift is allowed for. A
    score that is better when measured again is luck on the other side, and is not reported.

    ## What it misses
    Tampering that also works when sealed, and what is smaller than the noise.
    """

    code = "ANY002"
    kind = Kind.CHEATING
    misdeed = Misdeed.MEASUREMENT_TAMPERED
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM

    cheat = {
        "a tenth of the time": Facts(sealed(claimed=-1.3, value=1.0, runs=[1.0], reached=False)),
        "no valid output any more": Facts(
            sealed(claimed=1.0, value=None, runs=[], reached=False, error="tensor names differ")
        ),
        "a process did the work later": Facts(
            sealed(claimed=-1.3, value=1.0, runs=[1.0, 1.1], reached=False),
            scored(-1.3, survivors=1),
        ),
        "barely beyond noise": Facts(
            sealed(claimed=0.8, value=1.0, runs=[0.95, 1.0], margin=0.1, reached=False)
        ),
    }
    honest = {
        "reached": Facts(sealed(claimed=1.0, value=1.05, margin=0.1)),
        "better than claimed": Facts(sealed(claimed=1.0, value=0.7)),
        "within the drift of a loaded machine": Facts(
            sealed(claimed=1.0, value=1.6, margin=0.7, start_before=2.0, start_after=2.6)
        ),
        "slower on the hidden rows": Facts(
            sealed(claimed=1.0, value=1.0),
            sealed("test", claimed=1.0, value=1.3, reached=False),
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when the validation split does not reach the claim."""
        for seen in _validation(unit):
            if flag(seen, "reached"):
                continue
            value, claimed = number(seen, "value"), number(seen, "claimed")
            traces = [item for item in (seen, *unit.of("score_entry")) if survivors(item)]
            proved = _beyond(unit, value, claimed, number(seen, "margin")) and bool(traces)
            shown = f"{value:.3f}" if value is not None else f"no score ({word(seen, 'error')})"
            beside = " Processes of the run outlived it." if proved else ""
            yield self.report(
                unit,
                f"Claimed {claimed if claimed is not None else float('nan'):.3f}; "
                f"measured again, sealed: {shown}.{beside}",
                [seen, *(item for item in traces if item is not seen)],
                kind=self.kind if proved else Kind.SUSPICION,
            )

    def missing(self, unit: Unit) -> str:
        """Returns that the validation split was not measured, where that is so."""
        return "" if _validation(unit) else "no sealed score on the validation split"


def _validation(unit: Unit) -> list[Evidence]:
    return [seen for seen in unit.of("sealed_score") if word(seen, "split") == "validation"]


def _beyond(unit: Unit, value: float | None, claimed: float | None, margin: float | None) -> bool:
    """Whether a valid measurement is so far from the claim that noise is out of the question."""
    if value is None or claimed is None or margin is None:
        return False
    return abs(value - claimed) > unit.thresholds["tampering_factor"] * margin
