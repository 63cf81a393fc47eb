"""A transcript is signed when its run ends; one that is not as it was signed shows."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from harness import trajectory
from harness.attempt import AttemptFolder
from harness.running.recorder import Recorder
from harness.trajectory import Event, EventKind
from harness.verify import verify
from tests.harness import logbook
from tests.harness.toy import Terminal

ADDED = trajectory.encode(Event(index=2, kind=EventKind.ACTION, language="shell", text="cheat"))


def ended(root: Path) -> AttemptFolder:
    """An attempt whose run was recorded and has ended."""
    folder = logbook.begin(root)
    recorder = Recorder(folder.root, lambda: 1.0)
    recorder.add(EventKind.ACTION, language="shell", text="ls")
    logbook.score(folder, 1.0)
    recorder.note("end")
    folder.finish(logbook.START + timedelta(hours=1), transcript=recorder.sha256)
    return folder


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + ADDED)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes().split(b"\n", 1)[1])


def edit(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"ls"', b'"rm"'))


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


CHANGES: tuple[Callable[[Path], None], ...] = (append, cut, edit, link, Path.unlink)


def test_what_was_recorded_is_vouched_for(tmp_path: Path) -> None:
    folder = ended(tmp_path / "attempt")
    logbook.assert_vouched_for(folder.root)
    assert verify(folder.root).transcript == "signed"
    assert logbook.seen_elsewhere(folder).transcript == "signed"


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_shows_everywhere_and_leaves_the_scores_alone(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = ended(tmp_path / "attempt")
    change(folder.root / trajectory.NAME)
    for found in (verify(folder.root), logbook.seen_elsewhere(folder)):
        assert (found.status, found.problems, found.transcript) == ("intact", (), "changed")


def test_later_lines_go_on_vouching_for_it(tmp_path: Path) -> None:
    folder = ended(tmp_path / "attempt")
    logbook.hide(folder, 0)
    logbook.score(folder, 2.0)
    assert logbook.seen_elsewhere(folder).transcript == "signed"
    append(folder.root / trajectory.NAME)
    assert logbook.seen_elsewhere(folder).transcript == "changed"


def test_a_change_before_the_end_is_not_signed(tmp_path: Path) -> None:
    folder = logbook.begin(tmp_path / "attempt")
    recorder = Recorder(folder.root, lambda: 1.0)
    recorder.note("start")
    append(folder.root / trajectory.NAME)
    folder.finish(logbook.START, transcript=recorder.sha256)
    assert verify(folder.root).transcript == "changed"


def test_heads_of_before_the_end_do_not_free_it(tmp_path: Path) -> None:
    folder = logbook.begin(tmp_path / "attempt")
    kept = ("attempt.json", "scores.head.json", "hidden.head.json")
    before = {name: (folder.root / name).read_bytes() for name in kept}
    recorder = Recorder(folder.root, lambda: 1.0)
    recorder.note("start")
    folder.finish(logbook.START, transcript=recorder.sha256)
    for name, content in before.items():
        (folder.root / name).write_bytes(content)
    assert verify(folder.root).transcript == "signed"
    append(folder.root / trajectory.NAME)
    assert verify(folder.root).transcript == "changed"


def test_one_that_was_never_signed_is_readable(tmp_path: Path) -> None:
    folder = logbook.begin(tmp_path / "attempt")
    assert verify(folder.root).transcript == "none"
    (folder.root / trajectory.NAME).write_bytes(ADDED)
    logbook.assert_vouched_for(folder.root)
    assert verify(folder.root).transcript == "unsigned"


def test_verify_tells(run: Terminal, tmp_path: Path) -> None:
    folder = ended(tmp_path / "attempt")
    assert run("auditor", "verify", folder.root).code == 0
    append(folder.root / trajectory.NAME)
    said = run("auditor", "verify", folder.root)
    assert said.code == 1
    assert said.out.startswith("forged: ")
    assert "trajectory.jsonl is not the one that was signed" in said.out
