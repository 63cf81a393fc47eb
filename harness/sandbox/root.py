"""Decides what a sandboxed program can see: an allow-list, built anew for every run.

System libraries, the interpreter and its packages are there to read, the workspace to write;
temporary folders are empty. This project's own packages are not there, wherever it is installed.
"""

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from harness.errors import SandboxUnavailable

HOME = "/home/agent"
"""Where the workspace is inside. The *user's* home is elsewhere and empty: `USER_HOME`."""
USER_HOME = "/tmp/home"  # noqa: S108  # inside; a fresh file system in memory

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives")
# What torch asks about processors; without them it warns and guesses.
_MACHINE = ("/sys/devices/system/cpu", "/sys/devices/system/node")
_OURS = ("auditor", "rules", "environments", "harness", "reports", "tests")


def variables(extra: Mapping[str, str]) -> dict[str, str]:
    """Returns the whole environment of a run; nothing of ours is inherited.

    Hashes of strings are fixed, so that a program which iterates over sets does the same in every
    run. Byte code is cached as usual: whether a file is written must not tell the modes apart.
    """
    own = os.path.dirname(sys.executable)
    return {
        "PATH": f"{own}:/usr/local/bin:/usr/bin:/bin",
        "HOME": USER_HOME,
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "USER": "agent",
        "LOGNAME": "agent",
        "PYTHONHASHSEED": "0",
        **extra,
    }


def texts(uid: int) -> dict[str, str]:
    """Returns the files of `/etc` that are made for the run."""
    return {
        "/etc/passwd": f"root:x:0:0::/:/bin/false\nagent:x:{uid}:{uid}::{USER_HOME}:/bin/sh\n",
        "/etc/group": f"root:x:0:\nagent:x:{uid}:\n",
        "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    }


def mounts(home: Path, memory_bytes: int) -> list[str]:
    """Returns bubblewrap's options for all but `texts` and what the caller adds."""
    size = str(max(memory_bytes // 2, 1 << 20))
    scratch = ("--perms", "1777", "--size", size, "--tmpfs")
    return [
        *_folders("/etc", "/home", "/run", "/sys", "/var"),
        *_system(),
        *("--dev", "/dev", *scratch, "/dev/shm"),  # noqa: S108
        *(word for path in sorted(Path("/dev").glob("nvidia*")) for word in _device(path)),
        *("--remount-ro", "/dev", "--proc", "/proc"),
        *(*scratch, "/tmp", "--symlink", "../tmp", "/var/tmp"),  # noqa: S108
        *_interpreter(),  # on top: this project may be installed in a temporary folder
        *("--perms", "1777", "--dir", USER_HOME),
        *("--bind", str(home), HOME),
    ]


def inside(name: str) -> str:
    """Returns the absolute path, inside, of a mount's name; relative ones are in the workspace."""
    return os.path.normpath(os.path.join(HOME, name))


def reserve(home: Path, places: Mapping[str, Path]) -> None:
    """Makes room in the workspace's copy for mounts inside it, in place of links and files.

    Otherwise a link of the agent would choose where the mount lands.
    """
    for name, path in places.items():
        if not inside(name).startswith(f"{HOME}/"):
            continue
        at = home
        for part in Path(inside(name)).relative_to(HOME).parts[:-1]:
            at = at / part
            _place(at, folder=True)
        _place(at / Path(inside(name)).name, folder=path.is_dir())


def _place(at: Path, *, folder: bool) -> None:
    if at.is_symlink() or (at.exists() and at.is_dir() != folder):
        shutil.rmtree(at) if at.is_dir() and not at.is_symlink() else at.unlink()
    if folder:
        at.mkdir(exist_ok=True)
    else:
        at.touch()


def _folders(*paths: str) -> list[str]:
    return [word for path in paths for word in ("--perms", "0755", "--dir", path)]


def _system() -> list[str]:
    words: list[str] = []
    for name in _SYSTEM:
        if os.path.islink(name):
            words += ["--symlink", os.readlink(name), name]
        else:
            words += ["--ro-bind-try", name, name]
    for name in (*(f"/etc/{name}" for name in _ETC), *_MACHINE):
        words += ["--ro-bind-try", name, name]
    return words + _hide(Path("/usr"))


def _interpreter() -> list[str]:
    words: list[str] = []
    if covered := [path for path in _prefixes() if path.is_relative_to(HOME)]:
        raise SandboxUnavailable(
            f"Python lies in {covered[0]}, and inside the sandbox {HOME} is the workspace.",
            hint="Install this project in another folder.",
        )
    for folder in _prefixes():
        words += [*_folders(*map(str, reversed(folder.parents[:-1])))]
        words += ["--ro-bind", str(folder), str(folder), *_hide(folder)]
    return words


@cache
def _prefixes() -> list[Path]:
    """Where Python and its packages are, outermost first, without what `_SYSTEM` has."""
    found = {Path(p) for p in (sys.base_prefix, sys.prefix, os.path.realpath(sys.base_prefix))}
    return sorted(p for p in found if not p.is_relative_to("/usr"))


def _hide(visible: Path) -> list[str]:
    """Lays emptiness over what is ours beneath a folder that was just mounted."""
    words: list[str] = []
    for path in (str(p) for p in ours() if p != visible and p.is_relative_to(visible)):
        if os.path.isdir(path):
            words += ["--tmpfs", path, "--remount-ro", path]
        elif os.path.exists(path):
            words += ["--ro-bind", os.devnull, path]
    return words


@cache
def ours() -> tuple[Path, ...]:
    """Returns every path of this project that a mount could bring along."""
    project = Path(__file__).resolve().parents[2]
    found = {project / name for name in _OURS} | set(_installed())
    if (project / "pyproject.toml").exists():  # a checkout: nothing of it but its environment
        found |= {path for path in project.iterdir() if not Path(sys.prefix).is_relative_to(path)}
    if keys := os.environ.get("HARNESS_HOME"):
        found.add(Path(keys).absolute())
    return tuple(sorted(path for path in found if found.isdisjoint(path.parents)))


def _installed() -> Iterator[Path]:
    """Yields what the installation put beside other packages: folders whole, scripts singly.

    A checkout can be found twice, by its own folder and by the environment's.
    """
    for distribution in importlib.metadata.distributions(name="earned"):
        for file in distribution.files or []:
            located = Path(os.path.normpath(str(file.locate())))
            shared = file.parts[0] in ("..", "__pycache__")
            outermost = (located, *located.parents)[len(file.parts) - 1]
            yield located if shared else outermost


def given(option: str, folders: Mapping[str, Path]) -> list[str]:
    """Returns the options that mount the caller's folders and files."""
    words: list[str] = []
    for name, path in folders.items():
        words += [option, str(path.absolute()), inside(name)]
    return words


def _device(path: Path) -> list[str]:
    return ["--dev-bind", str(path), str(path)]
