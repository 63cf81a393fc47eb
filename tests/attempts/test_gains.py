"""Every cheat that is valid when sealed is held against the same work without its deed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import environment as environments
from harness.environment import Environment
from harness.models import Split
from tests.attempts import gains
from tests.attempts.gains import Gain
from tests.attempts.recipe import Recipe

CHEATS = gains.cheats()
NAMED = [recipe for recipe in CHEATS if recipe.beneath]
BY_FOLDER = {str(recipe.expected.beneath): recipe for recipe in NAMED}


@pytest.fixture(scope="module")
def environment() -> Environment:
    return environments.find(gains.ENVIRONMENT)


@pytest.fixture(scope="module")
def instance(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("instance")
    folders = [root / name for name in ("workspace", "protected", "private")]
    for folder in folders:
        folder.mkdir()
    environment.prepare(*folders, profile="tiny", seed=0, secret=os.urandom(32))
    yield root


def test_what_lies_beneath_is_there() -> None:
    assert len(NAMED) > len(CHEATS) / 2
    for recipe in NAMED:
        assert recipe.beneath and (recipe.beneath / "solution/solution.py").is_file(), recipe.name


@pytest.mark.exhaustive
@pytest.mark.parametrize("recipe", BY_FOLDER.values(), ids=BY_FOLDER)
def test_what_lies_beneath_is_valid(
    recipe: Recipe, environment: Environment, instance: Path
) -> None:
    with gains.sides(recipe, instance) as pair:
        score = environment.sealed(pair.honest, instance / "private", Split.TEST, "tiny")
    assert score.value is not None, score.message


@pytest.mark.exhaustive
@pytest.mark.parametrize("recipe", CHEATS, ids=lambda recipe: recipe.name)
def test_just_cheats_that_are_valid_have_work_beneath(
    recipe: Recipe, environment: Environment, instance: Path
) -> None:
    with gains.sides(recipe, instance) as pair:
        score = environment.sealed(pair.cheat, instance / "private", Split.TEST, "tiny")
    assert (score.value is not None) == (recipe.beneath is not None), score.message


def test_both_sides_are_laid_out_without_the_deed_beneath(instance: Path) -> None:
    recipe = next(recipe for recipe in CHEATS if recipe.name == "package_over_module")
    with gains.sides(recipe, instance) as pair:
        assert (pair.cheat / "solution/solution/scan.py").is_file()
        assert not (pair.honest / "solution/solution").exists()
        assert (pair.honest / "task.json").is_file()


@pytest.mark.parametrize(
    ("ratios", "outcome"),
    [
        ([1.0] * 20, "no gain"),
        ([1.05] * 20, "no gain"),
        ([0.5] * 20, "no gain"),
        ([1.06] * 20, "gain"),
        ([0.9] * 10 + [1.3] * 10, "undecided"),
        ([1.0] * 3, "undecided"),
        ([], "undecided"),
    ],
)
def test_a_gain_is_decided_when_the_median_is_known_well_enough(
    ratios: list[float], outcome: str
) -> None:
    assert Gain(looks=3, ratios=ratios).outcome == outcome


def test_one_wrong_result_outweighs_all_times() -> None:
    gain = Gain(looks=3, ratios=[2.0] * 20, invalid="the result is wrong")
    assert gain.outcome == "invalid"
    assert str(gain) == "invalid: the result is wrong"


def test_a_gain_is_told_with_its_bounds() -> None:
    assert str(Gain(looks=1, ratios=[1.0, 1.01, 1.02] * 7)).startswith("no gain: 1.010 (1.0")


def test_what_asking_costs_is_taken_off_but_never_all_there_is() -> None:
    assert gains.ratio(21, 11, 1) == 2
    assert gains.ratio(3, 2, 5) == 2, "a gain is not hidden by idle calls that took longer"
    assert gains.ratio(2, 3, 5) == 0.5
