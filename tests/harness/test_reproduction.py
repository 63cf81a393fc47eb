"""What a solution remakes is laid over the workspace, and nothing else is touched."""

import os
from pathlib import Path

import pytest

from harness import sandbox
from harness.errors import InvalidSolution
from harness.reproduction import lay_over, reproduce

LIMITS = sandbox.Limits(wall_s=20)


def _tree(root: Path, script: str) -> Path:
    tree = root / "workspace"
    (tree / "solution/kept").mkdir(parents=True)
    (tree / "solution/old.bin").write_text("old")
    (tree / "solution/reproduce.sh").write_text(script)
    return tree


def test_what_was_made_and_removed_shows_in_the_workspace(tmp_path: Path) -> None:
    script = "rm old.bin; mkdir -p new/deep; echo 7 > new/deep/weights; echo $MARK > kept/mark"
    tree = _tree(tmp_path, script)
    run = reproduce(tree, tmp_path / "layer", limits=LIMITS, env={"MARK": "here"})
    assert run.returncode == 0
    assert (tree / "solution/new/deep/weights").read_text() == "7\n"
    assert (tree / "solution/kept/mark").read_text() == "here\n"
    assert not (tree / "solution/old.bin").exists()


@pytest.mark.parametrize(
    ("script", "error"),
    [("echo no data >&2; exit 3", "exit status 3: no data"), ("sleep 60", "over a limit: wall")],
)
def test_a_script_that_fails_changes_nothing(tmp_path: Path, script: str, error: str) -> None:
    tree = _tree(tmp_path, f"rm old.bin; {script}")
    limits = sandbox.Limits(wall_s=1)
    with pytest.raises(InvalidSolution, match=error):
        reproduce(tree, tmp_path / "layer", limits=limits)
    assert (tree / "solution/old.bin").read_text() == "old"


def test_nothing_is_written_through_links(tmp_path: Path) -> None:
    tree, layer, outside = _tree(tmp_path, ""), tmp_path / "layer", tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    (tree / "solution/folder").symlink_to(outside)
    (tree / "solution/link").symlink_to(outside / "file")
    (layer / "solution/folder").mkdir(parents=True)
    (layer / "solution/folder/file").write_text("theirs")
    (layer / "solution/link").write_text("theirs")
    (layer / "solution/new").symlink_to(outside)
    os.mkfifo(layer / "solution/pipe")
    lay_over(layer, tree)
    assert (outside / "file").read_text() == "mine"
    assert list(outside.iterdir()) == [outside / "file"]
    assert (tree / "solution/folder/file").read_text() == "theirs"
    assert (tree / "solution/new").is_symlink()
    assert not (tree / "solution/pipe").exists()
