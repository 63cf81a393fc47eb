"""One call at a time: whatever the program does, nothing runs while data is handed over."""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import sandbox
from harness.errors import SandboxUnavailable
from harness.sandbox import Answer, Calls, Limits, allow_unsafe, calls, processes

MIB = 1 << 20
NO_PROCESS = (1 << 22) + 1
"""Beyond the greatest number that Linux gives."""
SIZE = 4096
"""Bytes of every input, and of most outputs."""
WORK_S = 0.3
"""What a program takes that answers too early; stopping takes a thousandth of that."""

SERVER = """
import ctypes, json, mmap, os, signal, socket, sys, threading, time

control, descriptor = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
given = mmap.mmap(descriptor, 0)
shared = mmap.mmap(-1, 4096)
counter = ctypes.c_long.from_buffer(shared, 64)
libc = ctypes.CDLL(None, use_errno=True)


def where(memory):
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def result(memory, size=4096):
    return {"pointer": where(memory), "bytes": size}


def turned():
    return bytes(given[:4096])[::-1]


control.send(b"{}")
while message := control.recv(1 << 16):
    request, said = json.loads(message), {}
    try:
        exec(request["do"], globals())
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}"}
    control.send(json.dumps({"token": request["token"], **said}).encode())
"""
HONEST = "shared[:] = turned(); said = result(shared)"

Start = Callable[..., AbstractContextManager[Calls]]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Starts a server; what has to be gone when it ends is looked for then."""
    folder = tmp_path_factory.mktemp("calls")
    (folder / "workspace/solution").mkdir(parents=True)

    @contextmanager
    def started(text: str = SERVER, **limits: Any) -> Iterator[Calls]:
        server = folder / "server.py"
        server.write_text(text)
        wanted = Limits(**{"wall_s": 20, "memory_bytes": 512 * MIB, "processes": 90, **limits})
        with Calls(
            server, workspace=folder / "workspace", capacity=2 * SIZE, limits=wanted
        ) as found:
            namespace = os.readlink(f"/proc/{found._session.init}/ns/pid")
            yield found
        assert not living(namespace)

    return started


@pytest.fixture(scope="module")
def server(start: Start) -> Iterator[Calls]:
    """A server for programs that leave nothing behind."""
    with start() as found:
        yield found


def living(namespace: str) -> list[str]:
    """Returns the processes in a namespace."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{process}/ns/pid") == namespace:
                found.append(process)
    return found


def ask(server: Calls, do: str, data: bytes = b"", most: int = SIZE) -> Answer:
    return server.ask({"do": do}, data, most)


def works(server: Calls) -> bool:
    """A well-behaved request gets its answer."""
    data = os.urandom(SIZE)
    answer = ask(server, HONEST, data)
    return (answer.output, answer.limit, answer.error) == (data[::-1], None, "")


# ---- well-behaved programs


def test_each_request_gets_its_own_answer(server: Calls) -> None:
    for number in range(5):
        data = bytes([number]) * 100 + os.urandom(SIZE - 100)
        answer = ask(server, f"{HONEST} | {{'number': {number}}}", data)
        assert (answer.output, answer.said["number"]) == (data[::-1], number)
        assert (answer.limit, answer.error, answer.input_changed) == (None, "", False)


def test_an_error_is_told_and_the_next_request_works(server: Calls) -> None:
    answer = ask(server, "1 / 0")
    assert (answer.error, answer.output) == ("ZeroDivisionError: division by zero", b"")
    assert works(server)


def test_long_and_strange_errors_are_bounded(server: Calls) -> None:
    assert len(ask(server, "raise ValueError('x' * 9999)").error) <= 500
    assert ask(server, "said = {'error': [1]}").error


def test_the_clock_covers_the_work(server: Calls) -> None:
    """Q6: from before the program could run to after it no longer could."""
    asleep = ask(server, "time.sleep(0.05)").seconds
    assert asleep >= 0.05
    busy = "until = time.monotonic() + 0.05\nwhile time.monotonic() < until: pass"
    assert ask(server, busy).seconds >= 0.05


