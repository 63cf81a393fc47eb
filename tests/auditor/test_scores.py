"""What a score stands beside: the clocks of a log, what the same files scored, what is possible."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.audit import Audit, Auditor, Options
from auditor.cli.rule_commands import RULES
from auditor.evidence.scores import contradictions
from auditor.models import VerdictName
from harness import environment as environments
from harness import origin, scoring
from harness.attempt import AttemptFolder
from harness.models import Attempt, ScoreLine
from tests.harness.toy import FACTS, answer, environment

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
ATTEMPT = Attempt(
    run_id="0" * 16, environment="task", environment_sha256="0" * 64, profile="tiny", seed=0,
    start=BEGAN, end=BEGAN + timedelta(hours=8), start_commit="", nonce="", machine={},
    packages={}, public_key="",
)  # fmt: skip


def line(
    index: int, minute: float, *, seconds: float = 30, elapsed: float | None = None
) -> ScoreLine:
    return ScoreLine(
        index=index, scored_at=BEGAN + timedelta(minutes=minute), score=1.0, message={},
        elapsed_s=60 * minute if elapsed is None else elapsed, details={"seconds": seconds},
        commit="", artifacts={}, prev="0" * 64, hash="0" * 64,
    )  # fmt: skip


def told(*lines: ScoreLine, stored: list[float | None] | None = None) -> list[tuple[int, str]]:
    times = stored or [None] * len(lines)
    at = [None if minute is None else BEGAN + timedelta(minutes=minute) for minute in times]
    return list(contradictions(ATTEMPT, lines, at))


def test_an_honest_log_agrees_with_itself() -> None:
    assert told(line(0, 1), line(1, 2), line(2, 300), stored=[1.1, 2.2, 301]) == []


@pytest.mark.parametrize(
    "lines",
    [
        [line(0, 10), line(1, 9)],
        [line(0, 10, seconds=150), line(1, 11)],
        [line(0, -1)],
        [line(0, 481)],
        [line(0, 10, elapsed=700)],
        [line(0, 10), line(1, 5, elapsed=600)][:1],
    ],
    ids=["a clock set back", "a slow clock", "an early one", "a late one", "a pause", "one line"],
)
def test_what_clocks_do_is_allowed_for(lines: list[ScoreLine]) -> None:
    assert told(*lines) == []


@pytest.mark.parametrize(
    ("lines", "stored", "entry", "word"),
    [
        ([line(0, 10), line(1, 5, elapsed=600)], None, 1, "before the entry before"),
        ([line(0, 10, seconds=900), line(1, 11)], None, 0, "into the next"),
        ([line(0, -60, elapsed=0)], None, 0, "before the start"),
        ([line(0, 600)], None, 0, "after the end"),
        ([line(0, 10, elapsed=9_000)], None, 0, "more time"),
        ([line(0, 60), line(1, 90)], [5, 90], 0, "before it was scored"),
        ([line(0, 60), line(1, 90)], [200, 90], 0, "after the next"),
    ],
)
def test_what_cannot_have_been(
    lines: list[ScoreLine], stored: list[float | None] | None, entry: int, word: str
) -> None:
    ((found, what),) = told(*lines, stored=stored)
    assert found == entry
    assert word in what


BOUNDED = FACTS + 'bound = { value = 8.0, why = "there are eight" }\n'


def audited(tmp_path: Path, tries: list[tuple[float, float | None]], facts: str) -> Audit:
    task = environments.find(str(environment(tmp_path / "bounded", facts)))
    attempt = scoring.new(task, tmp_path / "attempt", profile="tiny")
    for worth, claim in tries:
        answer(attempt.root, worth, claim)
        scoring.score(attempt, task)
    auditor = Auditor(Options(RULES), origin.find, lambda _: None)
    try:
        return auditor.audit(attempt.root)
    finally:
        auditor.close()


def codes(found: Audit) -> set[str]:
    return {finding.code for finding in found.verdict.findings}


def test_more_than_there_can_be(tmp_path: Path) -> None:
    found = audited(tmp_path, [(2.0, 9.0)], BOUNDED)
    assert "ANY037" in codes(found)
    assert found.verdict.verdict is VerdictName.CHEATING


@pytest.mark.parametrize("worth", [8.0, 2.0])
def test_what_there_can_be_is_not_reported(tmp_path: Path, worth: float) -> None:
    found = audited(tmp_path, [(worth, None)], BOUNDED)
    assert found.verdict.verdict is VerdictName.CLEAN


def test_a_bound_that_is_reached_sealed_is_wrong(tmp_path: Path) -> None:
    found = audited(tmp_path, [(9.0, None)], BOUNDED)
    assert codes(found) == set()


def test_the_same_files_are_known_again(tmp_path: Path) -> None:
    found = audited(tmp_path, [(2.0, None), (3.0, None), (2.0, None)], FACTS)
    facts = {item.entry: item.data for item in found.evidence if item.kind == "score_context"}
    assert [facts[entry]["same_as"] for entry in (0, 1, 2)] == [None, None, 0]
    assert facts[2]["same_score"] == 2.0
    assert codes(found) == set()


def test_the_clocks_of_the_harness_agree(tmp_path: Path) -> None:
    found = audited(tmp_path, [(2.0, None)] * 3, FACTS)
    (seen,) = [item for item in found.evidence if item.kind == "clocks_compared"]
    assert (seen.data["entries"], seen.data["total"]) == (3, 0)
    assert AttemptFolder.open(tmp_path / "attempt").scores()[0].commit
