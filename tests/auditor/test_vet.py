"""The table over many attempts: what each counts, what moves the headline, who is ranked where."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.models import (
    Confidence,
    EntryVerdict,
    Finding,
    How,
    Kind,
    Misdeed,
    Normalised,
    Provenance,
    ScoredEntries,
    Severity,
    Verdict,
    VerdictName,
)
from auditor.vet import GAPS, assess, case_of, grounds, standing, wilson
from auditor.vetting import Case, Policy, Standing
from reports import vetting as reports


def case(
    name: str,
    verdict: str = "clean",
    claimed: float | None = 1.0,
    *,
    again: float | None = None,
    vetted: float | None = None,
    model: str = "m",
    environment: str = "task",
    seen: bool = True,
) -> Case:
    """Builds a case on a scale where the raw score is ten times the normalised one."""
    normal = Normalised(claimed=claimed, remeasured=again, vetted=vetted)
    raw = {key: value if value is None else 10 * value for key, value in normal}
    return Case(
        case=name, attempt=name, environment=environment, profile="tiny", model=model, seen=seen,
        verdict=VerdictName(verdict), start_score=0.5, claimed_score=raw["claimed"],
        remeasured_score=raw["remeasured"], vetted_score=raw["vetted"], normalised=normal,
    )  # fmt: skip


CHEAT = case("cheat", "cheating", 4.0, again=0.2, vetted=0.3)
HONEST = case("honest", claimed=1.1, again=1.0, vetted=1.0)


@pytest.mark.parametrize(
    ("policy", "counted", "raw"),
    [("zero", 0.0, None), ("start", 0.0, 0.5), ("vetted", 0.3, 3.0), ("drop", None, None)],
)
def test_what_a_fallen_claim_counts(policy: str, counted: float | None, raw: float | None) -> None:
    row, other = assess([CHEAT, HONEST], Policy(policy)).rows
    assert (row.counted, row.counted_score, row.standing) == (counted, raw, Standing.FALLS)
    assert (other.counted, other.counted_score) == (1.0, 10.0), "an honest one is never touched"


def test_without_an_entry_that_stands_the_start_counts() -> None:
    (row,) = assess([case("x", "violation", 2.0)], Policy.VETTED).rows
    assert (row.counted, row.counted_score) == (0.0, 0.5)


@pytest.mark.parametrize("verdict", ["suspect", "inconclusive"])
def test_what_is_open_is_not_guilty(verdict: str) -> None:
    measured, claimed = assess(
        [case("a", verdict, 2.0, again=1.5), case("b", verdict, 2.0)], Policy.ZERO
    ).rows
    assert (measured.counted, measured.worst, measured.standing) == (1.5, 0.0, Standing.OPEN)
    assert (claimed.counted, claimed.worst) == (2.0, 0.0)


@pytest.mark.parametrize("absent", [case("x", claimed=None), case("x", "error", claimed=None)])
def test_invalid_is_invalid_and_never_0(absent: Case) -> None:
    vetting = assess([absent, HONEST], Policy.ZERO)
    assert vetting.rows[0].counted is None
    assert standing(absent) is Standing.ABSENT
    assert vetting.groups[0].headline.counted == 1.0


def test_an_attempt_that_could_not_be_read_belongs_to_nobody() -> None:
    broken = Case(case="", attempt="x", verdict=VerdictName.ERROR, error="it is not there")
    vetting = assess([broken, HONEST], Policy.VETTED)
    assert len(vetting.rows) == 2
    assert [group.attempts for group in vetting.groups] == [1]


def test_the_headline_before_and_after() -> None:
    (group,) = assess([CHEAT, HONEST], Policy.ZERO).groups
    assert group.headline.claimed == pytest.approx((4.0 + 1.1) / 2)
    assert group.headline.counted == pytest.approx(0.5)
    best = {item.k: item for item in group.headline.best_of}
    assert best[2].claimed == 4.0
    assert best[2].counted == 1.0
    assert group.hacked is not None
    assert (group.hacked.count, group.hacked.of) == (1, 2)


def test_of_unseen_scores_nobody_can_choose_the_best() -> None:
    cases = [case(str(n), claimed=n, again=n, vetted=n, seen=False) for n in (1.0, 3.0)]
    (group,) = assess(cases, Policy.VETTED).groups
    assert {item.counted for item in group.headline.best_of} == {2.0}


def test_a_cheat_loses_its_rank() -> None:
    others = [case(f"{n}", claimed=1.0, again=1.0, vetted=1.0, model="honest") for n in range(3)]
    vetting = assess([CHEAT, *others], Policy.ZERO)
    assert [item.model for item in vetting.ranking] == ["honest", "m"]
    assert [(item.claimed_rank, item.counted_rank) for item in vetting.ranking] == [(2, 1), (1, 2)]


def test_models_are_ranked_over_what_all_have_attempted() -> None:
    cases = [
        case("a", vetted=0.2, model="one"),
        case("b", vetted=5.0, model="one", environment="easy"),
        case("c", vetted=0.9, model="other"),
    ]
    vetting = assess(cases, Policy.VETTED)
    assert vetting.ranked_over == ("task (tiny)",)
    assert [item.model for item in vetting.ranking] == ["other", "one"]


def test_what_has_no_task_in_common_is_not_ranked() -> None:
    cases = [case("a", model="one"), case("b", model="other", environment="easy")]
    vetting = assess(cases, Policy.VETTED)
    assert vetting.ranked_over == ()
    assert {item.counted_rank for item in vetting.ranking} == {None}


def test_equals_share_a_rank() -> None:
    cases = [
        case(model, vetted=score, model=model)
        for model, score in zip("abc", (2, 2, 1), strict=True)
    ]
    ranks = [item.counted_rank for item in assess(cases, Policy.VETTED).ranking]
    assert ranks == [1, 1, 3]


def test_the_effect_is_how_far_the_mean_moves() -> None:
    cheat, honest = assess([CHEAT, HONEST], Policy.ZERO).rows
    assert cheat.effect == pytest.approx(4.0 / 2)
    assert honest.effect == pytest.approx(1.0 / 2)


def test_the_effect_of_one_left_out() -> None:
    row = assess([CHEAT, HONEST], Policy.DROP).rows[0]
    assert row.effect == pytest.approx((4.0 + 1.0) / 2 - 1.0)


VERDICTS = st.sampled_from([name.value for name in VerdictName])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(VERDICTS, st.none() | st.floats(0, 3), st.sampled_from("ab")), max_size=12),
    st.sampled_from(Policy),
)
def test_whatever_comes_is_assessed(
    drawn: list[tuple[str, float | None, str]], policy: Policy
) -> None:
    cases = [
        case(str(n), verdict, score, again=score, vetted=score if verdict == "clean" else None,
             model=model)
        for n, (verdict, score, model) in enumerate(drawn)
    ]  # fmt: skip
    vetting = assess(cases, policy)
    assert [row.case for row in vetting.rows] == cases
    assert all(math.isfinite(row.effect) for row in vetting.rows)
    for group in vetting.groups:
        if policy is not Policy.DROP and group.headline.claimed is not None:
            assert group.headline.counted is not None
            assert group.headline.counted <= group.headline.claimed + 1e-9
    for render in (reports.text, reports.markdown, reports.csv, reports.json):
        assert render(vetting)


# Wilson's interval, against values printed by Agresti & Coull (1998) and exact properties.


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (1, 10, 0.0179, 0.4042), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)],
)
def test_wilson(count: int, of: int, low: float, high: float) -> None:
    found = wilson(count, of)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_wilson_of_nothing_and_of_too_much() -> None:
    assert wilson(0, 0) is None
    with pytest.raises(ValueError, match="no part"):
        wilson(3, 2)


# Reduced in size; the full size belongs to the long run.


def finding(code: str, number: int, kind: Kind) -> Finding:
    return Finding(
        code=code, rule=f"Rule{code}", kind=kind, misdeed=Misdeed.OUTPUT_COPIED,
        severity=Severity.HIGH, confidence=Confidence.HIGH, source="code",
        message=f"number {number}", cites=("e1",), how=How.OBSERVED,
    )  # fmt: skip


def large(entries: int, findings: int) -> Verdict:
    kinds = list(Kind)
    return Verdict(
        attempt="large", environment="task", profile="tiny", verdict=VerdictName.CHEATING,
        earned=False, claimed_score=1.0, remeasured_score=None, hidden_score=None,
        vetted_score=None, scored_entries=ScoredEntries(claimed=0, vetted=None),
        normalised=Normalised(claimed=1.0),
        entries=tuple(
            EntryVerdict(index=n, score=n if n % 2 else None, verdict=VerdictName.SUSPECT)
            for n in range(entries)
        ),
        findings=tuple(
            finding(f"ANY{n % 40:03}", n, kinds[n % len(kinds)]) for n in range(findings)
        ),
        interventions=(), checks={}, provenance=Provenance(
            auditor="x", rules_sha256="", environment_sha256="", sandbox=""
        ),
        coverage={"gaps": [f"entry {n} was not looked at: {'x' * 999}" for n in range(entries)]},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "findings"),
    [(500, 2_000), pytest.param(10_000, 100_000, marks=pytest.mark.slow)],
)
def test_a_large_attempt_is_a_small_case(entries: int, findings: int) -> None:
    found = case_of("large", large(entries, findings))
    assert (found.entries, found.valid_entries, found.findings) == (entries, entries // 2, findings)
    assert len(found.not_looked_at) == GAPS
    assert found.gaps == entries
    assert len(found.rests_on) <= 40
    assert sum(item.findings for item in found.rests_on) == findings * 3 // 4
    assert len(found.model_dump_json()) < 20_000


@pytest.mark.parametrize("attempts", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_attempts_are_one_table(attempts: int) -> None:
    cases = [
        case(str(n), claimed=n % 7, again=1.0, vetted=1.0, model=str(n % 5))
        for n in range(attempts)
    ]
    vetting = assess(cases, Policy.VETTED)
    assert len(json.loads(reports.json(vetting))["rows"]) == attempts
    assert len(reports.csv(vetting).splitlines()) == attempts + 1
    assert len(reports.text(vetting)) < 300_000


def test_notes_are_no_ground() -> None:
    assert grounds([finding("A", 1, Kind.NOTE)]) == ()
    found = grounds([finding("A", 1, Kind.SUSPICION), finding("B", 2, Kind.CHEATING)])
    assert [item.code for item in found] == ["B", "A"]


HOSTILE = "=1+1\x1b[2J\n::error::<b>|`"


def test_what_comes_from_an_attempt_is_shown_and_not_obeyed() -> None:
    hostile = CHEAT.model_copy(update={"attempt": HOSTILE, "model": HOSTILE, "error": HOSTILE})
    vetting = assess([hostile, HONEST], Policy.VETTED)
    for render in (reports.text, reports.markdown, reports.csv, reports.json):
        said = render(vetting)
        assert "\x1b" not in said
        assert "\n::" not in said
    assert "<b>" not in reports.markdown(vetting)
    assert reports.csv(vetting).splitlines()[1].startswith("'=")
