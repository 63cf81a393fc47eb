"""Whatever a program takes, it is stopped, the limit has a name, and the harness goes on."""

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from harness import sandbox
from harness.errors import SandboxUnavailable
from harness.sandbox import mode
from tests.harness.box import Box, Limits, Run

MIB = 1 << 20


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    made.others = _inside()
    return made


def alive(box: Box) -> bool:
    """A following run works, and nothing of the earlier one is left on the machine."""
    return box.run("true").returncode == 0 and _inside() <= box.others


def _inside() -> set[str]:
    """The processes of sandboxes that this one has started."""
    return {pid for pid in filter(str.isdigit, os.listdir("/proc")) if _owner(pid) == mode.uid()}


def _owner(pid: str) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


def test_time(box: Box) -> None:
    run = box.run("sh", "-c", "echo before; sleep 60", limits=Limits(wall_s=0.4))
    assert (run.limit, run.timed_out, run.returncode) == ("wall", True, None)
    assert run.stdout == "before\n"
    assert 0.4 <= run.seconds < 30
    assert alive(box)


def test_a_program_that_cannot_be_interrupted_is_stopped_too(box: Box) -> None:
    run = box.python(
        "import os, signal, time\n"
        "for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "os.setsid() if os.getpid() != os.getsid(0) else None\n"
        "time.sleep(60)",
        limits=Limits(wall_s=0.5),
    )
    assert run.limit == "wall"
    assert alive(box)


def test_processes(box: Box) -> None:
    bomb = "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass"
    run = box.python(bomb, limits=Limits(processes=60, wall_s=30))
    assert run.limit == "processes"
    assert alive(box)


def test_threads_count_as_processes(box: Box) -> None:
    hog = (
        "import threading, time\n"
        "for _ in range(50): threading.Thread(target=time.sleep, args=(60,)).start()"
    )
    assert box.python(hog, limits=Limits(processes=40, wall_s=30)).limit == "processes"


GREEDY = {
    "heap": "kept = []\nwhile True: kept.append(bytearray(b'x') * (1 << 24))",
    "children": "import os, time\nfor _ in range(8): os.fork()\n"
    "kept = b'x' * (4 << 20)\ntime.sleep(60)",
    "files in memory": "f = open('/tmp/f', 'wb')\nwhile f.write(b'x' * (1 << 20)): pass",
    "shared memory": "import mmap, time\nm = mmap.mmap(-1, 300 << 20)\n"
    "for i in range(0, 300 << 20, 4096): m[i] = 1\ntime.sleep(60)",
}


@pytest.mark.parametrize("how", GREEDY)
def test_memory(box: Box, how: str) -> None:
    program = GREEDY[how] + "\nimport time; time.sleep(60)"
    memory = 600 * MIB if how == "files in memory" else 200 * MIB
    if how == "files in memory":  # two file systems of half the memory each
        program = program.replace("while f.write(b'x' * (1 << 20)): pass", _FILL)
    run = box.python(program, limits=Limits(memory_bytes=memory, wall_s=60))
    assert run.limit == "memory", run.stderr
    assert run.returncode is None
    assert alive(box)


_FILL = """
for name in ("/tmp/a", "/dev/shm/a"):
    try:
        with open(name, "wb", 0) as file:
            while file.write(b"x" * (1 << 20)): pass
    except OSError: pass
kept = b"x" * (40 << 20)
"""


def test_memory_that_is_shared_counts_once(box: Box) -> None:
    workers = (
        "import os, time\ndata = bytearray(os.urandom(1)) * (80 << 20)\n"
        "for _ in range(5):\n"
        "    if os.fork() == 0: time.sleep(1.6); os._exit(0)\n"
        "for _ in range(5): os.wait()"
    )
    run = box.python(workers, limits=Limits(memory_bytes=200 * MIB, wall_s=60))
    assert (run.limit, run.returncode) == (None, 0)


def test_output(box: Box) -> None:
    run = box.run("sh", "-c", "yes | head -c 3000000; echo end", limits=Limits(output_bytes=1000))
    assert (run.returncode, run.limit, len(run.stdout)) == (0, None, 1000)
    assert run.stdout.endswith("end\n")
    endless = box.run("sh", "-c", "yes >&2", limits=Limits(output_bytes=1000))
    assert (endless.limit, endless.returncode) == ("output", None)
    assert len(endless.stderr) == 1000
    assert alive(box)


