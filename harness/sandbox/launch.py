"""Starts a sandboxed command, watches it, ends it, and only then reads the clock.

The time of a run ends when its pid namespace is empty: when the main command has ended, every
process it left behind is killed, and the kernel lets go of the namespace's first process only
after all others are gone. Work that goes on after the main command therefore cannot help.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.errors import SandboxUnavailable
from harness.sandbox import filter, processes, root, support
from harness.sandbox.limits import Limits

TAIL_BYTES = 256 << 10
"""How much of each output is kept: its end, where errors are."""
WATCH_S = 0.5
"""How often memory and disk are looked at; 1 ms of work each time."""
ADDRESS_SPACE = 8
"""A process may map this many times the memory it may use: torch reserves far more than it
touches, and what counts is resident memory, which is watched."""


@dataclass(frozen=True)
class Run:
    """What became of one sandboxed command."""

    returncode: int | None
    """Exit status; negative for a signal; None when we ended it."""
    seconds: float
    """From its start until every process of the sandbox had ended, by the parent's clock."""
    cpu_seconds: float
    """User and system time of every process that was waited for inside."""
    timed_out: bool
    limit: str | None
    """Which limit ended it: wall, memory, disk, files or output."""
    stdout: str
    """The end of it, at most `TAIL_BYTES`."""
    stderr: str
    survivors: int
    """Processes that were still alive when the main command had ended."""
    layer: Path
    """What the run wrote to the workspace, at the same relative paths."""


def run(
    command: Sequence[str],
    *,
    workspace: Path,
    layer: Path,
    cwd: str = "solution",
    readonly: Mapping[str, Path] | None = None,
    writable: Mapping[str, Path] | None = None,
    env: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    cpus: int | None = None,
) -> Run:
    """Runs `command` over a copy-on-write view of `workspace`.

    Args:
        command: the command and its arguments; never passed through a shell of ours.
        workspace: the lower side; stays untouched.
        layer: an empty folder; what the run writes lands here.
        cwd: where the command starts, relative to the workspace.
        readonly: host paths to show read-only, by their path inside.
        writable: host paths to show writable, by their path inside.
        env: variables beside the fixed ones.
        limits: bounds; the usual ones when omitted.
        cpus: pin to this many cores.

    Raises:
        SandboxUnavailable: this machine cannot isolate the run.
    """
    support.require()
    bounds = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="sandbox-", dir=layer.parent) as scratch:
        plan = _Plan(
            command, workspace, layer, Path(scratch), cwd, readonly or {}, writable or {},
            env or {}, bounds, cpus,
        )  # fmt: skip
        return _unsafely(plan) if support.unsafe() else _isolated(plan)


@dataclass(frozen=True)
class _Plan:
    command: Sequence[str]
    workspace: Path
    layer: Path
    scratch: Path
    cwd: str
    readonly: Mapping[str, Path]
    writable: Mapping[str, Path]
    env: Mapping[str, str]
    limits: Limits
    cpus: int | None

    def prefix(self) -> list[str]:
        """Limits that the command inherits, set before anything of the attempt runs."""
        bounds = self.limits
        words = [
            "prlimit", "--core=0", f"--fsize={bounds.file_bytes}", f"--nproc={bounds.processes}",
            f"--as={bounds.memory_bytes * ADDRESS_SPACE}",
        ]  # fmt: skip
        return [*words, *(["taskset", "-c", _cores(self.cpus)] if self.cpus else [])]


def _cores(count: int) -> str:
    return ",".join(map(str, sorted(os.sched_getaffinity(0))[:count]))


def _isolated(plan: _Plan) -> Run:
    _become_reaper()
    with _lower(plan) as lower, contextlib.ExitStack() as files:
        info, info_write = _pipe(files)
        block, release = _pipe(files)
        passed = {"info": info_write, "block": block}
        passed["seccomp"] = _memory_file(files, filter.program())
        for name, content in root.accounts(root.uid()).items():
            passed[name] = _memory_file(files, content)
        arguments = [*plan.prefix(), support.bubblewrap(), *_namespaces(passed)]
        arguments += [*root.mounts(), *_accounts(passed), *_workspace(plan, lower)]
        arguments += ["--", *_dropped(), *plan.command]
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            pass_fds=tuple(passed.values()), env=root.environment(plan.env), cwd="/",
        )  # fmt: skip
        os.close(info_write)
        child = _child(info, process)
        return _Watch(plan, process, child).until_ended(release)


