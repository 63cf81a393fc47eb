"""Raw scores on a common scale: 0 is the start, 1 is the reference (RE-Bench, section 2.1)."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from harness.models import Attempt, EnvironmentFacts, Line, ProfileFacts

AnyLine = TypeVar("AnyLine", bound=Line)


def normalise(score: float | None, start: float, reference: float) -> float | None:
    """Returns (y - start) / (reference - start), floored at 0, without a cap.

    The sign of `reference - start` carries the direction. None stays None: an invalid score is
    not a score of 0.

    Raises:
        ValueError: start and reference are equal.
    """
    if score is None:
        return None
    if start == reference:
        raise ValueError("start and reference score are equal, so nothing can be normalised")
    return max(0.0, (score - start) / (reference - start))


class Scale(NamedTuple):
    """The raw scores that are 0 and 1 for one attempt."""

    start: float
    reference: float


def scale(attempt: Attempt, settings: ProfileFacts) -> Scale | None:
    """Returns the scale of an attempt; None where its profile was never measured.

    It begins at what this attempt's machine made of the start, with the environment's distance to
    its reference: a time depends on the machine; the ratio of start to reference, much less so.
    """
    if settings.start_score is None or settings.reference_score is None:
        return None
    known = settings.start_score.value
    start = attempt.measured.get("start_score", known)
    return Scale(start, start + settings.reference_score.value - known)


def pick(lines: Sequence[AnyLine], facts: EnvironmentFacts) -> AnyLine | None:
    """Returns the line that the environment's aggregation picks: best, or last valid."""
    valid = [line for line in lines if line.score is not None]
    if not valid:
        return None
    if facts.aggregate == "last":
        return valid[-1]
    sign = 1 if facts.direction == "higher" else -1
    return max(valid, key=lambda line: sign * (line.score or 0.0))
