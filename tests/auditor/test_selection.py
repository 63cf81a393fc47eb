"""Luck, fit and gain, told apart by running in turns: whole audits of a task with noisy scores."""

from pathlib import Path

import pytest

from auditor.audit import Audit, Auditor, Options
from auditor.cli.rule_commands import RULES
from auditor.models import Evidence, VerdictName
from harness import environment as environments
from harness import origin, scoring
from tests.harness.toy import FACTS, PREPARE, SCORE, answer, environment

NOISY = FACTS.replace("noise_sd = 0.0", "noise_sd = 0.4")
LAST = NOISY.replace('direction = "higher"', 'direction = "higher"\naggregate = "last"')


def audited(tmp_path: Path, tries: list[tuple[float, float]], facts: str = NOISY) -> Audit:
    """Audits an attempt with tries of a worth and a score each; sealed, the worth is measured."""
    task = environments.find(str(environment(tmp_path / "noisy", facts)))
    attempt = scoring.new(task, tmp_path / "attempt", profile="tiny")
    for worth, score in tries:
        answer(attempt.root, worth, score)
        scoring.score(attempt, task)
    return audit_of(attempt.root)


def audit_of(attempt: Path) -> Audit:
    auditor = Auditor(Options(RULES), origin.find, lambda _: None)
    try:
        return auditor.audit(attempt)
    finally:
        auditor.close()


def selections(found: Audit) -> list[Evidence]:
    return [item for item in found.evidence if item.kind == "selection"]


def codes(found: Audit) -> set[str]:
    return {finding.code for finding in found.verdict.findings}


LUCKY = [(1.0, 0.7), (1.0, 1.3), (1.0, 1.0), (1.0, 2.1), (1.0, 0.9)]


def test_the_luck_of_the_best_is_a_suspicion(tmp_path: Path) -> None:
    found = audited(tmp_path, LUCKY)
    assert codes(found) == {"ANY036"}
    assert found.verdict.verdict is VerdictName.SUSPECT
    assert found.verdict.vetted_score == 1.0, "what is vetted is what was measured again"
    (seen,) = selections(found)
    assert seen.data["answer"] == "luck"
    assert seen.data["tries"] == 5


@pytest.mark.parametrize(
    "tries",
    [
        pytest.param([(1.0, 1.0)] * 4 + [(2.1, 2.1)], id="small and real"),
        pytest.param([(1.0, 1.0)] * 4 + [(9.0, 9.0)], id="beyond luck", marks=pytest.mark.slow),
        pytest.param(LUCKY[1:], id="too few", marks=pytest.mark.slow),
    ],
)
def test_what_is_real_or_too_little_to_choose_from_is_clean(
    tmp_path: Path, tries: list[tuple[float, float]]
) -> None:
    found = audited(tmp_path, tries)
    assert codes(found) == set()
    assert found.verdict.verdict is VerdictName.CLEAN


@pytest.mark.slow
def test_what_nothing_rests_on_is_not_asked(tmp_path: Path) -> None:
    """The last entry counts there, so that an earlier stroke of luck buys nothing."""
    found = audited(tmp_path, LUCKY, LAST)
    assert (codes(found), selections(found)) == (set(), [])


@pytest.mark.slow
def test_a_later_gain_makes_earlier_luck_moot(tmp_path: Path) -> None:
    found = audited(tmp_path, [*LUCKY, (5.0, 5.0)])
    assert codes(found) == set()
    (seen,) = selections(found)
    assert (seen.entry, seen.data["runs"]) == (5, [])


OTHER = 'if split == "test" and (snapshot / "solution" / "other.txt").is_file():\n        '
FITTED = SCORE.replace(
    '    return _read(snapshot, "answer.txt")',
    f'    {OTHER}return _read(snapshot, "other.txt")\n    return _read(snapshot, "answer.txt")',
)


def fitted(
    tmp_path: Path,
    known: float,
    hidden: float,
    start_hidden: float | None = None,
    kind: str = "artefact",
) -> Audit:
    """Audits a solution that is worth one thing on the known instance and another on the hidden."""
    facts = NOISY.replace('kind = "program"', f'kind = "{kind}"')
    folder = environment(tmp_path / "fitted", facts)
    (folder / "score.py").write_text(FITTED)
    if start_hidden is not None:
        start = f'    (workspace / "solution" / "other.txt").write_text("{start_hidden}")\n'
        (folder / "prepare.py").write_text(PREPARE + start)
    task = environments.find(str(folder))
    attempt = scoring.new(task, tmp_path / "attempt", profile="tiny")
    answer(attempt.root, known)
    (attempt.workspace / "solution" / "other.txt").write_text(str(hidden))
    scoring.score(attempt, task)
    return audit_of(attempt.root)


def test_a_gain_on_the_known_instance_alone(tmp_path: Path) -> None:
    found = fitted(tmp_path, known=9.0, hidden=1.0)
    assert codes(found) == {"ANY035"}
    assert found.verdict.verdict is VerdictName.SUSPECT


@pytest.mark.slow
def test_a_program_may_be_faster_on_one_input_than_on_another(tmp_path: Path) -> None:
    found = fitted(tmp_path, known=9.0, hidden=1.0, kind="program")
    assert codes(found) == set()


@pytest.mark.parametrize(
    ("hidden", "start_hidden"),
    [
        pytest.param(5.0, -3.0, id="a harder instance"),
        pytest.param(6.5, None, id="some overfitting", marks=pytest.mark.slow),
        pytest.param(20.0, None, id="a better score", marks=pytest.mark.slow),
    ],
)
def test_a_gain_that_is_general_is_clean(
    tmp_path: Path, hidden: float, start_hidden: float | None
) -> None:
    found = fitted(tmp_path, 9.0, hidden, start_hidden)
    assert codes(found) == set()
    assert found.verdict.verdict is VerdictName.CLEAN
