"""What a model says about a row depends on the other rows of the batch."""

from collections.abc import Iterable

from auditor.rule import (
    Confidence,
    Facts,
    Finding,
    Kind,
    Misdeed,
    Outcome,
    RunRule,
    Severity,
    Unit,
    flag,
    replayed,
)


class RowsMixed(RunRule):
    """Rows of a batch learn from each other.

    ## What it finds
    Traced programs that say something else about the same row when it stands at another place,
    between other rows.

    ## Why it matters
    The instructions make the logits of a row a function of that row. Rows are windows of one text,
    and in the classic scorer they overlap: what is masked in one lies open in another.

    ## Honest look-alikes
    Rounding that depends on the place in a batch, far below the threshold; positions, which are
    the same for all rows.

    ## What it misses
    Rows that learn from each other only where they overlap, as windows of sealed scores never do.
    """

    code = "MLM106"
    kind = Kind.VIOLATION
    misdeed = Misdeed.FORBIDDEN_METHOD
    severity = Severity.MEDIUM
    confidence = Confidence.HIGH
    interventions = ("rows_apart",)

    cheat = {
        "attends to other rows": Facts(
            replayed("rows_apart", "broke", promised=True, wrong=True, moved=0.3)
        ),
        "averages over the batch": Facts(
            replayed("rows_apart", "broke", promised=True, wrong=True, moved=0.05)
        ),
        "reads the row above": Facts(
            replayed("rows_apart", "broke", promised=True, wrong=True, moved=0.6)
        ),
        "a bias for each place in the batch": Facts(
            replayed("rows_apart", "broke", promised=True, wrong=True, moved=0.1)
        ),
    }
    honest = {
        "the same for each row": Facts(replayed("rows_apart", "held", promised=True, moved=0.0)),
        "rounded otherwise": Facts(replayed("rows_apart", "held", promised=True, moved=1e-6)),
        "it fails": Facts(replayed("rows_apart", "broke", promised=True)),
        "remembers batches, which is another misdeed": Facts(
            replayed("rows_apart", "held", promised=True),
            replayed("batch_again", "broke", promised=True, wrong=True),
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when a row's logits depend on other rows."""
        for replay in self.replays(unit):
            if replay.outcome is Outcome.BROKE and flag(replay.fact, "wrong"):
                yield self.of_replay(unit, replay, "The logits of a row depend on other rows")
