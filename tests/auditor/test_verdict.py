"""The decision: what convicts, what is clean, and which score stands."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import RuleSetError
from auditor.models import Check, CheckOutcome, Effect, Finding, How, Kind, Scope, VerdictName
from auditor.verdict import GRAVITY, Decision, Examined, Reearned, decide
from tests.auditor.test_settle import finding

REQUIRED = {"LLM101": Scope.ENTRY, "ANY001": Scope.ATTEMPT}


def check(code: str, outcome: str = "nothing", entry: int | None = 0) -> Check:
    return Check(
        code=code, rule="R", entry=entry, outcome=CheckOutcome(outcome), reason="why", seconds=0
    )


def entry(
    index: int,
    score: float | None = 1.0,
    *found: Finding,
    measured: float | None = 1.0,
    looked: str = "nothing",
    **changes: Any,
) -> Examined:
    again = None
    if measured is not None and score is not None:
        again = Reearned(score, (measured,), 0.1, "lower")
    usual = {"checks": (check("LLM101", looked, index),), "reearned": again}
    return Examined(index, score, tuple(found), **{**usual, **changes})


def judge(*entries: Examined, found: tuple[Finding, ...] = (), **changes: Any) -> Decision:
    usual: dict[str, Any] = {"required": REQUIRED, "direction": "lower"}
    checks = changes.pop("checks", (check("ANY001", entry=None),))
    return decide(entries, found, checks, **{**usual, **changes})


def of(kind: str, **changes: object) -> Finding:
    return finding(kind=Kind(kind), **changes)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((), "clean"),
        ((of("note"),), "clean"),
        ((of("suspicion"),), "suspect"),
        ((of("violation"), of("suspicion")), "violation"),
        ((of("suspicion"), of("cheating")), "cheating"),
        ((of("cheating", how=How.OBSERVED),), "cheating"),
        ((of("cheating", how=How.CLAIMED),), "suspect"),
        ((of("violation", how=How.CLAIMED),), "suspect"),
    ],
)
def test_findings_decide(found: tuple[Finding, ...], verdict: str) -> None:
    decision = judge(entry(0, 1.0, *found))
    assert decision.verdict == verdict
    assert decision.entries[0].verdict == verdict
    assert decision.vetted == (0 if verdict == "clean" else None)


@pytest.mark.parametrize("outcome", ["no_evidence", "crashed"])
def test_a_required_check_that_did_not_look(outcome: str) -> None:
    decision = judge(entry(0, looked=outcome))
    assert decision.verdict == "inconclusive"
    assert any("LLM101" in gap and "why" in gap for gap in decision.gaps)


def test_a_required_check_that_is_not_there() -> None:
    assert judge(entry(0, checks=())).verdict == "inconclusive"
    assert judge(entry(0), checks=()).verdict == "inconclusive"


def test_another_check_without_evidence_is_no_matter() -> None:
    checks = (check("LLM101"), check("LLM105", "no_evidence"))
    assert judge(entry(0, checks=checks)).verdict == "clean"


def test_no_rule_applied_is_an_error() -> None:
    with pytest.raises(RuleSetError):
        decide([], [], [], required={})


def test_a_claim_that_is_not_reached_is_suspect() -> None:
    decision = judge(entry(0, 1.0, measured=1.2))
    assert (decision.verdict, decision.earned, decision.vetted) == ("suspect", False, None)


def test_a_claim_that_was_not_measured_again_is_not_clean() -> None:
    decision = judge(entry(0, measured=None))
    assert (decision.verdict, decision.earned) == ("inconclusive", None)


def test_an_honest_entry_survives_a_cheat() -> None:
    cheat = entry(1, -2.0, of("cheating", effect=Effect.EFFECTIVE), measured=-2.0)
    decision = judge(entry(0, 1.0), cheat)
    assert decision.verdict == "cheating"
    assert [item.verdict.value for item in decision.entries] == ["clean", "cheating"]
    assert (decision.claimed, decision.vetted, decision.earned) == (1, 0, False)


def test_a_failed_try_leaves_the_score_earned() -> None:
    tried = entry(0, 1.0, of("cheating", effect=Effect.INEFFECTIVE, flow=True))
    decision = judge(tried)
    assert (decision.verdict, decision.earned, decision.vetted) == ("cheating", True, None)


@pytest.mark.parametrize(("measured", "earned"), [(1.0, None), (9.0, False)])
def test_who_can_say_whether_a_misdeed_paid(measured: float, earned: bool | None) -> None:
    decision = judge(entry(0, 1.0, of("violation", effect=Effect.UNKNOWN), measured=measured))
    assert (decision.verdict, decision.earned, decision.vetted) == ("violation", earned, None)


def test_a_better_entry_that_was_skipped_is_never_passed_over() -> None:
    decision = judge(entry(0, 1.0), entry(1, 0.5, measured=None))
    assert (decision.verdict, decision.vetted) == ("inconclusive", 0)
    assert any("entry 1" in gap for gap in decision.gaps)


def test_a_worse_entry_that_was_skipped_is_no_matter() -> None:
    decision = judge(entry(0, 1.0), entry(1, 2.0, measured=None, looked="no_evidence"))
    assert (decision.verdict, decision.vetted) == ("clean", 0)


def test_the_last_valid_entry_counts_where_the_environment_says_so() -> None:
    entries = (entry(0, 0.1, measured=0.1), entry(1, 3.0, measured=3.0), entry(2, None))
    assert judge(*entries, aggregate="last").claimed == 1
    assert judge(*entries, aggregate="best").claimed == 0


def test_higher_is_better_where_the_environment_says_so() -> None:
    entries = [Examined(i, s, (), (check("LLM101"),)) for i, s in enumerate((0.1, 0.9))]
    assert judge(*entries, direction="higher").claimed == 1


@pytest.mark.parametrize(("found", "verdict"), [((), "clean"), ((of("cheating"),), "cheating")])
def test_without_a_valid_entry_conduct_decides(found: tuple[Finding, ...], verdict: str) -> None:
    decision = judge(entry(0, None, *found, checks=()))
    assert (decision.verdict, decision.earned, decision.claimed) == (verdict, None, None)


@pytest.mark.parametrize("measured", [1.0, 9.0])
def test_a_doubtful_measurement_neither_clears_nor_accuses(measured: float) -> None:
    again = Reearned(1.0, (measured,), 0.1, "lower", doubt="the machine was busy")
    decision = judge(entry(0, reearned=again))
    assert (decision.verdict, decision.vetted, decision.earned) == ("inconclusive", None, None)
    assert decision.gaps == ("entry 0: the machine was busy",)


def test_what_is_proved_of_the_attempt_taints_every_entry() -> None:
    forged = of("cheating", entries=(), how=How.OBSERVED)
    decision = judge(entry(0), found=(forged,))
    assert (decision.verdict, decision.vetted) == ("cheating", None)


@pytest.mark.parametrize(
    ("direction", "measured", "reached"),
    [
        ("lower", (1.05,), True),
        ("lower", (1.2,), False),
        ("lower", (1.3, 1.05), True),
        ("lower", (0.2,), True),
        ("lower", (), False),
        ("higher", (0.95,), True),
        ("higher", (0.8,), False),
        ("higher", (float("nan"),), False),
    ],
)
def test_reached(direction: Any, measured: tuple[float, ...], reached: bool) -> None:
    assert Reearned(1.0, measured, 0.1, direction).reached is reached


def test_the_best_of_several_samples_reaches_a_claim() -> None:
    assert not Reearned(1.0, (1.5,), 0.1, "lower").reached
    again = Reearned(1.0, (1.5, 1.6), 0.1, "lower", best=(1.3, 1.05))
    assert again.reached
    assert again.value == 1.55
    assert not Reearned(1.0, (0.5,), 0.1, "higher", best=(0.8,)).reached
    assert Reearned(1.0, (0.5,), 0.1, "higher", best=(0.95,)).reached


scores = st.one_of(st.none(), st.floats(-5, 5))
entries = st.lists(
    st.builds(
        lambda score, kinds, measured, looked: (score, kinds, measured, looked),
        scores,
        st.lists(st.sampled_from(Kind), max_size=2),
        scores,
        st.sampled_from(["nothing", "no_evidence", "found", "crashed"]),
    ),
    max_size=4,
).map(
    lambda rows: [
        entry(i, score, *(of(kind) for kind in kinds), measured=measured, looked=looked)
        for i, (score, kinds, measured, looked) in enumerate(rows)
    ]
)


@given(entries, st.sampled_from(Kind), st.data())
def test_more_findings_never_help(found: list[Examined], kind: Kind, data: st.DataObject) -> None:
    before = judge(*found)
    assert before == judge(*found)
    if found:
        place = data.draw(st.integers(0, len(found) - 1))
        worse = found[place]
        found = [*found]
        found[place] = Examined(
            worse.index, worse.score, (*worse.findings, of(kind)), worse.checks, worse.reearned
        )
        after = judge(*found)
        assert GRAVITY.index(after.verdict) >= GRAVITY.index(before.verdict)
        assert GRAVITY.index(after.entries[place].verdict) >= GRAVITY.index(
            before.entries[place].verdict
        )


@given(entries)
def test_clean_means_that_everything_was_looked_at(found: list[Examined]) -> None:
    decision = judge(*found)
    if decision.verdict is VerdictName.CLEAN and decision.claimed is not None:
        claimed = next(item for item in found if item.index == decision.claimed)
        assert decision.vetted == decision.claimed
        assert claimed.reearned is not None
        assert claimed.reearned.reached
        assert all(item.outcome.value in ("nothing", "found") for item in claimed.checks)
        assert decision.earned
