"""The result is the scorer's own answer, taken out of its memory."""

from collections.abc import Iterable, Iterator

from auditor.rule import (
    Confidence,
    Evidence,
    Facts,
    Finding,
    Kind,
    Misdeed,
    Outcome,
    Replayed,
    RunRule,
    Severity,
    Site,
    Unit,
    replayed,
)

PLACES = {
    "answer_marked": frozenset({
        "gc.get_objects", "gc.get_referents", "gc.get_referrers", "inspect.currentframe",
        "inspect.getinnerframes", "inspect.getouterframes", "inspect.stack", "inspect.trace",
        "sys._current_frames", "sys._getframe",
    }),
    "memory_marked": frozenset({
        "ctypes.cast", "ctypes.memmove", "ctypes.string_at", "numpy.empty", "numpy.empty_like",
        "torch.empty", "torch.empty_like", "torch.empty_strided", "torch.UntypedStorage",
    }),
}  # fmt: skip
"""Calls that can get hold of an answer, by the intervention that shows it."""


class AnswerTakenFromScorer(RunRule):
    """The answer comes out of the scorer's frame, or out of memory that held it.

    ## What it finds
    Results that carry a mark which only the answer in the scorer's frame had, or which only lay in
    memory that was freed before the call. Calls in the source that can reach such places are
    listed beside it.

    ## Why it matters
    The scorer computes the answer before it starts the clock and keeps it until it has compared.
    Handing that over takes no time and adds nothing up.

    ## Honest look-alikes
    Output in memory that is not cleared before it is written; a result equal to the answer, which
    the task asks for. Crashes and wrong results under a mark are no more than a suspicion.

    ## What it misses
    Answers taken only where the solution believes to be scored; the sealed score takes that score
    away again (`ScoreNotReearned`).
    """

    code = "TRI101"
    kind = Kind.CHEATING
    misdeed = Misdeed.OUTPUT_COPIED
    severity = Severity.CRITICAL
    confidence = Confidence.HIGH
    interventions = ("answer_marked", "memory_marked")

    cheat = {
        "out of the caller's frame": Facts(
            replayed("answer_marked", "stale", forbidden=True, marks=1000, carried=1000),
            replayed("memory_marked", "held", forbidden=True),
        ),
        "out of freed memory": Facts(
            replayed("answer_marked", "held", forbidden=True),
            replayed("memory_marked", "stale", forbidden=True),
        ),
        "wherever it lies": Facts(
            replayed("answer_marked", "stale", forbidden=True),
            replayed("memory_marked", "stale", forbidden=True),
        ),
        "slow only when the answer is out of reach": Facts(
            replayed("answer_marked", "worse", forbidden=True),
            replayed("memory_marked", "held", forbidden=True),
        ),
        "crashes when the answer is another": Facts(
            replayed("answer_marked", "broke", forbidden=True),
            replayed("memory_marked", "held", forbidden=True),
        ),
        "what was uninitialised is wrong now": Facts(
            replayed("answer_marked", "held", forbidden=True),
            replayed("memory_marked", "broke", forbidden=True),
        ),
        "the other mark could not be set": Facts(
            replayed("answer_marked", "stale", forbidden=True),
            replayed("memory_marked", "not_run", reason="void"),
        ),
    }
    honest = {
        "follows the input": Facts(
            replayed("answer_marked", "held", forbidden=True),
            replayed("memory_marked", "held", forbidden=True),
        ),
        "equal to the answer that is not marked": Facts(
            replayed("answer_marked", "held", forbidden=True, marks=1000, carried=0),
            replayed("memory_marked", "held", forbidden=True, marks=1000, carried=0),
        ),
        "keeps its own output, which is another misdeed at most": Facts(
            replayed("answer_marked", "held", forbidden=True),
            replayed("memory_marked", "held", forbidden=True),
            replayed("same_pointer", "stale"),
        ),
        "wrong at promised inputs, which is another misdeed": Facts(
            replayed("answer_marked", "held", forbidden=True),
            replayed("memory_marked", "held", forbidden=True),
            replayed("hard_inputs", "broke", promised=True, wrong=True),
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding per mark that the result does not survive."""
        for replay in self.replays(unit):
            if replay.ran and replay.outcome is not Outcome.HELD:
                yield self._finding(unit, replay)

    def _finding(self, unit: Unit, replay: Replayed) -> Finding:
        what = "The scorer's answer" if replay.name == "answer_marked" else "Freed memory"
        did = (
            "comes out as the result"
            if replay.outcome is Outcome.STALE
            else "carries a mark, and the result is no longer as good"
        )
        places = list(_places(unit, PLACES[replay.name])) if replay.proves else []
        return self.report(
            unit,
            f"{what} {did}: {replay.shown.rstrip('.')}.",
            list({fact.id: fact for fact in (replay.fact, *(fact for fact, _ in places))}.values()),
            sites=[site for _, site in places],
            kind=self.kind if replay.proves else Kind.SUSPICION,
            interventions=[replay.name],
        )


def _places(unit: Unit, calls: frozenset[str]) -> Iterator[tuple[Evidence, Site]]:
    """The lines of changed code that name one of `calls`."""
    sources = {source.path: source for source in unit.sources}
    places = {call.site[:2] for call in unit.program.calls if call.names & calls}
    for path, line in sorted(places):
        about = unit.about(sources[path])
        if about is not None and line in sources[path].changed:
            yield about, Site(path=path, line=line)
