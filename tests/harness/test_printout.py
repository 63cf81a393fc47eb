"""What a run says of its work is found wherever it says it, and nothing else is taken for it."""

from pathlib import Path

import pytest

from harness.printout import CHARACTERS, LINES, printout, tells
from harness.sandbox import Run

LOG = "".join(f"step {step}: loss {4 - step / 7:.4f}\n" for step in range(8))


def said(layer: Path, stdout: str = "", stderr: str = "") -> Run:
    return Run(0, 1.0, 1.0, False, None, stdout, stderr, 0, layer)


def test_output_comes_first(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text(LOG.replace("loss", "error"))
    assert printout(said(tmp_path, LOG, "warned")) == LOG.splitlines()


@pytest.mark.parametrize("name", ["train.log", "solution/out.txt", "runs/a.jsonl", "nohup.out"])
def test_a_new_log_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(LOG)
    assert printout(said(tmp_path, "training ...\n")) == LOG.splitlines()


def test_a_log_that_lay_there_before_is_no_word_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text(LOG)
    assert printout(said(tmp_path), {"train.log"}) == []


def test_error_output_is_read_but_for_progress_bars(tmp_path: Path) -> None:
    assert printout(said(tmp_path, "done\n", LOG)) == LOG.splitlines()
    assert printout(said(tmp_path, "done\n", LOG.replace("\n", "\r"))) == ["done"]


def test_a_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(LOG)
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer" / "train.log").symlink_to("../elsewhere")
    assert printout(said(tmp_path / "layer")) == []


def test_no_more_is_kept_than_can_be_shown(tmp_path: Path) -> None:
    lines = printout(said(tmp_path, ("x 1.2345" + "y" * 1_000 + "\n") * 1_000))
    assert (len(lines), len(lines[0])) == (LINES, CHARACTERS)


def test_figures_have_to_be_several() -> None:
    assert tells(LOG.splitlines())
    assert not tells(LOG.splitlines()[:3])
    assert not tells(["done in 3.2 s"] * 10)
