"""Programs that are forked from a waiting Python: as alone as in a sandbox of their own."""

import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import SandboxUnavailable
from harness.sandbox import Limits, Run, Warm, allow_unsafe, root
from tests.harness.box import Box, files

LIMITS = Limits(wall_s=20, memory_bytes=512 << 20, processes=40, disk_bytes=64 << 20)


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm(["json", "decimal"], limits=LIMITS, env={"MARK": "all"}) as found:
        yield found


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def run(warm: Warm, box: Box, program: str, *words: str, **options: Any) -> Run:
    box.write("solution/program.py", program)
    layer = box.folder / f"layer{len(list(box.folder.iterdir()))}"
    return warm.run(["program.py", *words], workspace=box.workspace, layer=layer, **options)


def test_a_program_runs_as_if_started_alone(warm: Warm, box: Box) -> None:
    box.write("solution/beside.py", "VALUE = 7")
    seen = run(
        warm,
        box,
        "import os, sys\nimport beside\n"
        "print(__name__, sys.argv, beside.VALUE, os.getcwd(), os.environ['MARK'], "
        "os.environ['OWN'], 'decimal' in sys.modules, len(os.listdir('/proc/self/fd')))\n"
        "print('said', file=sys.stderr)\nopen('made.txt', 'w').write('x')\nsys.exit(3)",
        "one",
        env={"OWN": "mine"},
    )
    told = "__main__ ['program.py', 'one'] 7 /home/agent/solution all mine True 4\n"
    assert (seen.returncode, seen.stdout, seen.stderr) == (3, told, "said\n")
    assert (seen.survivors, seen.limit, seen.timed_out) == (0, None, False)
    assert "solution/made.txt" in files(seen.layer)
    assert not (box.workspace / "solution/made.txt").exists()


@pytest.mark.parametrize(
    ("program", "status"),
    [("1 / 0", 1), ("import os; os._exit(9)", 9), ("import os; os.abort()", 134), ("(", 1)],
)
def test_ends_show_as_a_shell_shows_them(warm: Warm, box: Box, program: str, status: int) -> None:
    assert run(warm, box, program).returncode == status


LEAVE = """
import decimal, os, random, subprocess, sys, time
decimal.marker = sys.modules["planted"] = os.environ["PLANTED"] = "x"
for place in ("/tmp/p", "/tmp/home/p", "/dev/shm/p", "p", "../p"):
    open(place, "w").write("x")
os.makedirs("/tmp/deep/er"); os.chmod("/tmp/deep", 0)
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
"""
LOOK = """
import decimal, json, os, sys
print(json.dumps([
    [hasattr(decimal, "marker"), "planted" in sys.modules, "PLANTED" in os.environ],
    [p for p in ("/tmp/p", "/tmp/home/p", "/dev/shm/p", "p", "../p", "/tmp/deep")
     if os.path.lexists(p)],
    os.listdir("/tmp/home"),
    len([p for p in os.listdir("/proc") if p.isdigit()]),
]))
"""


def test_nothing_of_one_program_is_there_for_the_next(warm: Warm, box: Box, tmp_path: Path) -> None:
    first = run(warm, box, LEAVE)
    assert (first.returncode, first.survivors) == (0, 1), first.stderr
    second = run(warm, Box(tmp_path / "other"), LOOK)
    # init, the supervisor, the waiting Python and the program itself
    assert second.stdout == "[[false, false, false], [], [], 4]\n", second.stderr


def test_randomness_is_not_inherited(warm: Warm, box: Box) -> None:
    said = [run(warm, box, "import random; print(random.random())").stdout for _ in range(2)]
    assert said[0] != said[1]


def test_the_waiting_python_cannot_be_reached(warm: Warm, box: Box) -> None:
    reach = (
        "import os\nfor name in ('mem', 'environ', 'fd', 'maps'):\n"
        "    path = f'/proc/{os.getppid()}/{name}'\n"
        "    try:\n"
        "        os.listdir(path) if name == 'fd' else open(path, 'rb').read(1)\n"
        "        print(name)\n"
        "    except OSError:\n        pass\n"
    )
    assert run(warm, box, reach).stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "limit"),
    [
        ("while True: pass", "wall"),
        ("import time\nkept = []\nwhile True: kept.append(bytearray(b'x') * (1 << 24))", "memory"),
        ("import threading, time\nfor _ in range(44):\n"
         "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
         "time.sleep(60)", "processes"),
    ],
)  # fmt: skip
def test_a_limit_ends_the_run_and_not_the_next(box: Box, program: str, limit: str) -> None:
    limits = Limits(wall_s=3, memory_bytes=256 << 20, processes=40)
    with Warm([], limits=limits) as warm:
        assert run(warm, box, program).limit == limit
        assert run(warm, box, "print('well')").stdout == "well\n"


def test_whoever_ends_the_waiting_python_harms_only_himself(warm: Warm, box: Box) -> None:
    murder = "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)"
    seen = run(warm, box, murder)
    assert seen.returncode is None
    assert run(warm, box, "print('well')").stdout == "well\n"


def test_what_it_cannot_keep_apart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="inside the workspace"):
        Warm([], readonly={"solution/data": tmp_path})
    allow_unsafe(True)
    try:
        with pytest.raises(SandboxUnavailable, match="isolation"):
            Warm([])
    finally:
        allow_unsafe(False)


def test_a_missing_package_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    with Warm(["no_such_package"]) as warm, pytest.raises(SandboxUnavailable, match="no_such"):
        warm.run(["x.py"], workspace=tmp_path / "workspace", layer=tmp_path / "layer")


@pytest.mark.slow
def test_loaded_packages_work_in_every_fork(box: Box) -> None:
    program = "import torch\nx = torch.ones(300, 300)\nprint(int((x @ x).sum()))"
    with Warm(["torch"]) as warm:
        assert [run(warm, box, program).stdout for _ in range(2)] == ["27000000\n"] * 2


def test_python_in_a_temporary_folder_is_not_cleared_away(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefixes = root._prefixes()
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        venv.create(Path(name, "venv"), symlinks=True)
        monkeypatch.setattr(root, "_prefixes", lambda: [*prefixes, Path(name, "venv")])
        # Something of ours is hidden in it, which makes a mount within a mount.
        monkeypatch.setattr(root, "ours", lambda: (Path(name, "venv/bin/activate"),))
        box.write("solution/leave.py", f"open('/tmp/a', 'w'); open({name!r} + '/venv/pyvenv.cfg')")
        with Warm([]) as warm:
            for number in range(2):
                run = warm.run(
                    ["leave.py"], workspace=box.workspace, layer=tmp_path / f"layer{number}"
                )
                assert (run.returncode, run.limit) == (0, None), run.stderr
            assert warm._inside is not None  # it was good enough to go on with