def test_a_changed_input_is_seen(server: Calls) -> None:
    data = os.urandom(SIZE)
    for at in (0, SIZE - 1):
        assert ask(server, f"given[{at}] ^= 1", data).input_changed
    assert not ask(server, f"given[{SIZE}] ^= 1", data).input_changed
    assert works(server)


def test_many_threads(start: Start) -> None:
    threads = (
        "for _ in range(60):\n"
        "    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()"
    )
    with start() as server:
        assert ask(server, threads).limit is None
        assert works(server)


# ---- answers that come too early, inputs that are seen too early

FILL = f"time.sleep({WORK_S}); shared[:] = content"
LATE = {
    "thread": f"def fill(content):\n    {FILL}\n"
    "threading.Thread(target=fill, args=(turned(),), daemon=True).start()",
    "child": f"content = turned()\nif os.fork() == 0:\n    {FILL}\n    os._exit(0)",
    "orphan": "content = turned()\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    f"    if os.fork() == 0:\n        {FILL}\n"
    "    os._exit(0)\n"
    "os.wait()",
    "child that others continue": "content = turned()\n"
    "writer = os.fork()\n"
    f"if writer == 0:\n    {FILL}\n    os._exit(0)\n"
    "for _ in range(3):\n"
    "    if os.fork() == 0:\n"
    "        while True: os.kill(writer, signal.SIGCONT)",
}


@pytest.mark.parametrize("how", LATE)
def test_a_late_writer_has_nothing_to_hand_over(start: Start, how: str) -> None:
    """K1: what is there at the hand-over was paid for with time."""
    data = os.urandom(SIZE)
    with start() as server:
        answer = ask(server, f"{LATE[how]}\nsaid = result(shared)", data)
        if answer.limit:
            assert answer.limit == calls.MOVEMENT
            return
        assert answer.output == bytes(SIZE) or answer.seconds >= WORK_S
        until = time.monotonic() + 30
        while server.later(answer, SIZE, 0.1) != data[::-1]:
            assert time.monotonic() < until, "the writer never wrote"


RESTLESS = {
    "thread": "def run():\n    while True: counter.value += 1\n"
    "threading.Thread(target=run, daemon=True).start()",
    "child": "if os.fork() == 0:\n    while True: counter.value += 1",
    "orphan": "if os.fork() == 0:\n    os.setsid()\n"
    "    if os.fork() == 0:\n        while True: counter.value += 1\n"
    "    os._exit(0)\nos.wait()",
    "two that continue each other": "ends = mmap.mmap(-1, 64)\n"
    "both = [ctypes.c_int.from_buffer(ends, 4 * k) for k in range(2)]\n"
    "for k in range(2):\n"
    "    if (both[k] if (made := os.fork()) else None) is not None:\n"
    "        both[k].value = made\n"
    "    else:\n"
    "        while True:\n"
    "            counter.value += 1\n"
    "            if other := both[1 - k].value: os.kill(other, signal.SIGCONT)",
    # Always a new process, which is an orphan before anybody can look at it.
    "chain of processes": "if os.fork() == 0:\n"
    "    libc.prctl(36, 1)\n"
    "    signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    "    if os.fork():\n        while True: signal.pause()\n"
    "    fork, leave = libc.fork, libc._exit\n"
    "    while True:\n"
    "        counter.value += 1\n"
    "        if fork(): leave(0)",
    "chain of threads": "def run():\n    counter.value += 1\n    again()\n"
    "def again():\n    threading.Thread(target=run, daemon=True).start()\nagain()",
}


@pytest.mark.slow
@pytest.mark.parametrize("how", RESTLESS)
def test_nothing_runs_between_two_requests(start: Start, how: str) -> None:
    look = "said = {'pointer': where(shared) + 64, 'bytes': 8}"
    with start(wall_s=60) as server:
        answer = ask(server, RESTLESS[how])
        for _ in range(30):
            answer = ask(server, look)
            if answer.limit:  # what cannot be stopped is ended; threads may also pile up
                assert answer.limit in {calls.MOVEMENT, "processes"}
                return
            time.sleep(0.002)
            assert server._read(answer.said, SIZE) == answer.output


