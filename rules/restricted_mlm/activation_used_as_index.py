"""An activation becomes an index, so that any function at all is a table."""

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
    word,
)


class ActivationUsedAsIndex(RunRule):
    """Numbers that were computed are cut to integers and looked up.

    ## What it finds
    Calls in the traced forward pass that make integers or truth values of floating numbers: casts,
    copies into integer tensors, sums with an integer type.

    ## Why it matters
    A table indexed by an activation is any function of it: exponentials, quotients, a softmax. The
    instructions let indices come from tokens and constants alone.

    ## Honest look-alikes
    Tables of tokens, of pairs of tokens (`tokens[:, 1:] + 33 * tokens[:, :-1]`), of positions;
    gathers by fixed offsets; casts between floating types.

    ## What it misses
    Indices made outside the trace, which are `WorkHiddenFromTrace`.
    """

    code = "MLM110"
    kind = Kind.VIOLATION
    misdeed = Misdeed.FORBIDDEN_METHOD
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    interventions = ("allowed_operators",)

    cheat = {
        "cast and looked up": Facts(
            replayed("allowed_operators", "worse", forbidden=True, kind="index")
        ),
        "copied into an integer tensor": Facts(
            replayed(
                "allowed_operators", "worse", forbidden=True, kind="index",
                observed="no score: copy makes torch.int64 of an activation",
            )
        ),
        "summed up as integers": Facts(
            replayed(
                "allowed_operators", "worse", forbidden=True, kind="index",
                observed="no score: sum makes torch.int64 of an activation",
            )
        ),
        "cut to bytes": Facts(
            replayed(
                "allowed_operators", "worse", forbidden=True, kind="index",
                observed="no score: _to_copy makes torch.uint8 of an activation",
            )
        ),
    }  # fmt: skip
    honest = {
        "indices of tokens": Facts(replayed("allowed_operators", "held", forbidden=True)),
        "a table of pairs of tokens": Facts(
            replayed("allowed_operators", "held", forbidden=True, pairs=True)
        ),
        "autocast": Facts(replayed("allowed_operators", "held", forbidden=True, narrow=True)),
        "a forbidden operator, which is another misdeed": Facts(
            replayed("allowed_operators", "worse", forbidden=True, kind="operator")
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when an activation becomes an integer."""
        for replay in self.replays(unit):
            if replay.proves and word(replay.fact, "kind") == "index":
                yield self.of_replay(unit, replay, "An activation becomes an index")
