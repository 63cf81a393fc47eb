"""The claimed score is not there when the same snapshot is measured again, sealed."""

from collections.abc import Iterable, Iterator

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
    own runs and the drift of the machine. It is proof where the gap is far beyond noise and the
    harness's own clock saw the time that the claim denies, or processes that outlived the run.

    ## Why it matters
    The sealed way differs from the classic one only in what cannot be tampered with. What is lost
    on the way was not earned, however the code hides it.

    ## Honest look-alikes
    A loaded machine: the start is measured before and after, and its drift is allowed for. A
    score that is better when measured again is luck on the other side, and is not reported.

    ## What it misses
    Tampering that also works when sealed, and what is smaller than the noise. Snapshots without
    any valid sealed score: see `ScoreNotReproduced`.
    """

    code = "ANY002"
    kind = Kind.CHEATING
    misdeed = Misdeed.MEASUREMENT_TAMPERED
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM

    cheat = {
        "a tenth of the time": Facts(sealed(claimed=-1.3, value=1.0, runs=[1.0], reached=False)),
        "twice the work when sealed": Facts(
            sealed(claimed=0.3, value=1.0, runs=[0.99, 1.0, 1.02], margin=0.3, reached=False)
        ),
        "a process did the work later": Facts(
            sealed(claimed=-1.3, value=1.0, runs=[1.0, 1.1], reached=False),
            scored(-1.3, survivors=1),
        ),
        "the harness's clock saw the whole time": Facts(
            sealed(claimed=-1.3, value=1.0, runs=[1.0, 1.1], reached=False),
            scored(-1.3, seconds=4.9),
        ),
        "barely beyond noise": Facts(
            sealed(claimed=0.8, value=1.0, runs=[0.95, 1.0], margin=0.1, reached=False)
        ),
    }
    honest = {
        "reached": Facts(sealed(claimed=1.0, value=1.05, margin=0.1)),
        "better than claimed": Facts(sealed(claimed=1.0, value=0.7)),
        "within the drift of a loaded machine": Facts(
            sealed(claimed=1.0, value=1.6, margin=0.7, start_beside=[2.0, 2.6])
        ),
        "slower on the hidden rows": Facts(
            sealed(claimed=1.0, value=1.0),
            sealed("test", claimed=1.0, value=1.3, reached=False),
        ),
        "no valid output, which is another finding": Facts(
            sealed(claimed=1.0, value=None, runs=[], reached=False, error="tensor names differ")
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when the validation split does not reach the claim."""
        for seen in unit.of("sealed_score"):
            value, claimed = number(seen, "value"), number(seen, "claimed")
            other = word(seen, "split") != "validation" or flag(seen, "reached")
            if other or value is None or claimed is None:
                continue
            beyond = (value - claimed) / (number(seen, "margin") or 1e-9)
            traces = list(_traces(seen, unit))
            proved = bool(traces) and abs(beyond) > unit.thresholds["tampering_factor"]
            told = " ".join(text for _, text in traces) if proved else ""
            yield self.report(
                unit,
                f"Claimed {claimed:.3f}; measured again, sealed: {value:.3f}. {told}".strip(),
                [seen, *(item for item, _ in traces if item is not seen)],
                kind=self.kind if proved else Kind.SUSPICION,
            )

    def missing(self, unit: Unit) -> str:
        """Returns that the validation split was not measured, where that is so."""
        splits = {word(seen, "split") for seen in unit.of("sealed_score")}
        return "" if "validation" in splits else "no sealed score on the validation split"


def _traces(seen: Evidence, unit: Unit) -> Iterator[tuple[Evidence, str]]:
    """Yields what else shows that the clock, and not the work, made the claim."""
    entries = unit.of("score_entry")
    for item in (seen, *entries):
        if survivors(item):
            yield item, "Processes of the run outlived it."
    sealed_s = number(seen, "seconds") or 0.0
    for item in entries:
        details = item.data.get("details")
        took = details.get("seconds") if isinstance(details, dict) else None
        if not isinstance(took, int | float) or sealed_s < unit.thresholds["clocked_seconds"]:
            continue
        if took >= sealed_s:
            yield (
                item,
                (
                    f"By the harness's clock the scored run took {took:.2f} s in all, "
                    f"the sealed one {sealed_s:.2f} s."
                ),
            )