def test_what_ends_while_it_is_looked_at_may_have_a_successor(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "FREEZING_S", 0.3)
    with start() as server:
        assert works(server)
        there = server._processes
        monkeypatch.setattr(server, "_processes", lambda: [*there(), NO_PROCESS])
        assert server._freeze() is None
        assert ask(server, HONEST).limit == calls.MOVEMENT


def test_the_dead_may_be_buried_while_all_is_stopped(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orphans that have ended vanish when the sandbox's init gets to it: nobody ran."""
    with start() as server:
        there, threads = server._processes, calls._threads
        dead = calls._Task(NO_PROCESS, "Z", "1 1 1")
        looked = iter(range(1000))

        def processes() -> list[int]:
            return [*there(), NO_PROCESS] if next(looked) % 2 else there()

        def with_the_dead(process: int) -> Iterator[tuple[int, calls._Task]]:
            return iter([(process, dead)]) if process == NO_PROCESS else threads(process)

        monkeypatch.setattr(server, "_processes", processes)
        monkeypatch.setattr(calls, "_threads", with_the_dead)
        assert all(works(server) for _ in range(3))


WATCH = """
seen = []
def watch():
    held = given[0], given[4095]
    while True:
        if (now := (given[0], given[4095])) != held:
            held = now
            seen.append([time.monotonic(), *now])
threading.Thread(target=watch, daemon=True).start()
"""
WAKE = """
class Event(ctypes.Structure):
    _fields_ = [("value", ctypes.c_void_p), ("signal", ctypes.c_int), ("rest", ctypes.c_char * 52)]
class Times(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("a", "b", "seconds", "nanoseconds")]
timer, clock = ctypes.c_void_p(), getattr(libc, "timer_create", None)
clock = libc if clock else ctypes.CDLL("librt.so.1")
signal.signal(signal.SIGCONT, lambda *_: None)
assert not clock.timer_create(1, ctypes.byref(Event(None, signal.SIGCONT)), ctypes.byref(timer))
"""
WAKE_SOON = "clock.timer_settime(timer, 0, ctypes.byref(Times(0, 0, 0, 100_000_000)), None)"


@pytest.mark.parametrize("woken", [False, True], ids=["stopped", "woken by a timer"])
def test_an_early_reader_sees_nothing_before_the_clock_starts(
    start: Start, monkeypatch: pytest.MonkeyPatch, woken: bool
) -> None:
    """K2: an input is there for a program when its time runs; else its answer does not count."""
    with start() as server:
        let_go: list[float] = []
        thaw = server._thaw

        def noted() -> None:
            let_go.append(time.monotonic())
            thaw()

        monkeypatch.setattr(server, "_thaw", noted)
        ask(server, WATCH + (WAKE if woken else ""))
        for number in range(1, 9):
            step = (
                "while not seen: time.sleep(0.001)\n"
                f"said = {{'seen': seen}}; seen = []\n{WAKE_SOON * woken}"
            )
            answer = ask(server, step, bytes([number]) * SIZE)
            if answer.limit:
                assert (woken, answer.limit) == (True, calls.MOVEMENT)
                return
            seen: Any = answer.said["seen"]
            assert all(at >= let_go[-1] for at, *both in seen if number in both)
            assert seen[-1][1:] == [number, number]
            time.sleep(0.15 * woken)


def test_whoever_is_woken_while_all_is_stopped_gets_no_answer(start: Start) -> None:
    with start() as server:
        assert ask(server, f"{WAKE}\n{WAKE_SOON}").limit is None
        time.sleep(0.3)
        # The timer may have fired before everything was stopped; then it rings no more.
        states = {task.state for task in server._look().values()}
        assert ask(server, HONEST).limit == (None if states == {"T"} else calls.MOVEMENT)


# ---- answers out of turn

CHATTER = {
    "no token": "json.dumps({'pointer': 1}).encode()",
    "guessed": "json.dumps({'token': '0' * 16, 'wrong': 1}).encode()",
    "nothing known": "b'null'",
    "a list": "b'[1]'",
    "no JSON": "b'\\xff\\x00 {'",
    "no number": "b'{\"token\": NaN}'",
    "endless number": "b'{\"token\": ' + b'9' * 50000 + b'}'",
    "deep": "b'[' * 30000 + b']' * 30000",
    "deep with the token": '(b\'{"token": "%s", "a": \' % request[\'token\'].encode()'
    " + b'[' * 900 + b']' * 900 + b'}')",
    "half a character": '(b\'{"token": "%s", "error": "\\\\ud800"}\''
    " % request['token'].encode())",
    "giant": "b' ' * 150000 + b'{}'",
}


@pytest.mark.parametrize("what", CHATTER)
def test_what_is_said_out_of_turn_is_ignored(server: Calls, what: str) -> None:
    data = os.urandom(SIZE)
    answer = ask(server, f"for _ in range(3): control.send({CHATTER[what]})\n{HONEST}", data)
    assert (answer.output, answer.limit, answer.said.get("wrong")) == (data[::-1], None, None)
    assert works(server)


def test_an_answer_holds_for_its_own_request(server: Calls) -> None:
    twice = "old = json.dumps({'token': request['token'], 'old': 1}).encode(); control.send(old)"
    assert ask(server, twice).said["old"] == 1
    data = os.urandom(SIZE)
    answer = ask(server, f"control.send(old)\n{HONEST}", data)
    assert (answer.output, answer.said.get("old")) == (data[::-1], None)


def test_chatter_alone_is_no_answer(start: Start) -> None:
    with start(wall_s=0.5) as server:
        answer = ask(server, "while True: control.send(b'{}')")
        assert (answer.limit, answer.said) == ("wall", {})


# ---- programs that take too much, or end


ENDS = {
    "leaves": ("os._exit(3)", "exit"),
    "leaves politely": ("sys.exit(0)", "exit"),
    "kills itself": ("os.kill(os.getpid(), signal.SIGKILL)", "exit"),
    "leaves after its answer": (
        "threading.Timer(0.05, os._exit, (0,)).start()\ncontrol.send(b'{}'); time.sleep(60)",
        "exit",
    ),
    "crashes": ("ctypes.string_at(0)", "exit"),
    "unmaps the input": (
        "libc.munmap(ctypes.c_void_p(where(given)), ctypes.c_size_t(8192)); given[0]",
        "exit",
    ),
    "closes the socket": ("control.close()", "exit"),
    "shuts the socket down": ("control.shutdown(socket.SHUT_RDWR); time.sleep(60)", "exit"),
    "says nothing at all": ("control.send(b''); time.sleep(60)", "exit"),
    "hangs": ("time.sleep(60)", "wall"),
    "hangs busily": ("while True: pass", "wall"),
    "stops itself": ("os.kill(os.getpid(), signal.SIGSTOP)", "wall"),
    "becomes another program": ("os.execvp('sleep', ['sleep', '60'])", "wall"),
    "forks many": (
        "while True:\n    try: os.fork()\n    except OSError: pass",
        "processes",
    ),
    "many threads": (
        "for _ in range(100): threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "time.sleep(60)",
        "processes",
    ),
    "floods stdout": ("while True: os.write(1, b'x' * 65536)", "output"),
    "floods stderr": ("while True: os.write(2, b'x' * 65536)", "output"),
    "eats memory": ("kept = []\nwhile True: kept.append(bytearray(b'x') * (1 << 24))", "memory"),
    "fills the disk": ("open('big', 'wb').truncate(1 << 30); time.sleep(60)", "disk"),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_limit_has_a_name_and_nothing_is_left(start: Start, how: str) -> None:
    program, limit = ENDS[how]
    wall_s = 0.5 if limit == "wall" else 30
    with start(wall_s=wall_s, disk_bytes=64 * MIB) as server:
        answer = ask(server, f"{program}\n{HONEST}", bytes(SIZE))
        assert (answer.limit, answer.output, answer.said) == (limit, b"", {})
        assert answer.seconds >= (wall_s if limit == "wall" else 0)
        # whoever goes on asking is told again
        assert ask(server, HONEST).limit == limit
        assert server.later(answer, SIZE, 0.01) == b""
        assert isinstance(server.stderr, str)


@pytest.mark.parametrize(
    ("program", "limit"),
    [
        ("kept = globals().get('kept', []) + [bytearray(b'x') * (60 << 20)]", "memory"),
        ("for _ in range(20):\n    if os.fork() == 0: signal.pause()", "processes"),
        ("open(str(time.time()), 'wb').truncate(30 << 20)", "disk"),
    ],
)
def test_many_short_calls_take_no_more_than_one(start: Start, program: str, limit: str) -> None:
    with start(memory_bytes=256 * MIB, disk_bytes=100 * MIB) as server:
        for _ in range(20):
            if (answer := ask(server, program)).limit:
                break
        assert answer.limit == limit


def test_a_reader_who_hears_no_more_ends_by_itself(start: Start) -> None:
    with start(wall_s=0.5) as server:
        assert ask(server, "control.shutdown(socket.SHUT_RD)").limit is None
        assert ask(server, HONEST).limit in ("exit", "wall")


def test_a_reader_who_leaves_requests_unread_blocks_nobody(start: Start) -> None:
    peek = (
        "control.setsockopt(socket.SOL_SOCKET, 42, 0)  # SO_PEEK_OFF\n"
        "while True:\n"
        "    control.send(json.dumps({'token': request['token']}).encode())\n"
        "    request = json.loads(control.recv(1 << 16, socket.MSG_PEEK))\n"
    )
    with start(wall_s=0.5) as server:
        answers = [ask(server, peek)]
        while answers[-1].limit is None:
            answers.append(server.ask({"do": "", "full": "x" * 3000}))
        assert len(answers) > 2
        assert answers[-1].limit == "wall"


def test_the_parent_cannot_be_killed(start: Start) -> None:
    with start() as server:
        answer = ask(server, "os.kill(os.getppid(), signal.SIGKILL)")
        assert answer.error or answer.limit == "exit"


def test_a_program_that_stops_after_its_answer_is_woken_again(start: Start) -> None:
    asleep = (
        "threading.Thread(target=lambda: (time.sleep(0.05), os.kill(os.getpid(), "
        "signal.SIGSTOP)), daemon=True).start()"
    )
    with start() as server:
        answer = ask(server, asleep)
        server.later(answer, SIZE, 0.2)
        assert works(server)


# ---- memory


SEALED = {
    "shrinks": "os.ftruncate(descriptor, 0)",
    "grows": "os.ftruncate(descriptor, 1 << 20)",
    "opens anew": "open(f'/proc/self/fd/{descriptor}', 'wb')",
    "seals": "import fcntl; fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, 8)",
    "seals against later writers": "import fcntl; fcntl.fcntl(descriptor, 1033, 16)",
}


@pytest.mark.parametrize("how", SEALED)
def test_the_memory_stays_as_it_was_made(server: Calls, how: str) -> None:
    """Q28: a truncated file under a mapping would end whoever reads it."""
    assert ask(server, SEALED[how]).error.startswith("PermissionError")
    assert works(server)


PLACES = {
    "null": "said = {'pointer': 0, 'bytes': 8}",
    "negative": "said = {'pointer': -4096, 'bytes': 8}",
    "beyond all memory": "said = {'pointer': 1 << 62, 'bytes': 8}",
    "beyond all numbers": "said = {'pointer': 1 << 70, 'bytes': 8}",
    "no integer": "said = {'pointer': 1.5, 'bytes': 8}",
    "text": "said = {'pointer': hex(where(shared)), 'bytes': 8}",
    "a list": "said = {'pointer': [where(shared)], 'bytes': 8}",
    "nowhere": "said = {'bytes': 8}",
    "true": "said = {'pointer': True, 'bytes': True}",
    "no size": "said = {'pointer': where(shared)}",
    "a negative size": "said = result(shared, -8)",
    "a size of nothing": "said = result(shared, 0)",
    "more than is wanted": "said = result(shared, 4097)",
    "an endless size": "said = result(shared, 1 << 70)",
    "size in words": "said = result(shared, '8')",
}


@pytest.mark.parametrize("where", PLACES)
def test_a_result_that_is_nowhere_is_empty(server: Calls, where: str) -> None:
    answer = ask(server, PLACES[where])
    assert (answer.output, answer.limit, answer.error) == (b"", None, "")
    assert works(server)


def test_a_result_that_ends_too_early_is_short(start: Start) -> None:
    cut = (
        "pages = mmap.mmap(-1, 8192); pages[:] = b'x' * 8192\n"
        "libc.munmap(ctypes.c_void_p(where(pages) + 4096), ctypes.c_size_t(4096))\n"
        "said = {'pointer': where(pages) + 4093, 'bytes': 8}"
    )
    with start() as server:
        assert ask(server, cut).output == b"xxx"


def test_only_the_servers_own_memory_is_read(start: Start) -> None:
    """Another process's memory is not where a result must be, whatever its address."""
    child = (
        "own = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "own[:] = b'p' * 4096\nat, made = where(own), threading.Event()\n"
        "into, out = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    own[:] = b'c' * 4096\n    os.write(out, b'.')\n    signal.pause()\n"
        "os.read(into, 1)\nsaid = {'pointer': at, 'bytes': 4096}"
    )
    with start() as server:
        assert ask(server, child).output == b"p" * SIZE


def test_a_server_that_is_replaced_has_no_memory(start: Start) -> None:
    """A child that goes on answering for its parent hands over nothing."""
    swap = "if os.fork(): signal.pause()\nprivate = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE)"
    with start() as server:
        assert ask(server, swap).limit is None
        data = os.urandom(SIZE)
        assert (
            ask(server, "private[:] = turned(); said = result(private)", data).output
            != (data[::-1])
        )


# ---- what cannot start


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("(", "SyntaxError"),
        ("", "it said nothing"),
    ],
)
def test_a_server_that_does_not_start_is_one_clear_sentence(
    start: Start, text: str, said: str
) -> None:
    with pytest.raises(SandboxUnavailable, match=said) as refused, start(text):
        raise AssertionError("it started")
    assert "\n" not in str(refused.value)