def _namespaces(passed: Mapping[str, int]) -> list[str]:
    user = [] if support.privileged() else ["--unshare-user", "--uid", str(root.uid())]
    capabilities = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP") if support.privileged() else ()
    return [
        *user, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
        "--unshare-cgroup-try", "--hostname", "sandbox", "--die-with-parent", "--new-session",
        "--cap-drop", "ALL", *(word for name in capabilities for word in ("--cap-add", name)),
        "--info-fd", str(passed["info"]), "--block-fd", str(passed["block"]),
        "--seccomp", str(passed["seccomp"]),
    ]  # fmt: skip


def _dropped() -> list[str]:
    """Switches to the unprivileged user; bubblewrap has kept just what that needs."""
    if not support.privileged():
        return []
    uid = str(root.uid())
    return [
        "setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--no-new-privs",
        "--bounding-set", "-all", "--inh-caps", "-all",
    ]  # fmt: skip


def _accounts(passed: Mapping[str, int]) -> list[str]:
    words = []
    for name in root.accounts(0):
        words += ["--perms", "0644", "--ro-bind-data", str(passed[name]), f"/etc/{name}"]
    return words


def _workspace(plan: _Plan, lower: Path) -> list[str]:
    (plan.scratch / "work").mkdir()
    words = ["--overlay-src", str(lower), "--overlay", str(plan.layer), str(plan.scratch / "work")]
    words += [root.HOME]
    for inside, path in plan.readonly.items():
        words += ["--ro-bind", str(path), inside]
    for inside, path in plan.writable.items():
        _own(path)
        words += ["--bind", str(path), inside]
    return [*words, "--chdir", str(Path(root.HOME, plan.cwd))]


@contextlib.contextmanager
def _lower(plan: _Plan) -> Iterator[Path]:
    """Yields the workspace as files that the sandbox's user owns, a copy where they are not.

    Overlays keep the owner of what lies below, so files of root could not be edited inside.
    """
    _own(plan.layer)
    if not support.privileged() or plan.workspace.stat().st_uid == root.uid():
        yield plan.workspace
        return
    copy = plan.scratch / "lower"
    shutil.copytree(plan.workspace, copy, symlinks=True)
    for folder, folders, names in os.walk(copy):
        _own(Path(folder))
        for name in (*folders, *names):
            os.chown(Path(folder, name), root.uid(), root.uid(), follow_symlinks=False)
    yield copy


def _own(path: Path) -> None:
    if support.privileged():
        os.chown(path, root.uid(), root.uid(), follow_symlinks=False)


def _pipe(files: contextlib.ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        files.callback(_close, end)
    return ends


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)


def _memory_file(files: contextlib.ExitStack, content: bytes) -> int:
    descriptor = os.memfd_create("sandbox")
    files.callback(_close, descriptor)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _child(info: int, process: "subprocess.Popen[bytes]") -> int:
    """Returns the host's id of the namespace's first process.

    Raises:
        SandboxUnavailable: bubblewrap ended before it had one.
    """
    text = b""
    while part := os.read(info, 4096):
        text += part
        if b"}" in text:
            return int(json.loads(text)["child-pid"])
    _, stderr = process.communicate()
    raise SandboxUnavailable(
        f"The sandbox did not start: {stderr.decode(errors='replace').strip()[-500:]}",
        hint="Run `harness list --unsafe` to see whether the machine allows namespaces.",
    )


