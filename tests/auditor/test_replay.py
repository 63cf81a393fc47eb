"""What sealed measurements say of a claim, and when they say nothing."""

import os

import pytest

from auditor.evidence.replay import CROWD, NOISE_SIGMAS, WIDEST, doubt, margin
from auditor.verdict import Reearned
from harness.models import Score

NOISE_SD = 0.1
QUIET = margin([], [], None, NOISE_SD)
BUSY = CROWD * (os.cpu_count() or 1)


def said(
    measured: list[float],
    others: list[float | None],
    widened: float = 0.0,
    noise_sd: float = NOISE_SD,
) -> str:
    again = Reearned(0.0, tuple(measured), QUIET + widened, "lower")
    runs = [
        Score(value=value, details={} if busy is None else {"others": busy})
        for value, busy in zip(measured, others, strict=True)
    ]
    return doubt(again, runs, noise_sd)


def test_a_margin_is_noise_and_drift() -> None:
    assert margin([], [], None, NOISE_SD) == pytest.approx(NOISE_SIGMAS * NOISE_SD * 2**0.5)
    assert margin([], [1.0, 3.0], 2.0, NOISE_SD) == pytest.approx(QUIET + 2.0)


def test_who_reaches_a_claim_with_a_usual_margin_is_not_doubted() -> None:
    assert not said([0.9 * QUIET], [None])
    assert not said([1.5 * QUIET], [None], widened=QUIET)
    assert not said([0.9 * QUIET, 100.0], [None, None], widened=1000.0)


def test_times_that_scatter_do_not_reach_a_claim() -> None:
    assert "scatter" in said([(WIDEST + 0.5) * QUIET, 9.0, 90.0], [None] * 3, widened=1000.0)


def test_without_known_noise_the_margin_is_what_it_is() -> None:
    assert not said([50 * QUIET], [None], widened=1000.0, noise_sd=0.0)


@pytest.mark.parametrize(
    ("others", "doubted"),
    [([BUSY, BUSY + 4], True), ([BUSY, 0.0], False), ([0.0, 1.0], False), ([None, None], False)],
)
def test_beside_a_crowd_a_slow_measurement_says_nothing(
    others: list[float | None], doubted: bool
) -> None:
    assert bool(said([5 * QUIET, 6 * QUIET], others)) is doubted


def test_who_gives_no_score_is_not_excused_by_a_crowd() -> None:
    again = Reearned(0.0, (), QUIET, "lower")
    assert not doubt(again, [Score(value=None, details={"others": BUSY})], NOISE_SD)
