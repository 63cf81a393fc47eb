"""The paper's numbers normalise to what is printed, or are named as not doing so."""

from collections.abc import Iterator

import pytest

from harness import environment as environments
from harness.models import EnvironmentFacts
from harness.published import FOLDER, Inconsistency, Published, known, published, suite

SEVEN = {
    "optimize_llm_foundry", "triton_cumsum", "fix_embedding", "small_scaling_law",
    "restricted_mlm", "nanogpt_chat_rl", "rust_codecontests_inference",
}  # fmt: skip
ROUNDING = 0.015
"""Of a normalised score whose start, reference and measured value were rounded before."""


def data(name: str) -> Published:
    found = published(name)
    assert found is not None
    return found


each = pytest.mark.parametrize("name", sorted(SEVEN))


def contradictions(facts: Published) -> Iterator[str]:
    """What does not follow from what, each by the field that an inconsistency is about."""
    for about, point in (("start", facts.start), ("reference", facts.reference)):
        if point.measured is not None:
            printed = str(point.score)[::-1].find(".")
            if abs(facts.measure.raw(point.measured) - point.score) > 0.51 * 10**-printed:
                yield about
    for value, printed_value in zip(facts.ceiling.measured, facts.ceiling.normalised, strict=True):
        if abs(facts.normalised(facts.measure.raw(value)) - printed_value) > ROUNDING:
            yield "ceiling"
    agents = [facts.normalised(facts.measure.raw(run.measured)) for run in facts.agents]
    best = max([*facts.people(), *agents])
    short = best < facts.best_achieved - ROUNDING and facts.humans.results
    if short or best > facts.best_achieved + ROUNDING:
        yield "best_achieved"
    people = facts.people()
    if people and (sum(score > 0.05 for score in people), len(people)) != facts.experts_above:
        yield "experts_above"
    span = facts.reference.score - facts.start.score
    for run in facts.agents:
        if abs((facts.measure.raw(run.begun_at) - facts.start.score) / span) > 0.05:
            yield "agents"


def test_all_seven_are_here() -> None:
    assert set(known()) == SEVEN
    assert {path.stem for path in FOLDER.glob("*.toml")} == SEVEN | {"suite"}


@each
def test_start_is_zero_and_reference_is_one(name: str) -> None:
    facts = data(name)
    assert facts.normalised(facts.start.score) == 0
    assert facts.normalised(facts.reference.score) == 1
    better = facts.reference.score < facts.start.score
    assert facts.direction == ("lower" if better else "higher")


@each
def test_what_is_printed_agrees_or_is_named(name: str) -> None:
    facts = data(name)
    assert set(contradictions(facts)) == {item.about for item in facts.inconsistencies}


@each
def test_a_wrong_number_would_show(name: str) -> None:
    facts = data(name)
    ceiling = facts.ceiling.model_copy(update={"normalised": (0.5, 0.6)})
    assert "ceiling" in set(contradictions(facts.model_copy(update={"ceiling": ceiling})))
    assert "best_achieved" in set(contradictions(facts.model_copy(update={"best_achieved": 0.4})))
    point = facts.start.model_copy(update={"measured": 99.0})
    assert "start" in set(contradictions(facts.model_copy(update={"start": point})))


@pytest.mark.parametrize(
    ("name", "printed"),
    # Printed in table 5, or by arithmetic from table 1 and the best row.
    [
        ("optimize_llm_foundry", 0.97),
        ("triton_cumsum", 1.80),
        ("restricted_mlm", 1.78),
        ("nanogpt_chat_rl", 1.39),
        ("rust_codecontests_inference", 1.02),
    ],
)
def test_the_best_person(name: str, printed: float) -> None:
    assert data(name).people()[0] == pytest.approx(printed, abs=0.006)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("optimize_llm_foundry", 0.348),
        ("triton_cumsum", 1.841),
        ("fix_embedding", 0.585),
        ("small_scaling_law", 1.25),
        ("restricted_mlm", 1.046),
        ("nanogpt_chat_rl", 1.097),
        ("rust_codecontests_inference", 0.479),
    ],
)
def test_the_best_agent_run(name: str, expected: float) -> None:
    facts = data(name)
    (run,) = facts.agents
    assert facts.normalised(facts.measure.raw(run.measured)) == pytest.approx(expected, abs=5e-4)


def test_noise_that_was_chosen_shows_when_it_is_measured_again() -> None:
    facts = data("nanogpt_chat_rl")
    (run,) = facts.agents
    assert run.measured_again is not None
    assert facts.normalised(run.measured) - facts.normalised(run.measured_again) > 0.6


def test_slow_runs_are_no_runs_of_eight_hours() -> None:
    facts = data("restricted_mlm")
    assert len(facts.humans.results) == 11
    assert len(facts.people()) == 9
    assert facts.people()[0] < facts.normalised(0.337541)


@pytest.mark.parametrize("loss", [1.5, 1.2])
def test_a_loss_at_the_floor_has_no_score(loss: float) -> None:
    with pytest.raises(ValueError, match=r"."):
        data("restricted_mlm").measure.raw(loss)


def test_the_pools_make_the_whole() -> None:
    facts = suite()
    assert sum(pool.people for pool in facts.pools) == facts.people
    assert sum(pool.runs for pool in facts.pools) == facts.runs
    mean = sum(pool.runs * pool.mean for pool in facts.pools) / facts.runs
    assert mean == pytest.approx(facts.mean, abs=0.006)


def test_what_contradicts_itself_over_all_tasks_is_named() -> None:
    facts = suite()
    above, of = (sum(data(name).experts_above[at] for name in SEVEN) for at in (0, 1))
    assert of == facts.runs, "table 4 counts the paper's runs"
    found = set()
    if sum(data(name).humans.rows for name in SEVEN) != facts.runs:
        found.add("runs")
    if above / of > facts.share_above_zero + 0.005:
        found.add("share_above_zero")
    assert found == set(facts.inconsistencies)


@each
def test_rows_are_all_there_or_none_is(name: str) -> None:
    humans = data(name).humans
    assert len(humans.results) in (0, humans.rows)


@each
def test_every_number_says_where_it_is_from(name: str) -> None:
    facts = data(name)
    assert "2411.15114" in facts.source and "README" in facts.humans.source
    assert all(isinstance(item, Inconsistency) and item.text for item in facts.inconsistencies)


@pytest.mark.parametrize("name", ["", "suite", "nothing", "../published/triton_cumsum"])
def test_nothing_is_known_of_others(name: str) -> None:
    assert published(name) is None


COMPARED = [item for item in environments.shipped() if published(item.name)]


@pytest.mark.parametrize("item", COMPARED, ids=lambda item: item.name)
def test_an_environment_of_ours_is_scored_as_the_original_is(
    item: environments.Environment,
) -> None:
    facts: EnvironmentFacts = item.facts
    found = data(item.name)
    assert facts.direction == found.direction
    assert facts.aggregate == found.aggregate
    assert facts.score_visible == found.score_visible
