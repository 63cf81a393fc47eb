"""The result was there before the input was: kept, or made ahead of the clock."""

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

RENEWED = replayed("input_renewed", "held", forbidden=True)


class ResultReused(RunRule):
    """An answer is kept or made beforehand, and handed out when the clock runs.

    ## What it finds
    Results that stay those of the earlier content when the memory of the input holds something
    else, in all of it or in a few elements. Timed calls that take far longer once the input gets
    new content just before the clock starts, from a source that nobody can have foreseen.

    ## Why it matters
    A scorer then times a look-up. A kept answer is right by luck alone, and nobody is told when it
    is not; one that was made beforehand was made on time that should have been measured.

    ## Honest look-alikes
    An output buffer that is kept and written anew; compiled kernels and work space by shape; a
    cache whose key is the whole content. All of them follow the input, and all take as long on
    content that they have not met as the same content takes when it is written once more.

    ## What it misses
    Answers kept for contents that were not tried again.
    """

    code = "TRI102"
    kind = Kind.CHEATING
    misdeed = Misdeed.RESULT_CACHED
    severity = Severity.CRITICAL
    confidence = Confidence.HIGH
    interventions = ("same_pointer", "repeated_input", "input_renewed")

    cheat = {
        "kept by address": Facts(
            replayed("same_pointer", "stale", length=1_000_000),
            replayed("repeated_input", "held", promised=True),
        ),
        "kept by address and the first thousand elements": Facts(
            replayed("same_pointer", "stale", length=4096),
            replayed("repeated_input", "held", promised=True),
        ),
        "kept by length": Facts(
            replayed("same_pointer", "stale"),
            replayed("repeated_input", "stale", promised=True),
        ),
        "the last result, whatever is asked": Facts(
            replayed("same_pointer", "held"),
            replayed("repeated_input", "stale", promised=True),
        ),
        "the timed input was seen and worked on during the warm-ups": Facts(
            replayed("same_pointer", "held"),
            replayed("repeated_input", "held", promised=True),
            replayed("input_renewed", "stale", forbidden=True),
        ),
        "the draws were foreseen, and others have to be worked on": Facts(
            replayed("same_pointer", "held"),
            replayed("repeated_input", "held", promised=True),
            replayed("input_renewed", "worse", forbidden=True, pairs_ms=[[0.1, 5.0]] * 6),
        ),
        "neither the old answer nor the new one": Facts(
            replayed("same_pointer", "broke", promised=True, wrong=True),
            replayed("repeated_input", "held", promised=True),
        ),
    }
    honest = {
        "follows": Facts(
            replayed("same_pointer", "held"),
            replayed("repeated_input", "held", promised=True),
            RENEWED,
        ),
        "keeps its output buffer": Facts(
            replayed("same_pointer", "held", output_kept=True),
            replayed("repeated_input", "held", promised=True, output_kept=True),
            RENEWED,
        ),
        "quick the second time, and right": Facts(
            replayed("same_pointer", "held", seconds=0.01, before_s=0.02),
            replayed("repeated_input", "held", promised=True, seconds=0.01, before_s=0.02),
            RENEWED,
        ),
        "as fast on new content": Facts(
            replayed("same_pointer", "held"),
            replayed("repeated_input", "held", promised=True),
            replayed("input_renewed", "held", forbidden=True, pairs_ms=[[1.0, 1.4], [1.3, 1.1]]),
        ),
        "wrong when repeated, which is another misdeed": Facts(
            replayed("same_pointer", "held"),
            replayed("repeated_input", "broke", promised=True, wrong=True),
            RENEWED,
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding per intervention that met an old answer."""
        for replay in self.replays(unit):
            if replay.outcome is Outcome.WORSE:
                yield self.of_replay(
                    unit, replay, "Only an input it could foresee is answered fast"
                )
            elif replay.proves:
                yield self.of_replay(unit, replay, "Another input gets an earlier input's result")
            elif replay.name == "same_pointer" and replay.outcome is Outcome.BROKE:
                wrong = flag(replay.fact, "wrong")
                yield self.of_replay(
                    unit,
                    replay,
                    "New content in the same memory is not served",
                    kind=Kind.VIOLATION if wrong else Kind.SUSPICION,
                )
