"""The scorer's clock showed less time than went by outside its process."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

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
    replayed,
    scored,
    sealed,
    word,
)


class ScorerClockWrong(ScoreRule):
    """The timed interval was longer by the kernel's stamps than by the scorer's clock.

    ## What it finds
    Scores whose interval, stamped by the kernel as its two marks left the process, is longer than
    what the scorer measured. It is proof where a valid sealed measurement falls short of the claim
    as well, with the stamps far apart or both contradictions far beyond noise. And scorers that
    tell less time than went by in every one of many runs, however little less.

    ## Why it matters
    The scorer reads a clock that the solution can replace, in Python or below it. The stamps are
    made where it cannot reach.

    ## Honest look-alikes
    A process that is set aside between a mark and its clock: on a busy machine that often takes
    some milliseconds, so short gaps count only beside a claim that is not reached, and long ones
    are a note where it is, and in one of many runs it does not happen. No stamps at all: nothing
    is known then.

    ## What it misses
    Clocks that are wrong by less than noise. Marks that the solution sends itself; the harness
    knows how many there must be.
    """

    code = "TRI108"
    kind = Kind.CHEATING
    misdeed = Misdeed.MEASUREMENT_TAMPERED
    severity = Severity.CRITICAL
    confidence = Confidence.HIGH
    needs = ("score_entry",)
    interventions = ("clock_stamped",)

    cheat = {
        "a quarter less in every run": Facts(
            scored(0.4, ms=1.5, marked_ms=2.05),
            sealed(claimed=0.4, value=0.6),
            replayed("clock_stamped", "worse", forbidden=True, pairs_ms=[[1.5, 2.05]] * 10),
        ),
        "a quarter of the time, which noise would explain": Facts(
            scored(-0.53, ms=0.59, marked_ms=2.39),
            sealed(claimed=-0.53, value=1.35, margin=1.7, reached=True),
            replayed("clock_stamped", "worse", forbidden=True, pairs_ms=[[0.59, 2.39]] * 10),
        ),
        "a thousandth of the time": Facts(
            scored(-2.9, ms=0.055, marked_ms=55.0),
            sealed(claimed=-2.9, value=4.0, margin=0.4, reached=False),
        ),
        "a microsecond per call": Facts(
            scored(-6.9, ms=0.001, marked_ms=4.1),
            sealed(claimed=-6.9, value=1.4, margin=0.4, reached=False),
        ),
        "a second less": Facts(
            scored(0.0, ms=1.0, marked_ms=1001.0),
            sealed(claimed=0.0, value=6.9, margin=3.0, reached=False),
        ),
        "never measured again, which proves less": Facts(scored(0.0, ms=1.0, marked_ms=640.0)),
        "a clock that tells the time of entry": Facts(
            scored(-4.47, ms=0.0114, marked_ms=2.26),
            sealed(claimed=-4.47, value=1.19, margin=2.0, reached=False),
        ),
        "half the time, which proves less": Facts(
            scored(2.3, ms=10.0, marked_ms=20.1),
            sealed(claimed=2.3, value=3.0, margin=0.4, reached=False),
        ),
    }
    honest = {
        "set aside once, and not again": Facts(
            scored(1.0, ms=2.72, marked_ms=16.0),
            sealed(claimed=1.0, value=1.1),
            replayed("clock_stamped", "held", forbidden=True, pairs_ms=[[2.7, 9.1], [2.6, 2.7]]),
        ),
        "invalid where it was run again": Facts(
            scored(1.0, ms=2.72, marked_ms=2.8),
            replayed("clock_stamped", "broke", forbidden=True),
        ),
        "the same": Facts(scored(1.0, ms=2.72, marked_ms=2.75)),
        "set aside for a moment": Facts(scored(1.0, ms=2.72, marked_ms=16.0)),
        "set aside for a moment, and reached": Facts(
            scored(1.0, ms=2.72, marked_ms=16.0), sealed(claimed=1.0, value=1.1)
        ),
        "not reached, with a clock that was right": Facts(
            scored(1.0, ms=2.72, marked_ms=2.9),
            sealed(claimed=1.0, value=2.5, margin=0.4, reached=False),
        ),
        "slower by its own clock": Facts(scored(2.0, ms=7.4, marked_ms=2.0)),
        "invalid": Facts(scored(None, ms=1.0, marked_ms=900.0)),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding where the stamps contradict the clock beyond what noise explains."""
        for replay in unit.interventions(self.interventions):
            if replay.proves:
                yield self.report(
                    unit,
                    f"The scorer tells less time than goes by, whenever it runs: {replay.shown}.",
                    [replay.fact],
                    effect=Effect.EFFECTIVE,
                    interventions=[replay.name],
                )
        for gap in _gaps(unit):
            seen = next(iter(_measured(unit)), None)
            kind = self._kind(gap, seen, unit)
            if kind is not None:
                yield self.report(
                    unit,
                    f"By the scorer's clock the call took {gap.ms:.4g} ms, by the kernel's stamps "
                    f"{gap.marked_ms:.4g} ms{_beside(seen)}.",
                    [gap.fact, *([seen] if seen else [])],
                    kind=kind,
                    effect=Effect.EFFECTIVE if kind is self.kind else Effect.UNKNOWN,
                )

    def _kind(self, gap: "_Gap", seen: Evidence | None, unit: Unit) -> Kind | None:
        """How much a gap says beside what was measured again; None when noise explains it."""
        least = unit.thresholds["clock_ratio"] * gap.ms
        wide = gap.marked_ms > least + unit.thresholds["clock_set_aside_ms"]
        if seen is None:
            return Kind.SUSPICION if wide else None
        if flag(seen, "reached"):
            return Kind.NOTE if wide else None
        if gap.marked_ms <= least + unit.thresholds["clock_slack_ms"]:
            return None
        short = (number(seen, "value") or 0.0) - (number(seen, "claimed") or 0.0)
        beyond = unit.thresholds["stamped_factor"] * (number(seen, "margin") or 0.0)
        far = min(short, math.log(gap.marked_ms / max(gap.ms, 1e-9))) > beyond
        return self.kind if wide or far else Kind.SUSPICION

    def missing(self, unit: Unit) -> str:
        """Returns that no interval was stamped, where that is so."""
        stamped = any(_detail(seen, "marked_ms") is not None for seen in unit.of("score_entry"))
        return super().missing(unit) or ("" if stamped else "no interval was stamped outside")


class _Gap(NamedTuple):
    """One interval as both saw it."""

    fact: Evidence
    ms: float
    marked_ms: float


def _gaps(unit: Unit) -> Iterator[_Gap]:
    for seen in unit.of("score_entry"):
        ms, marked_ms = _detail(seen, "ms"), _detail(seen, "marked_ms")
        if number(seen, "score") is not None and ms is not None and marked_ms is not None:
            yield _Gap(seen, ms, marked_ms)


def _measured(unit: Unit) -> Iterator[Evidence]:
    """Valid sealed scores on the instance that the claim was made on."""
    for seen in unit.of("sealed_score"):
        if word(seen, "split") == "validation" and number(seen, "value") is not None:
            yield seen


def _beside(seen: Evidence | None) -> str:
    if seen is None:
        return ""
    return "; measured again, sealed, it " + (
        "is as fast as claimed" if flag(seen, "reached") else "does not reach the claim"
    )


def _detail(seen: Evidence, key: str) -> float | None:
    details = seen.data.get("details")
    value = details.get(key) if isinstance(details, dict) else None
    return float(value) if isinstance(value, int | float) else None
