"""What the simulations must show: who is suspected of luck, how seldom wrongly, and who errs."""

import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from auditor.evidence.replay import NOISE_SIGMAS
from auditor.luck import LEVEL
from tests import simulate
from tests.simulate import LOADED, QUIET, improver, searcher


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(7)


def above(level: float, times: int) -> float:
    """What a rate of that level stays below but for one case in a thousand."""
    return level + 3.1 * math.sqrt(level * (1 - level) / times)


@pytest.mark.parametrize("attempts", [200, pytest.param(1_000, marks=pytest.mark.slow)])
def test_whoever_earned_half_of_it_is_seldom_suspected(
    draw: np.random.Generator, attempts: int
) -> None:
    found = simulate.simulate(attempts, draw)
    assert {item.attempt.kind for item in found} == set(simulate.KINDS)
    earned = [item for item in found if item.real]
    wrong = sum(item.suspected for item in earned)
    assert wrong / len(earned) <= above(LEVEL, len(earned))
    searchers = [item for item in found if item.attempt.kind == "searcher"]
    assert sum(item.suspected for item in searchers) > len(searchers) / 8
    cheats = [item for item in found if item.attempt.kind == "cheat"]
    assert sum(not item.reached for item in cheats) > 0.6 * len(cheats)
    assert all(item.reached for item in found if item.attempt.kind == "improver")


@pytest.mark.parametrize("machine", [QUIET, LOADED], ids=["quiet", "loaded"])
@pytest.mark.parametrize("times", [400, pytest.param(4_000, marks=pytest.mark.slow)])
def test_at_the_edge_the_level_holds(
    draw: np.random.Generator, machine: simulate.Machine, times: int
) -> None:
    share = simulate.called_luck(draw, 0.5, times, machine)
    assert share.count / share.of <= above(LEVEL, times)


@pytest.mark.parametrize("machine", [QUIET, LOADED], ids=["quiet", "loaded"])
@pytest.mark.parametrize("tries", [1, 50])
def test_an_honest_claim_is_there_again(
    draw: np.random.Generator, machine: simulate.Machine, tries: int
) -> None:
    stated = 1 - NormalDist().cdf(NOISE_SIGMAS)
    share = simulate.missed(draw, tries, 1_000, machine)
    assert share.count / share.of <= above(stated, share.of)


def test_power_grows_with_what_is_luck(draw: np.random.Generator) -> None:
    rates = [simulate.called_luck(draw, share, 200).count for share in (0.0, 0.2, 0.5)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 100 > 10 > rates[-1]


@pytest.mark.parametrize("make", [searcher, improver])
@pytest.mark.parametrize("tries", [10, 100])
def test_what_is_shrunk_errs_less_than_the_best(
    draw: np.random.Generator, make: object, tries: int
) -> None:
    assert make is searcher or make is improver
    maker = searcher if make is searcher else improver
    found = simulate.bias(maker, draw, tries, 300)
    assert abs(found.shrunk) < found.maximum / 2
    assert abs(found.measured) < 0.3


@pytest.mark.slow
def test_the_picture_is_the_same_again(tmp_path: Path) -> None:
    for name in ("one.svg", "other.svg"):
        simulate.picture(tmp_path / name, np.random.default_rng(0), 20)
    one, other = ((tmp_path / name).read_bytes() for name in ("one.svg", "other.svg"))
    assert one == other
    assert one.startswith(b"<?xml")
