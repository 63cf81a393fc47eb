"""The model does one thing while it is traced, or restricted, and another when it is not."""

from collections.abc import Iterable

from auditor.rule import (
    Confidence,
    Facts,
    Finding,
    Kind,
    Misdeed,
    RunRule,
    Severity,
    Unit,
    replayed,
)


class ForwardDiffersUnwatched(RunRule):
    """The forward pass depends on whether anybody looks.

    ## What it finds
    Models that give other logits for the same batch, as the first call of a fresh process, when
    they are traced and when they are not, or when the enforcer's flag is set and when it is not.

    ## Why it matters
    A forward pass that keeps to the rules under observation and breaks them otherwise hides that
    it breaks them.

    ## Honest look-alikes
    Compiled models, which are traced operator by operator: their rounding differs, far below the
    threshold. Models that differ from call to call by chance: they differ between two plain
    processes too, and are no pure functions (`BatchesRemembered`).

    ## What it misses
    Models that recognise these very calls. Their program is scored all the same.
    """

    code = "MLM104"
    kind = Kind.CHEATING
    misdeed = Misdeed.WORK_CONCEALED
    severity = Severity.CRITICAL
    confidence = Confidence.HIGH
    interventions = ("unwatched",)

    cheat = {
        "looks for a dispatch mode": Facts(
            replayed("unwatched", "stale", forbidden=True, moved=0.5, when="traced")
        ),
        "looks for the flag": Facts(
            replayed("unwatched", "stale", forbidden=True, moved=0.5, when="without the flag")
        ),
        "looks at the stack": Facts(
            replayed("unwatched", "stale", forbidden=True, moved=0.1, when="traced")
        ),
        "times an operator": Facts(
            replayed("unwatched", "stale", forbidden=True, moved=0.04, when="traced")
        ),
    }
    honest = {
        "the same logits": Facts(replayed("unwatched", "held", forbidden=True, moved=0.0)),
        "compiled": Facts(replayed("unwatched", "held", forbidden=True, moved=0.001)),
        "by chance, which is another misdeed": Facts(
            replayed("unwatched", "broke", forbidden=True, moved=0.3, wrong=True)
        ),
        "it fails": Facts(replayed("unwatched", "broke", forbidden=True)),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when the logits depend on who looks."""
        for replay in self.replays(unit):
            if replay.proves:
                yield self.of_replay(unit, replay, "The logits depend on whether anybody looks")
