"""Score@k by both estimators, held against what they estimate, and its interval."""

import random
from itertools import combinations, product
from math import comb
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.ranking import (
    Estimator,
    best_of,
    interval,
    percentile,
    score_at_k,
    weights,
)

SCORES = [0.0, 0.3, 0.3, 0.9, 1.4]
few_scores = st.lists(st.floats(0, 3), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(few_scores, st.integers(1, 6))
def test_subsets_are_the_mean_over_all_subsets(scores: list[float], k: int) -> None:
    k = min(k, len(scores))
    expected = fmean(max(subset) for subset in combinations(scores, k))
    assert best_of(scores, k) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 3), min_size=1, max_size=4), st.integers(1, 4))
def test_draws_are_the_mean_over_all_sequences(scores: list[float], k: int) -> None:
    expected = fmean(max(drawn) for drawn in product(scores, repeat=k))
    assert best_of(scores, k, "draws") == pytest.approx(expected)


def test_the_estimators_part_where_runs_are_few() -> None:
    # Without putting back, all five runs hold the best for sure; with it, they need not.
    assert best_of(SCORES, 5) == 1.4
    assert best_of(SCORES, 5, "draws") < 1.4
    assert best_of(SCORES, 1) == pytest.approx(best_of(SCORES, 1, "draws"))


@pytest.mark.parametrize("estimator", ["subsets", "draws"])
def test_weights_are_shares(estimator: Estimator) -> None:
    assert sum(weights(300, 40, estimator)) == pytest.approx(1)
    assert weights(3, 1, estimator) == pytest.approx([1 / 3] * 3)


def test_weights_are_those_of_the_formula() -> None:
    n, k = 12, 5
    expected = [comb(n - i, k - 1) / comb(n, k) for i in range(1, n + 1)]
    assert weights(n, k) == pytest.approx(expected)
    assert sum(weights(10_000, 5_000)) == pytest.approx(1)


def test_only_subsets_are_unbiased() -> None:
    rng = random.Random(1)
    truth = 2 / 3  # the expected best of two numbers between 0 and 1
    samples = [[rng.random() for _ in range(4)] for _ in range(4_000)]
    assert fmean(best_of(sample, 2) for sample in samples) == pytest.approx(truth, abs=0.01)
    assert fmean(best_of(sample, 2, "draws") for sample in samples) < truth - 0.03


def test_who_cannot_see_scores_cannot_choose_the_best() -> None:
    assert best_of(SCORES, 4, seen=False) == pytest.approx(fmean(SCORES))
    runs = {"seen": [0.0, 1.0], "unseen": [0.0, 1.0]}
    assert score_at_k(runs, 2, unseen={"unseen"}) == pytest.approx((1.0 + 0.5) / 2)


@pytest.mark.parametrize("estimator", ["subsets", "draws"])
def test_the_interval_holds_the_truth_as_often_as_it_says(estimator: Estimator) -> None:
    rng = random.Random(2)
    hits = 0
    for number in range(200):
        runs = {"a": [rng.random() for _ in range(40)], "b": [rng.random() for _ in range(40)]}
        found = interval(runs, 2, estimator, resamples=300, seed=number)
        assert found is not None
        hits += found.low <= 2 / 3 <= found.high
    assert 176 <= hits <= 199  # 95 % of 200, give or take four standard deviations


def test_the_interval_of_a_mean() -> None:
    runs = {"a": [0.0, 1.0] * 50}
    found = interval(runs, 1)
    assert found is not None
    # Half a unit of spread over ten, twice two standard errors.
    assert (found.low, found.high) == pytest.approx((0.402, 0.598), abs=0.015)
    assert interval(runs, 1) == found, "the seed decides"


def test_one_run_says_nothing_about_others() -> None:
    assert interval({"a": [1.0], "b": [0.5]}, 1) is None
    assert interval({"a": [1.0], "b": [0.5, 0.7]}, 1) is not None


@pytest.mark.parametrize(
    ("scores", "k", "estimator"),
    [
        ([], 1, "subsets"),
        ([], 1, "draws"),
        ([1.0, float("nan")], 1, "subsets"),
        ([1.0, float("inf")], 1, "draws"),
        ([1.0], 0, "draws"),
        ([1.0], 2, "subsets"),
    ],
)
def test_what_has_no_answer_is_refused(scores: list[float], k: int, estimator: Estimator) -> None:
    with pytest.raises(ValueError, match=r"."):
        best_of(scores, k, estimator)
    with pytest.raises(ValueError, match=r"."):
        interval({"a": scores}, k, estimator)


def test_no_environment_has_no_mean() -> None:
    with pytest.raises(ValueError, match="no environment"):
        score_at_k({}, 1)


@pytest.mark.parametrize(
    ("score", "expected"), [(-1.0, 0.0), (0.0, 10.0), (0.3, 40.0), (0.5, 60.0), (2.0, 100.0)]
)
def test_percentile(score: float, expected: float) -> None:
    assert percentile(score, SCORES) == expected
    with pytest.raises(ValueError, match="nobody"):
        percentile(score, [])