class _Watch:
    """Follows one run to the end of its last process."""

    def __init__(self, plan: _Plan, process: "subprocess.Popen[bytes]", child: int) -> None:
        self._plan, self._process, self._child = plan, process, child
        self._space = processes.namespace(child) or ""
        self._first = os.pidfd_open(child)
        self._limit: str | None = None
        self._tails = {process.stdout: b"", process.stderr: b""}
        self._output = 0

    def until_ended(self, release: int) -> Run:
        """Lets the command start, waits for it, ends what it left, and takes the time."""
        began = time.monotonic()
        os.write(release, b"go")
        os.close(release)
        try:
            self._wait(began)
            survivors = 0 if self._limit else processes.alive(self._space)
            self._end()
            seconds = time.monotonic() - began
            self._drain()
            code, cpu_seconds = self._reap()
        finally:
            self._end()
            os.close(self._first)
            for stream in self._tails:
                assert stream is not None, "both outputs are pipes"
                stream.close()
        return Run(
            returncode=None if self._limit else (code if code < 128 else 128 - code),
            seconds=seconds,
            cpu_seconds=cpu_seconds,
            timed_out=self._limit == "wall",
            limit=self._limit,
            stdout=self._text(self._process.stdout),
            stderr=self._text(self._process.stderr),
            survivors=survivors,
            layer=self._plan.layer,
        )

    def _wait(self, began: float) -> None:
        """Returns when the main command has ended or a limit is hit."""
        ended = os.pidfd_open(self._process.pid)
        looked = began
        try:
            streams = [stream for stream in self._tails if stream is not None]
            while self._limit is None:
                ready, _, _ = select.select([ended, *streams], [], [], WATCH_S)
                if ended in ready:
                    return
                for stream in [item for item in streams if item in ready]:
                    if not self._read(stream.fileno(), stream):
                        streams.remove(stream)
                now = time.monotonic()
                if now - began > self._plan.limits.wall_s:
                    self._limit = "wall"
                elif self._output > self._plan.limits.output_bytes:
                    self._limit = "output"
                elif now - looked >= WATCH_S:
                    looked, self._limit = now, self._over()
        finally:
            os.close(ended)

    def _over(self) -> str | None:
        if processes.resident_bytes(self._space) > self._plan.limits.memory_bytes:
            return "memory"
        size, count = _used(self._plan.layer, self._plan.limits.files)
        if count > self._plan.limits.files:
            return "files"
        return "disk" if size > self._plan.limits.disk_bytes else None

    def _end(self) -> None:
        """Kills the namespace's first process, and so all; returns when the last is gone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._first, signal.SIGKILL)
        select.select([self._first], [], [])

    def _reap(self) -> tuple[int, float]:
        """Returns bubblewrap's exit status and the CPU time of all that ran below it.

        The namespace's first process has collected the times of everything inside. It is waited
        for by bubblewrap or, when that has ended first, by us as its reaper.
        """
        _, status, used = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        seconds = used.ru_utime + used.ru_stime
        with contextlib.suppress(ChildProcessError):
            _, _, used = os.wait4(self._child, 0)
            seconds += used.ru_utime + used.ru_stime
        return self._process.returncode, seconds

    def _read(self, descriptor: int, stream: object) -> bool:
        part = os.read(descriptor, 1 << 16)
        self._output += len(part)
        self._tails[stream] = (self._tails[stream] + part)[-TAIL_BYTES:]  # type: ignore[index]
        return bool(part)

    def _drain(self) -> None:
        """Reads what is left in the pipes; nobody writes to them any more."""
        for stream in self._tails:
            assert stream is not None, "both outputs are pipes"
            os.set_blocking(stream.fileno(), False)
            with contextlib.suppress(BlockingIOError):
                while self._read(stream.fileno(), stream):
                    pass

    def _text(self, stream: object) -> str:
        return self._tails[stream].decode(errors="replace")  # type: ignore[index]


def _used(folder: Path, cap: int) -> tuple[int, int]:
    """Returns bytes on disk and entries below a folder; stops counting past `cap` entries."""
    size = count = 0
    waiting = [os.fspath(folder)]
    while waiting and count <= cap:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    count += 1
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    if count > cap:
                        break
        except OSError:
            continue
    return size, count


@cache
def _become_reaper() -> None:
    """Makes the first process of a sandbox our child when bubblewrap ends before it."""
    set_child_subreaper = 36
    ctypes.CDLL(None, use_errno=True).prctl(set_child_subreaper, 1, 0, 0, 0)


def _unsafely(plan: _Plan) -> Run:
    """Runs over a plain copy without isolation; asked for with --unsafe only."""
    tree = plan.scratch / "tree"
    shutil.copytree(plan.workspace, tree, symlinks=True)
    env = {**root.environment(plan.env), "HOME": str(plan.scratch), "TMPDIR": str(plan.scratch)}
    before, began = os.times(), time.monotonic()
    code: int | None = None
    out = err = b""
    try:
        done = subprocess.run(
            [*plan.prefix(), *plan.command], cwd=tree / plan.cwd, env=env, check=False,
            capture_output=True, stdin=subprocess.DEVNULL, timeout=plan.limits.wall_s,
        )  # fmt: skip
        code, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        pass
    seconds, after = time.monotonic() - began, os.times()
    cpu_seconds = after.children_user + after.children_system
    cpu_seconds -= before.children_user + before.children_system
    shutil.copytree(tree, plan.layer, symlinks=True, dirs_exist_ok=True)
    return Run(
        code, seconds, cpu_seconds, code is None, "wall" if code is None else None,
        out[-TAIL_BYTES:].decode(errors="replace"), err[-TAIL_BYTES:].decode(errors="replace"),
        0, plan.layer,
    )  # fmt: skip
