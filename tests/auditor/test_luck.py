"""The best of many noisy tries: what is expected of it, and how it is told from a real gain."""

import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.luck import (
    LEVEL,
    LOOKS,
    Fresh,
    Selection,
    expected_maximum,
    quantile_of_maximum,
    shrunk,
    spread_of_maximum,
)


@pytest.mark.parametrize(
    ("tries", "mean"),
    # Order statistics of the normal distribution: exact for 2 and 3, tabulated (Harter 1961) above.
    [(1, 0.0), (2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi)), (5, 1.16296),
     (10, 1.53875), (100, 2.50759)],
)  # fmt: skip
def test_the_expected_maximum(tries: int, mean: float) -> None:
    assert expected_maximum(tries) == pytest.approx(mean, abs=1e-4)


def test_the_spread_of_the_maximum() -> None:
    assert spread_of_maximum(1) == pytest.approx(1.0, abs=1e-4)
    assert spread_of_maximum(2) == pytest.approx(math.sqrt(1 - 1 / math.pi), abs=1e-4)
    assert quantile_of_maximum(1, 0.975) == pytest.approx(1.96, abs=1e-3)


def test_the_best_of_no_tries() -> None:
    with pytest.raises(ValueError, match="no best"):
        expected_maximum(0)


SCORES = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30)


@given(SCORES, st.floats(0, 1e3))
def test_what_is_shrunk_lies_between_the_mean_and_the_best(
    scores: list[float], noise: float
) -> None:
    found = shrunk(scores, max(scores), noise)
    assert statistics.fmean(scores) - 1e-6 <= found <= max(scores) + 1e-6


def test_without_noise_nothing_is_shrunk_and_with_nothing_else_all() -> None:
    assert shrunk([1.0, 2.0, 6.0], 6.0, 0.0) == 6.0
    assert shrunk([1.0, 2.0, 6.0], 6.0, 100.0) == 3.0
    assert shrunk([2.0], 2.0, 100.0) == 2.0


@pytest.mark.parametrize(
    ("tries", "gain", "asked"),
    [(1, 2.5, False), (4, 2.5, False), (5, 2.5, True), (100, 2.5, True), (100, 1.9, False),
     (100, 9.0, False), (5, 4.5, False)],
)  # fmt: skip
def test_what_is_in_question(tries: int, gain: float, asked: bool) -> None:
    selection = Selection((0.0,) * (tries - 1) + (gain,), base=0.0, noise_sd=1.0)
    assert selection.in_question is asked


def test_where_there_is_no_noise_there_is_no_luck() -> None:
    assert not Selection((0.0, 0.1) * 50, base=0.0, noise_sd=0.0).in_question


@given(st.integers(5, 400), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_scale_and_origin_play_no_part(tries: int, seed: int) -> None:
    draw = random.Random(seed)
    scores = tuple(draw.gauss(0, 1) for _ in range(tries))
    here = Selection(scores, base=0.0, noise_sd=1.0)
    there = Selection(tuple(7 + 8 * score for score in scores), base=7.0, noise_sd=8.0)
    assert here.in_question == there.in_question
    assert there.shrunk == pytest.approx(7 + 8 * here.shrunk)


def fresh(gain: float, pairs: int, spread: float = 0.0, noise: float = 1.0) -> Fresh:
    shift = [spread * (-1) ** number for number in range(pairs)]
    return Fresh(tuple(gain + it for it in shift), (0.0,) * pairs, noise)


@pytest.mark.parametrize(
    ("gain", "pairs", "answer"),
    [(0.0, 1, "open"), (0.0, 4, "open"), (0.0, 16, "luck"), (3.0, 16, "real"), (1.5, 16, "open")],
)
def test_what_runs_in_turns_say_of_a_gain_of_three(gain: float, pairs: int, answer: str) -> None:
    assert fresh(gain, pairs).answer(3.0) == answer


def test_runs_that_scatter_more_than_is_known_settle_less() -> None:
    assert fresh(0.0, 16, spread=4.0).answer(3.0) == "open"
    assert fresh(0.0, 16, spread=4.0).half_width() > fresh(0.0, 16).half_width()


def test_what_a_loaded_machine_does_to_both_it_does_to_none() -> None:
    load = [0.0, 9.0, 3.0, 7.0] * 4
    loaded = Fresh(tuple(3.0 - it for it in load), tuple(-it for it in load), 1.0)
    assert loaded.answer(3.0) == "real"


def test_a_gain_of_which_half_is_real_is_seldom_called_luck() -> None:
    """At the edge, where the error is largest, and at every look; small, and bounded above."""
    draw, wrong, times = random.Random(1), 0, 3_000
    for _ in range(times):
        best = [1.5 + draw.gauss(0, 1) for _ in range(LOOKS[-1])]
        base = [draw.gauss(0, 1) for _ in best]
        answers = [Fresh(tuple(best[:n]), tuple(base[:n]), 1.0).answer(3.0) for n in LOOKS]
        wrong += next((answer for answer in answers if answer != "open"), "open") == "luck"
    assert wrong / times <= LEVEL + 3 * math.sqrt(LEVEL / times)
