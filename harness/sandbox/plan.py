"""Decides the command line of a run: who it runs as, what it sees, and in what order rights go."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harness.errors import SandboxUnavailable
from harness.sandbox import filter as system_calls
from harness.sandbox import layer as layers
from harness.sandbox import mode, root
from harness.sandbox.limits import Limits, bounds
from harness.sandbox.mode import Mode
from harness.sandbox.session import SUPERVISOR, Session

OUTSIDE_HOME = "home-of-user"
"""Beside the workspace's copy, where a run without isolation has its own things."""


@dataclass(frozen=True)
class Plan:
    """Everything about a run but its command."""

    how: Mode
    cwd: str
    readonly: Mapping[str, Path]
    writable: Mapping[str, Path]
    env: Mapping[str, str]
    limits: Limits
    cpus: int | None

    def furnish(self, workspace: Path, home: Path) -> None:
        """Copies the workspace to `home` and makes room in it for the mounts."""
        owner = mode.uid() if self.how is Mode.ROOT else None
        layers.copy(workspace, home, owner)
        mounts = {**self.readonly, **self.writable}
        root.reserve(home, mounts)
        if self.how is Mode.UNSAFE:
            self._copy_in(home)
        if owner is not None:
            for path in self.writable.values():
                layers.give(path, owner)

    @contextmanager
    def started(
        self, home: Path, command: Sequence[str], inherited: Sequence[int] = ()
    ) -> Iterator[tuple[Session, Path]]:
        """Yields the session, ready to go, and its file system as we can see it.

        The command keeps the `inherited` descriptors.
        """
        supervised = [
            mode.program("sh"),
            "-c",
            SUPERVISOR,
            "supervisor",
            *self._inner(home, command),
        ]
        keep = self.limits.output_bytes
        if self.how is Mode.UNSAFE:
            with Session([*self._pin(), *supervised], pass_fds=inherited, keep=keep) as session:
                session.prepare()
                yield session, Path(os.devnull)
            return
        with ExitStack() as files:
            receive, send = os.pipe()
            told = files.enter_context(open(receive))
            with ExitStack() as given:
                given.enter_context(open(send, "wb"))
                arguments, descriptors = self._arguments(home, send, given)
                words = [*self._pin(), mode.bwrap(), "--args", str(arguments), "--", *supervised]
                session = Session(words, pass_fds=[*descriptors, *inherited], keep=keep)
            with session:
                outside = session.isolated(told.read())
                session.prepare()
                yield session, outside

    def _arguments(self, home: Path, send: int, given: ExitStack) -> tuple[int, list[int]]:
        """Bubblewrap's options, in a file: its command line can be read from inside."""
        filtered = given.enter_context(_memory_file(system_calls.program())).fileno()
        descriptors = [send, filtered]
        options = [*mode.isolation(self.how), *root.mounts(home, self.limits.memory_bytes)]
        for path, content in root.texts(mode.uid()).items():
            descriptors.append(given.enter_context(_memory_file(content.encode())).fileno())
            options += ["--perms", "0444", "--file", str(descriptors[-1]), path]
        options += root.given("--ro-bind", self.readonly) + root.given("--bind", self.writable)
        options += ["--remount-ro", "/", "--chdir", "/"]
        options += ["--seccomp", str(filtered), "--info-fd", str(send)]
        text = b"".join(os.fsencode(option) + b"\0" for option in options)
        descriptors.append(given.enter_context(_memory_file(text)).fileno())
        return descriptors[-1], descriptors

    def _inner(self, home: Path, command: Sequence[str]) -> list[str]:
        """What the supervisor executes: limits, then the loss of rights, then the command."""
        words, where, variables = list(command), f"{root.HOME}/{self.cwd}", root.variables(self.env)
        if self.how is Mode.UNSAFE:
            words = [self._outside(home, word) for word in words]
            where = str(home / self.cwd)
            own = home.parent / OUTSIDE_HOME
            own.mkdir()
            variables |= {"HOME": str(own), "TMPDIR": str(own)} | dict(self.env)
        settings = [f"{name}={value}" for name, value in variables.items()]
        return [
            *(bounds(self.limits) if self.how is not Mode.UNSAFE else []), *mode.drop(self.how),
            mode.program("env"), "-i", "-C", where, "--", *settings, *words,
        ]  # fmt: skip

    def _pin(self) -> list[str]:
        """The last processors: the first ones serve the machine's own interrupts."""
        if self.cpus is None:
            return []
        chosen = sorted(os.sched_getaffinity(0))[-self.cpus :]
        return [mode.program("taskset"), "-c", ",".join(map(str, chosen))]

    def _outside(self, home: Path, word: str) -> str:
        """Without isolation, a path as it would be inside becomes the one it stands for."""
        places = {
            root.inside(name): path for name, path in {**self.readonly, **self.writable}.items()
        }
        places = {name: path for name, path in places.items() if not _in_workspace(name)}
        for name, path in {**places, root.HOME: home}.items():
            if word == name or word.startswith(f"{name}/"):
                return str(path) + word.removeprefix(name)
        return word

    def _copy_in(self, home: Path) -> None:
        for name, path in {**self.readonly, **self.writable}.items():
            inside = root.inside(name)
            if _in_workspace(inside):
                if path in self.writable.values():
                    raise SandboxUnavailable(f"Without isolation {inside} cannot be shared.")
                target = home / inside.removeprefix(f"{root.HOME}/")
                if path.is_dir():
                    shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
                else:
                    shutil.copyfile(path, target)


def _in_workspace(inside: str) -> bool:
    return inside.startswith(f"{root.HOME}/")


def _memory_file(content: bytes) -> BinaryIO:
    file = open(os.memfd_create("given", os.MFD_CLOEXEC), "w+b")  # noqa: SIM115
    file.write(content)
    file.seek(0)
    return file
