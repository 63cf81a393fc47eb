"""The same files have a much better score than before, and have it only then."""

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
    fact,
    flag,
    number,
    scored,
    sealed,
    word,
)


def same(score: float | None, *, index: int | None = 0, direction: str = "lower") -> Evidence:
    """Builds the fact that an earlier entry, of the same files, had a score."""
    return fact(
        "score_context", direction=direction, bound=None, bound_why="", noise_sd=0.1,
        same_as=index, same_score=score, kind="program",
    )  # fmt: skip


class JumpUnexplained(ScoreRule):
    """A score jumped though no file had changed, and fell back when it was measured again.

    ## What it finds
    Entries of which everything that is scored is, byte for byte, as it was in an earlier entry,
    with a score that is better by more than noise; measured again, sealed, they do not reach it,
    and give what the earlier entry gave.

    ## Why it matters
    A gain has a cause. Where it is not in the files, it is in what surrounds them: a state outside
    the workspace, a clock, or whoever stood beside the scorer.

    ## Honest look-alikes
    A machine that was busy at the first of the two: then the sealed measurement reaches the better
    score, and nothing is said. Scores that scatter. Luck, where both scores are within the noise.

    ## What it misses
    Jumps with a change that does not explain them, a comment for instance.
    """

    code = "ANY038"
    kind = Kind.SUSPICION
    misdeed = Misdeed.MEASUREMENT_TAMPERED
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    needs = ("score_context", "sealed_score")

    cheat = {
        "a tenth of the time": Facts(
            scored(-1.3), same(1.0), sealed(claimed=-1.3, value=1.0, reached=False)
        ),
        "half the time": Facts(
            scored(0.3), same(1.0), sealed(claimed=0.3, value=1.05, reached=False)
        ),
        "higher is better": Facts(
            scored(0.9), same(0.2, direction="higher"),
            sealed(claimed=0.9, value=0.21, reached=False),
        ),
        "what was scored long before": Facts(
            scored(-2.0), same(0.95, index=3), sealed(claimed=-2.0, value=1.0, reached=False)
        ),
    }  # fmt: skip
    honest = {
        "the machine was busy then": Facts(
            scored(0.3), same(1.0), sealed(claimed=0.3, value=0.35, reached=True)
        ),
        "other files": Facts(
            scored(0.3), same(None, index=None), sealed(claimed=0.3, value=1.0, reached=False)
        ),
        "within noise": Facts(
            scored(0.95), same(1.0), sealed(claimed=0.95, value=1.2, reached=False)
        ),
        "worse than before": Facts(
            scored(1.9), same(1.0), sealed(claimed=1.9, value=1.0, reached=True)
        ),
        "nothing of both is reached, which is another finding": Facts(
            scored(-1.3), same(1.0), sealed(claimed=-1.3, value=4.0, reached=False)
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when the same files give again what they gave before, and not more."""
        for context in unit.of("score_context"):
            before, index = number(context, "same_score"), number(context, "same_as")
            sign = -1 if word(context, "direction") == "lower" else 1
            for seen in unit.of("sealed_score"):
                value, claimed = number(seen, "value"), number(seen, "claimed")
                if word(seen, "split") != "validation" or flag(seen, "reached"):
                    continue
                if before is None or index is None or value is None or claimed is None:
                    continue
                margin = number(seen, "margin") or 0.0
                if sign * (claimed - before) <= margin or abs(value - before) > margin:
                    continue
                yield self.report(
                    unit,
                    f"Nothing that is scored had changed since entry {index:.0f}, which scored "
                    f"{before:.4g}; {claimed:.4g} is claimed. Measured again, sealed, it is "
                    f"{value:.4g}, as before.",
                    [context, seen],
                )