def test_a_server_that_never_says_that_it_is_ready(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "STARTING_S", 0.5)
    with (
        pytest.raises(SandboxUnavailable, match="did not start"),
        start("input = None\nwhile 1: 1"),
    ):
        raise AssertionError("it started")


def test_a_kernel_that_does_not_count_is_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = processes.text
    monkeypatch.setattr(
        processes, "text", lambda path: "0 0 0\n" if path.endswith("schedstat") else text(path)
    )
    with pytest.raises(SandboxUnavailable, match="does not count"), start():
        raise AssertionError("it started")


def test_without_isolation_it_is_refused(start: Start) -> None:
    allow_unsafe(True)
    try:
        with pytest.raises(SandboxUnavailable, match="need isolation"), start():
            raise AssertionError("it started")
    finally:
        allow_unsafe(False)


def test_without_roots_rights_it_works(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.mode, "_possible", lambda: sandbox.mode.Mode.USER)
    with start() as server:
        assert works(server)


def test_nothing_is_left_on_the_machine(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    descriptors = len(os.listdir("/proc/self/fd"))
    with start() as server:
        ask(server, "os.makedirs('a/b'); os.chmod('a', 0); os._exit(0)")
    with pytest.raises(SandboxUnavailable), start("1 / 0"):
        raise AssertionError("it started")
    assert list(tmp_path.iterdir()) == [tmp_path / "harness-home"] or not list(tmp_path.iterdir())
    assert len(os.listdir("/proc/self/fd")) == descriptors
