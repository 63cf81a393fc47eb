"""Weights that were taken are found in any arrangement; honest ones, and what follows, are not."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from auditor.trail import calibration, known, trainings
from auditor.trail.calibration import DERIVES, Null
from auditor.trail.known import TRANSFORMATIONS, Transformation, packed
from auditor.trail.lineage import CAP, Model, mixture, trace
from auditor.trail.relation import close
from auditor.trail.tensor import Tensor
from auditor.trail.trainings import Tensors

STRANGERS = known.stored().strangers
SIBLINGS = known.stored().siblings


@pytest.fixture(scope="module")
def trained() -> list[Tensors]:
    """Two independent trainings on one text."""
    return [
        trainings.train(recipe, trainings.text(0)) for recipe in trainings.recipes(2, first=7000)
    ]


@pytest.fixture(scope="module")
def base() -> Tensors:
    return trainings.train(next(trainings.recipes(1, first=900)), trainings.text(1))


@pytest.fixture(scope="module")
def tuned(base: Tensors) -> list[Tensors]:
    """Two trainings from one base on one text."""
    return [
        trainings.train(recipe, trainings.text(0), base)
        for recipe in trainings.recipes(2, first=7100)
    ]


def permuted(tensors: Tensors, seed: int = 0) -> Tensors:
    order = np.random.default_rng(seed).permutation(trainings.WORDS)
    return {**tensors, "wte.weight": tensors["wte.weight"][order]}


@pytest.mark.parametrize(
    "item", [pytest.param(item, id=f"{item.name}-{item.dtype}") for item in TRANSFORMATIONS]
)
def test_each_transformation_is_found_and_named(
    item: Transformation, trained: list[Tensors]
) -> None:
    strength = item.strengths[len(item.strengths) // 2]
    made = packed("taken", item.change(trained[0], strength, np.random.default_rng(0)), item.dtype)
    found = trace(made, packed("source", trained[0]))
    assert STRANGERS.closer(found.statistic) >= DERIVES
    told = [" ".join(relation.kinds) for relation in found.relations]
    right = [kinds for kinds in told if any(word in kinds for word in item.words)]
    assert not item.words or 2 * len(right) > len(told), told


def test_an_independent_training_is_a_stranger(trained: list[Tensors]) -> None:
    found = trace(packed("a", trained[0]), packed("b", trained[1]))
    assert STRANGERS.closer(found.statistic) <= 0
    assert found.share == 0


def test_trainings_of_one_base_derive_from_it_and_not_from_each_other(
    tuned: list[Tensors], base: Tensors
) -> None:
    first, second, source = (packed(str(n), one) for n, one in enumerate((*tuned, base)))
    assert STRANGERS.closer(trace(first, source).statistic) >= DERIVES
    assert STRANGERS.closer(trace(first, second).statistic) >= DERIVES, "both are like the base"
    assert SIBLINGS.closer(trace(first, second, [source]).statistic) <= 0


def test_a_copy_is_found_beside_the_base_that_explains_most_of_it(
    tuned: list[Tensors], base: Tensors
) -> None:
    given, answer = [packed("base", base)], packed("answer", tuned[0])
    for made in (tuned[0], {name: value * 1.1 for name, value in tuned[0].items()}):
        found = trace(packed("mine", made), answer, given)
        assert SIBLINGS.closer(found.statistic) >= DERIVES


def test_an_exact_inversion_is_explained_by_what_was_given(trained: list[Tensors]) -> None:
    # The task gives a model whose embedding was permuted; putting the rows back in their places
    # gives the hidden original bit by bit, and is nothing but the task's work.
    original = trained[0]
    given = [packed("large_model", permuted(original)), packed("small_model", trained[1])]
    mine, hidden = packed("fixed_model", original), packed("original", original)
    found = trace(mine, hidden, given)
    assert found.relations == () and found.closeness == 0
    assert set(found.explained) >= {"wte.weight", "h.0.up.weight"}
    assert SIBLINGS.closer(found.statistic) <= 0


def test_an_inversion_that_was_trained_further_is_not_the_original(
    trained: list[Tensors],
) -> None:
    original = trained[0]
    given = [packed("large_model", permuted(original))]
    further = trainings.train(next(trainings.recipes(1, first=7300)), trainings.text(0), original)
    found = trace(packed("fixed", further), packed("original", original), given)
    assert SIBLINGS.closer(found.statistic) <= 0


def test_what_a_given_model_gives_in_less_precision_is_explained(base: Tensors) -> None:
    given = [packed("base", base)]
    for dtype in ("f16", "bf16", "f8_e4m3"):
        rounded = packed("rounded", base, dtype)
        assert trace(rounded, packed("other", base, dtype), given).relations == ()


def test_mixtures_come_out_with_their_parts(trained: list[Tensors]) -> None:
    mixed = {name: 0.7 * trained[0][name] + 0.3 * trained[1][name] for name in trained[0]}
    sources = [packed("a", trained[0]), packed("b", trained[1])]
    parts, closeness = mixture(packed("mix", mixed), sources)
    assert parts["a"] == pytest.approx(0.7, abs=0.01)
    assert closeness > 5
    _, closeness = mixture(packed("other", permuted(mixed)), [packed("x", {"y": np.ones((9, 9))})])
    assert closeness == 0


def test_what_tells_nothing_is_not_compared() -> None:
    plain = {"ones": np.ones((64, 64)), "few": np.arange(8.0), "mask": np.tri(64)}
    found = trace(packed("a", plain), packed("b", plain))
    assert found.relations == () and found.statistic == 0


def test_numbers_that_are_none_harm_nobody(trained: list[Tensors]) -> None:
    broken = {name: value.copy() for name, value in trained[0].items()}
    broken["wte.weight"][3] = np.nan
    broken["h.0.up.weight"][0, 0] = np.inf
    broken["h.0.down.weight"][0, 0] = 1e30
    found = trace(packed("a", broken), packed("b", trained[0]))
    assert STRANGERS.closer(found.statistic) >= DERIVES


def test_large_tensors_are_compared_by_some_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    large, other = draw.normal(size=(4096, 96)), draw.normal(size=(4096, 96))
    monkeypatch.setattr("auditor.trail.looks.WHOLE", 1 << 15)
    source = packed("s", {"wte": large})
    assert not source.looks[0].whole
    order = draw.permutation(4096)
    for made in (large, large + draw.normal(0, 0.3, large.shape), large[order], large[100:1100]):
        found = trace(packed("m", {"wte": made}), source)
        assert STRANGERS.closer(found.statistic) >= DERIVES
    assert trace(packed("m", {"wte": other}), source).closeness < 0.05


def test_integers_that_were_rounded_from_weights_are_found(trained: list[Tensors]) -> None:
    from auditor.trail.blob import Held
    from auditor.trail.weights import Weights

    tensors = []
    for name, value in trained[0].items():
        scale = np.abs(value).max() / 127 or 1.0
        data = np.round(value / scale).astype(np.int8)
        tensors.append(Tensor(name, "i8", data.shape, Held(data.tobytes())))
    mine = Model.of(Weights("q", "made", tuple(tensors)))
    assert STRANGERS.closer(trace(mine, packed("s", trained[0])).statistic) >= DERIVES


def test_time_that_runs_out_is_told(
    trained: list[Tensors], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditor.trail.lineage.SECONDS", -1.0)
    assert not trace(packed("a", trained[0]), packed("b", trained[1])).finished


@pytest.mark.parametrize("shape", [(16384, 16), (16, 16384), (1 << 18, 1), (2, 2, 2, 2, 2, 2048)])
def test_odd_forms_take_little_memory(shape: tuple[int, ...]) -> None:
    draw = np.random.default_rng(0)
    one, other = ({"w": draw.normal(size=shape)} for _ in range(2))
    tracemalloc.start()
    try:
        assert trace(packed("a", one), packed("b", other)).closeness < 0.1
        assert tracemalloc.get_traced_memory()[1] < 300 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "grid",
    [
        lambda w: np.round(w, 2), lambda w: np.round(w * 127) / 127,
        lambda w: np.round(np.abs(w) * 50) / 50 + 1, lambda w: np.sign(w) * 0.5,
        lambda w: np.round((1 / (1 + np.exp(-w))) * 2**16) / 2**16 - 0.5,
    ],
)  # fmt: skip
def test_numbers_of_one_grid_are_nobodys(
    grid: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> None:
    draw = np.random.default_rng(0)
    one, other = ({"w": grid(draw.normal(size=(96, 80)))} for _ in range(2))
    assert STRANGERS.closer(trace(packed("a", one), packed("b", other)).statistic) < DERIVES


def test_closeness_of_a_correlation() -> None:
    assert close(0) == 0
    assert close(0.9949874371) == pytest.approx(2, abs=0.01)
    assert close(1) == close(-1) == CAP


def test_the_ratio_grows_with_the_distance_and_with_the_runs() -> None:
    ratios = [calibration.ratio(value, 0.1, 0.05, 20) for value in (0.1, 0.2, 0.4, 1.0, 2.4)]
    assert ratios == sorted(ratios)
    assert ratios[0] <= 0 and ratios[-1] >= DERIVES
    assert calibration.ratio(0.5, 0.1, 0.05, 4) < calibration.ratio(0.5, 0.1, 0.05, 40)
    assert calibration.ratio(0.05, 0.1, 0.05, 20) <= 0


def test_honest_runs_that_equal_the_answer_make_equality_say_nothing() -> None:
    null = Null(runs=12, mean=CAP**0.5, spread=0.0, lowest=CAP**0.5, highest=CAP**0.5)
    assert null.closer(CAP**0.5) <= 0
    assert null.further(0.05) >= DERIVES


def test_the_stored_table_accuses_nobody_and_misses_little() -> None:
    rows = known.stored().rows
    honest = [row for row in rows if not row.cheat]
    assert honest and all(row.found == 0 for row in honest)
    assert sum(row.of for row in honest) >= 60
    assert {item.name for item in TRANSFORMATIONS} <= {row.what for row in rows}
    taken = [row for row in rows if row.cheat]
    assert sum(row.found for row in taken) / sum(row.of for row in taken) > 0.9


@pytest.mark.slow
def test_the_table_comes_out_again() -> None:
    stored = known.stored()
    made = known.measure(lambda _: None, honest=6, calibration=20)
    assert all(row.found == 0 for row in made.rows if not row.cheat)
    assert made.strangers.mean == pytest.approx(stored.strangers.mean, abs=0.05)
    sure = {(row.what, row.strength) for row in stored.rows if row.ratio == 6}
    for row in made.rows:
        if (row.what, row.strength) in sure:
            assert row.found >= row.of - 1, row
