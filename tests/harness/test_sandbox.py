"""What a run gives back: status, output, time, and just what it changed."""

from pathlib import Path

import pytest

from harness import sandbox
from harness.errors import HarnessError, InvalidSolution, SandboxUnavailable
from harness.sandbox import mode
from tests.harness.box import Box, Limits, files


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_gives_back_status_output_and_time(box: Box) -> None:
    run = box.run("sh", "-c", "echo out; echo err >&2; exit 3")
    assert (run.returncode, run.stdout, run.stderr) == (3, "out\n", "err\n")
    assert (run.timed_out, run.limit, run.survivors) == (False, None, 0)
    assert run.seconds > 0


def test_a_signal_shows_as_a_shell_shows_it(box: Box) -> None:
    assert box.run("sh", "-c", "kill -9 $$").returncode == 137


def test_a_missing_command_is_a_status(box: Box) -> None:
    assert box.run("no-such-program").returncode == 127


def test_a_missing_folder_is_a_status(box: Box) -> None:
    run = box.run("true", cwd="elsewhere")
    assert run.returncode not in (0, None)
    assert "elsewhere" in run.stderr


def test_counts_cpu_time_of_children(box: Box) -> None:
    spin = "import os, time\nwhile time.process_time() < 0.3: pass"
    run = box.python(
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', '''{spin}'''])"
    )
    assert run.cpu_seconds >= 0.25


def test_undecodable_output_is_replaced(box: Box) -> None:
    run = box.run("printf", r"\377\376ok")
    assert run.stdout.endswith("ok")


def test_the_layer_has_just_what_changed(box: Box) -> None:
    for name in ("same", "edited", "touched", "gone", "deep/same", "deep/moved"):
        box.write(f"solution/{name}", "old")
    run = box.run(
        "sh", "-c",
        "echo new > edited; touch -d 2001-01-01 touched; rm gone; mv deep/moved deep/here;"
        "echo made > made; mkdir -p empty/inner; ln -s made link; ln made second; mkfifo pipe",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert files(run.layer / "solution") == {
        "edited", "touched", "deep/here", "made", "empty/inner", "link", "second", "pipe",
    }  # fmt: skip
    assert run.removed == ("solution/deep/moved", "solution/gone")
    assert (run.layer / "solution/edited").read_text() == "new\n"


def test_a_change_that_hides_behind_its_size_and_time_shows(box: Box) -> None:
    box.write("solution/model.bin", "old")
    run = box.python(
        "import os; s = os.stat('model.bin'); open('model.bin', 'r+').write('new')\n"
        "os.utime('model.bin', ns=(s.st_atime_ns, s.st_mtime_ns))"
    )
    assert files(run.layer) == {"solution/model.bin"}


def test_the_workspace_is_left_alone(box: Box) -> None:
    box.write("solution/data", "old")
    before = {path: path.lstat() for path in box.workspace.rglob("*")}
    run = box.run("sh", "-c", "echo new > data; rm -rf ../*; touch /home/agent/x")
    assert {path: path.lstat().st_mtime_ns for path in box.workspace.rglob("*")} == {
        path: found.st_mtime_ns for path, found in before.items()
    }
    assert (box.workspace / "solution/data").read_text() == "old"
    assert files(run.layer) == {"x"}


def test_the_layer_can_be_read_whatever_its_modes_are(box: Box) -> None:
    run = box.run("sh", "-c", "mkdir shut; echo x > shut/file; chmod 0 shut/file shut")
    target = run.layer / "solution/shut/file"
    assert target.read_text() == "x\n"
    assert target.stat().st_mode & 0o7600 == 0o600


def test_odd_names_round_trip(box: Box) -> None:
    run = box.python(r"open(b'\xff\n name', 'w').close()")
    assert [path.name for path in (run.layer / "solution").iterdir()] == ["\udcff\n name"]


def test_mounts_appear_where_they_are_asked_for(box: Box, tmp_path: Path) -> None:
    given, shared = tmp_path / "given", tmp_path / "shared"
    given.mkdir()
    shared.mkdir()
    (given / "answer").write_text("42")
    run = box.run(
        "sh", "-c", "cat /protected/answer ../page; echo y > /shared/out; echo n > /protected/no",
        readonly={"/protected": given, "page": given / "answer"}, writable={"/shared": shared},
    )  # fmt: skip
    assert run.stdout == "4242"
    assert "Read-only" in run.stderr
    assert (shared / "out").read_text() == "y\n"
    assert not (given / "no").exists()
    assert files(run.layer) == set()


def test_a_link_does_not_choose_where_a_mount_lands(box: Box, tmp_path: Path) -> None:
    (box.workspace / "page").symlink_to("/usr/bin/env")
    (box.workspace / "folder").symlink_to("/tmp")
    given = tmp_path / "given"
    given.write_text("given")
    run = box.run(
        "cat", "../page", "../folder/page", readonly={"page": given, "folder/page": given}
    )
    assert run.stdout == "givengiven", run.stderr


def test_folders_nested_without_end_are_refused(box: Box) -> None:
    folder = box.workspace
    for _ in range(80):
        folder = folder / "d"
        folder.mkdir()
    with pytest.raises(InvalidSolution, match="nested"):
        box.run("true")


def test_unsafe_says_so_and_runs(box: Box, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "answer").write_text("42")
    box.write("solution/data", "old")
    sandbox.allow_unsafe(True)
    try:
        assert sandbox.describe() == "none (unsafe)"
        run = box.run(
            "sh", "-c", 'cat "$0" "$1" ../page; echo new > data; sleep 60 & exit 5',
            f"{sandbox.HOME}/solution/data", "/protected/answer",
            readonly={"/protected": given, "page": given / "answer"},
        )  # fmt: skip
        endless = box.run("sleep", "60", limits=Limits(wall_s=0.3))
    finally:
        sandbox.allow_unsafe(False)
    assert (run.returncode, run.stdout) == (5, "old4242")
    assert files(run.layer) == {"solution/data"}
    assert (box.workspace / "solution/data").read_text() == "old"
    assert endless.limit == "wall"


def test_without_bubblewrap_there_is_one_clear_sentence(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode._possible.cache_clear()
    monkeypatch.setattr(mode, "bwrap", lambda: "/bin/false")
    try:
        with pytest.raises(SandboxUnavailable) as refused:
            sandbox.require()
        assert isinstance(refused.value, HarnessError)
        assert "--unsafe" in refused.value.hint
        with pytest.raises(SandboxUnavailable):
            box.run("true")
        assert sandbox.describe() == "none (unavailable)"
    finally:
        mode._possible.cache_clear()


def test_runs_without_roots_rights(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mode, "_possible", lambda: mode.Mode.USER)
    box.write("solution/data", "old")
    run = box.run("sh", "-c", "id -u; grep CapEff /proc/self/status; echo new > data; touch /x")
    assert run.stdout.split() == [str(mode.uid()), "CapEff:", "0" * 16], run.stderr
    assert files(run.layer) == {"solution/data"}
