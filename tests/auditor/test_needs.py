"""What an attempt does not bring along is a gap, and costs no control."""

from pathlib import Path

from auditor.evidence.replay import _lacking
from harness.intervention import Intervention, Observation
from harness.models import Outcome, Split


def _intervention(needs: str) -> Intervention:
    return Intervention(
        name="again",
        summary="made again",
        split=Split.TEST,
        observe=lambda case, solution, scratch: Observation(Outcome.HELD, "", ""),
        needs=needs,
    )


def test_what_is_there_is_enough(tmp_path: Path) -> None:
    (tmp_path / "solution").mkdir()
    (tmp_path / "solution/reproduce.sh").write_text("")
    assert not _lacking(_intervention("solution/reproduce.sh"), tmp_path)
    assert not _lacking(_intervention(""), tmp_path)


def test_what_is_missing_or_a_link_is_named(tmp_path: Path) -> None:
    (tmp_path / "solution").mkdir()
    item = _intervention("solution/reproduce.sh")
    assert "no solution/reproduce.sh" in _lacking(item, tmp_path)
    (tmp_path / "solution/reproduce.sh").symlink_to("/etc/hostname")
    assert _lacking(item, tmp_path)
