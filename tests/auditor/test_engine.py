"""One check per rule and unit, whatever a rule does."""

from collections.abc import Iterable

from auditor import engine
from auditor.models import CheckOutcome, Finding, Kind, Scope
from auditor.rule import EnvironmentFacts, Facts, Unit, fact
from tests.auditor.rules import Wrong


class Whole(Wrong):
    """Something is wrong with the attempt."""

    code = "TST002"
    scope = Scope.ATTEMPT


class Never(Wrong):
    """It is not for this environment."""

    code = "TST003"

    def applies(self, facts: EnvironmentFacts | None) -> bool:
        return False


class Inventor(Wrong):
    """It cites what is not there."""

    code = "TST004"

    def check(self, unit: Unit) -> Iterable[Finding]:
        yield self.report(unit, "m", [fact("invented")])


def _unit(
    entry: int | None = 0, *, times: int = 0, notes: int = 0, path: str = "", say: str = ""
) -> Unit:
    seen = fact("seen", times=times, notes=notes, path=path, say=say)
    return Facts(seen, entry=entry).unit({})


def test_one_check_per_rule_and_unit_of_its_scope() -> None:
    units = [_unit(None), _unit(0), _unit(1, times=1)]
    checks = engine.apply([Wrong(), Whole(), Never()], units)
    assert [(check.code, check.entry, check.outcome.value) for check in checks] == [
        ("TST002", None, "nothing"),
        ("TST001", 0, "nothing"),
        ("TST003", 0, "not_applicable"),
        ("TST001", 1, "found"),
        ("TST003", 1, "not_applicable"),
    ]
    assert all(check.seconds >= 0 for check in checks)


def test_missing_evidence_is_not_silence() -> None:
    check = engine.check_one(Wrong(), Unit(0))
    assert check.outcome is CheckOutcome.NO_EVIDENCE
    assert "seen" in check.reason


def test_a_crash_is_data() -> None:
    checks = engine.apply([Wrong(), Never()], [_unit(say="raise")])
    assert [check.outcome.value for check in checks] == ["crashed", "not_applicable"]
    assert "no such thing" in checks[0].reason
    assert "line" in checks[0].reason


def test_a_citation_that_is_not_there_is_a_crash() -> None:
    assert engine.check_one(Inventor(), _unit()).outcome is CheckOutcome.CRASHED


def test_findings_of_one_file_are_capped_and_counted() -> None:
    check = engine.check_one(Wrong(), _unit(times=100_000, path="x.py"))
    assert len(check.findings) == engine.PER_FILE
    assert f"{100_000 - engine.PER_FILE} more" in check.findings[-1].message


def test_findings_over_many_files_are_capped_and_counted() -> None:
    check = engine.check_one(Wrong(), _unit(times=1_000))
    assert len(check.findings) == engine.PER_CHECK
    assert f"{1_000 - engine.PER_CHECK} more" in check.findings[-1].message


def test_the_gravest_are_kept() -> None:
    check = engine.check_one(Wrong(), _unit(times=500, notes=499, path="x.py"))
    assert check.findings[0].kind is Kind.VIOLATION
