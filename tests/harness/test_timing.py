"""One timed run at a time, by threads, processes and users."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness import timing
from harness.timing import timing_lock

HOLD = """
import sys
from harness import timing
from pathlib import Path
timing.LOCK = Path(sys.argv[1])
with timing.timing_lock():
    print("held", flush=True)
    sys.stdin.read()
print("released", flush=True)
"""


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(timing, "LOCK", tmp_path / "lock")
    return tmp_path / "lock"


def holder(lock: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline()


def test_another_process_waits(lock: Path) -> None:
    with holder(lock) as first:
        assert line(first) == "held\n"
        with holder(lock) as second:
            os.set_blocking(second.stdout.fileno(), False)  # type: ignore[union-attr]
            assert line(second) == ""
            os.set_blocking(second.stdout.fileno(), True)  # type: ignore[union-attr]
            first.communicate("")
            assert line(second) == "held\n"
            second.communicate("")


def test_a_holder_that_dies_lets_go(lock: Path) -> None:
    with holder(lock) as first:
        assert line(first) == "held\n"
        first.kill()
        first.wait()
        with timing_lock():
            pass


def test_the_same_thread_may_take_it_again(lock: Path) -> None:
    with timing_lock(), timing_lock():
        pass
    with holder(lock) as other:
        assert line(other) == "held\n"
        other.communicate("")


def test_another_thread_waits() -> None:
    entered = threading.Event()

    def enter() -> None:
        with timing_lock():
            entered.set()

    with timing_lock():
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.1)
    thread.join()
    assert entered.is_set()


def test_an_error_inside_lets_go(lock: Path) -> None:
    with pytest.raises(ValueError, match="inside"), timing_lock():
        raise ValueError("inside")
    with holder(lock) as other:
        assert line(other) == "held\n"
        other.communicate("")


def test_a_forked_child_does_not_keep_it(lock: Path) -> None:
    receive, send = os.pipe()
    with timing_lock():
        child = os.fork()
        if child == 0:
            os.close(send)
            os.read(receive, 1)
            os._exit(0)
    try:
        with holder(lock) as other:
            assert line(other) == "held\n"
            other.communicate("")
    finally:
        os.close(send)
        os.close(receive)
        os.waitpid(child, 0)


def test_other_users_can_take_it(lock: Path) -> None:
    before = os.umask(0o077)
    try:
        with timing_lock():
            pass
    finally:
        os.umask(before)
    assert lock.stat().st_mode & 0o444 == 0o444


def test_a_link_in_its_place_is_refused(lock: Path, tmp_path: Path) -> None:
    lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError), timing_lock():
        pass
    assert not (tmp_path / "elsewhere").exists()
