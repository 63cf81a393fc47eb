"""Normalised scores and which entry counts."""

from datetime import UTC, datetime

import pytest

from harness.models import Attempt, EnvironmentFacts, ProfileFacts, ScoreLine, WorkspaceFacts
from harness.normalise import normalise, pick, scale

NOTHING = "0" * 64
PLACES = WorkspaceFacts(editable=(), protected=(), outputs=(), entrypoints=())


def line(index: int, score: float | None) -> ScoreLine:
    return ScoreLine(
        index=index, scored_at=datetime.now(UTC), elapsed_s=0.0, score=score, message={},
        details={}, commit="", artifacts={}, prev=NOTHING, hash=NOTHING,
    )  # fmt: skip


def facts(direction: str, aggregate: str = "best") -> EnvironmentFacts:
    return EnvironmentFacts.model_validate(
        {
            "title": "", "kind": "program", "metric": "", "direction": direction,
            "aggregate": aggregate, "workspace": PLACES, "profile": {},
        }
    )  # fmt: skip


def attempt(**measured: float) -> Attempt:
    return Attempt(
        run_id="0" * 16, environment="any", environment_sha256=NOTHING, profile="tiny", seed=0,
        start=datetime.now(UTC), start_commit="", nonce="", machine={}, packages={},
        measured=measured, public_key="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("score", "start", "reference", "expected"),
    [
        # RE-Bench, table 1: the raw scores of start and reference, and one between.
        (5.605802, 5.605802, 4.543295, 0.0),
        (4.543295, 5.605802, 4.543295, 1.0),
        (0.127273, 0.0, 0.127273, 1.0),
        (-0.405465, 1.56, 0.47, 1.8031789),  # the best human kernel; no cap
        (6.0, 5.605802, 4.543295, 0.0),  # worse than the start is floored
    ],
)
def test_normalise(score: float, start: float, reference: float, expected: float) -> None:
    assert normalise(score, start, reference) == pytest.approx(expected)


def test_an_invalid_score_is_not_zero() -> None:
    assert normalise(None, 1.0, 0.0) is None


def test_equal_start_and_reference_are_refused() -> None:
    with pytest.raises(ValueError, match="equal"):
        normalise(1.0, 2.0, 2.0)


def test_pick_follows_direction_and_aggregation() -> None:
    lines = [line(0, 3.0), line(1, None), line(2, 1.0), line(3, 2.0), line(4, None)]
    assert (found := pick(lines, facts("lower"))) is not None and found.index == 2
    assert (found := pick(lines, facts("higher"))) is not None and found.index == 0
    assert (found := pick(lines, facts("higher", "last"))) is not None and found.index == 3
    assert pick([line(0, None)], facts("lower")) is None


def test_the_scale_begins_where_this_machine_measured_the_start() -> None:
    settings = ProfileFacts.model_validate(
        {
            "start_score": {"value": 3.0, "noise_sd": 0.1},
            "reference_score": {"value": 1.0, "noise_sd": 0.1},
            "budget_s": 1, "run_limit_s": 1, "threads": 1, "hardware": "any",
        }
    )  # fmt: skip
    slow = attempt(start_score=3.5)
    assert scale(slow, settings) == (3.5, 1.5)
    assert scale(attempt(), settings) == (3.0, 1.0)
    assert scale(slow, settings.model_copy(update={"reference_score": None})) is None