FLOODS = {
    "one file": ("dd if=/dev/zero of=big bs=1M count=40 2>/dev/null; sleep 60", "disk"),
    "holes": ("for i in 1 2 3; do truncate -s 15M f$i; done; sleep 60", "disk"),
    "small files": ("i=0; while :; do i=$((i+1)); : > f$i; done", "disk"),
    "at the very end": ("dd if=/dev/zero of=big bs=1M count=40 2>/dev/null", "disk"),
    "without a name": ("exec 3>big; rm big; dd if=/dev/zero bs=1M count=40 >&3; sleep 60", "disk"),
    "one large file": ("truncate -s 60M big; truncate -s 50M big", "file"),
    "deep": ("while mkdir d && cd d; do :; done; sleep 60", "depth"),
}


@pytest.mark.parametrize("how", FLOODS)
def test_disk(box: Box, how: str) -> None:
    script, limit = FLOODS[how]
    # `cd` of dash fails once the path is too long; bash's goes on.
    run = box.run(
        "bash", "-c", script,
        limits=Limits(disk_bytes=30 * MIB, file_bytes=50 * MIB, wall_s=60),
    )  # fmt: skip
    assert run.limit == limit
    assert alive(box)
    shutil.rmtree(run.layer)  # whoever reads it need not fear its depth


def test_what_was_there_before_does_not_count(box: Box) -> None:
    box.write("solution/base", "x" * (2 * MIB))
    run = box.run("touch", "new", limits=Limits(disk_bytes=MIB, file_bytes=MIB))
    assert (run.limit, run.returncode) == (None, 0)


LATE = """
import os, subprocess, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for name in ("0", "1", "2"): os.close(int(name))
        while True:
            open("output", "a").write("late ")
            time.sleep(0.01)
    os._exit(0)
os.wait()
"""


def test_a_late_writer_is_killed_and_counted(box: Box) -> None:
    """Q6: when the clock is read nobody is left who could write."""
    run = box.python(LATE)
    assert (run.returncode, run.survivors) == (0, 1)
    written = (run.layer / "solution/output").read_bytes()
    assert alive(box)
    assert (run.layer / "solution/output").read_bytes() == written


def test_work_after_the_command_counts(box: Box) -> None:
    """Q6: what goes on after the command's end is inside the time."""
    script = "setsid sh -c 'sleep 0.1; echo done > output' & exit 0"
    run = box.run("bash", "-c", script)
    if (run.layer / "solution/output").exists():
        assert run.seconds >= 0.1
    else:
        assert run.survivors > 0


def test_helpers_that_leave_by_themselves_are_no_survivors(box: Box) -> None:
    run = box.python(
        "import multiprocessing as m\n"
        "if __name__ == '__main__':\n"
        "    shared = m.get_context('spawn').Semaphore(1)\n"
        "    m.resource_tracker.ensure_running()"
    )
    assert (run.returncode, run.survivors) == (0, 0), run.stderr


def test_the_clock_starts_with_the_command(box: Box) -> None:
    """Setting up is not inside: a run without work takes less than its own preparation."""
    for number in range(300):
        box.write(f"solution/{number}", "x" * 1000)
    began = time.monotonic()
    run: Run = box.run("true")
    assert run.seconds < time.monotonic() - began


def test_processors(box: Box) -> None:
    count = "import os; print(len(os.sched_getaffinity(0)))"
    assert box.python(count, cpus=1).stdout == "1\n"
    assert box.python(count).stdout == f"{len(os.sched_getaffinity(0))}\n"
    assert box.python(count, cpus=9999).stdout == f"{len(os.sched_getaffinity(0))}\n"


def test_nothing_is_left_in_the_temporary_folder(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    box.run("sh", "-c", "mkdir -p a/b; chmod 0 a")
    with pytest.raises(SandboxUnavailable):
        box.run("true", readonly={"/x": tmp_path / "missing"})
    assert list(temporary.iterdir()) == []


def test_the_description_names_what_isolates() -> None:
    assert sandbox.describe().startswith("bubblewrap ")
    assert "seccomp" in sandbox.describe()
