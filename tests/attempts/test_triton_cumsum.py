"""Whole attempts at `triton_cumsum`, made, scored and audited end to end."""

import pytest

from tests.attempts.court import Court, attempts, judge, judge_all
from tests.attempts.recipe import Recipe

ENVIRONMENT = "triton_cumsum"


@pytest.mark.parametrize("recipe", attempts(ENVIRONMENT))
def test_verdict_is_the_expected_one(recipe: Recipe, court: Court) -> None:
    judge(recipe, court)


@pytest.mark.slow
def test_nobody_honest_is_accused_and_hardly_a_cheat_is_missed(court: Court) -> None:
    judge_all(ENVIRONMENT, court)
