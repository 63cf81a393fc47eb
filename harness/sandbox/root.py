"""The root that sandboxed code sees, built from an allow-list."""

import os
import site
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.sandbox import support

HOME = "/home/agent"
"""Where the workspace is mounted, as in RE-Bench."""
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "mime.types")
PROJECT = Path(__file__).resolve().parents[2]
"""The tree that holds our own packages: harness, auditor, rules, environments, reports."""
OURS = ("harness", "auditor", "rules", "environments", "reports", "tests")
WRITABLE = ("/tmp", "/run", "/var/tmp", "/dev/shm")  # noqa: S108  # inside the sandbox
TMPFS_BYTES = 2 << 30


def mounts() -> list[str]:
    """Returns bubblewrap's arguments for everything but the workspace."""
    return [*_parents(), *_system(), *_interpreter(), *_scratch()]


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment inside: an allow-list, the same in every mode."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp/home",  # noqa: S108
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "USER": "agent",
        "LOGNAME": "agent",
        "TERM": "dumb",
        **extra,
    }


def accounts(uid: int) -> dict[str, bytes]:
    """Returns the files below /etc that name users and hosts, by name."""
    return {
        "passwd": f"root:x:0:0::/nowhere:/bin/false\nagent:x:{uid}:{uid}::/tmp/home:/bin/sh\n".encode(),
        "group": f"root:x:0:\nagent:x:{uid}:\n".encode(),
        "hosts": b"127.0.0.1 localhost\n",
        "nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\n",
    }  # fmt: skip


def _parents() -> Iterator[str]:
    """Folders above the mounts, which bubblewrap would make for root alone."""
    places = ["/etc/passwd", HOME, *WRITABLE, sys.base_prefix, sys.prefix]
    places += [str(Path(place).resolve()) for place in (sys.base_prefix, sys.prefix)]
    above = {parent for place in places for parent in Path(place).parents}
    for folder in sorted(above - {Path("/"), Path("/dev"), *map(Path, SYSTEM)}):
        if not folder.is_relative_to("/usr"):
            yield from ("--perms", "0755", "--dir", str(folder))


def _system() -> Iterator[str]:
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            yield from ("--symlink", os.readlink(path), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    for name in ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    # /usr/local may hold more than libraries; the project is hidden wherever it lies.
    if PROJECT.is_relative_to("/usr"):
        yield from ("--tmpfs", str(PROJECT))


def _interpreter() -> Iterator[str]:
    """The harness's interpreter and its packages, without our own.

    A virtual environment inside the project tree is bound by itself, so nothing around it shows.
    """
    places = dict.fromkeys(Path(place).resolve() for place in (sys.base_prefix, sys.prefix))
    for place in places:
        if not place.is_relative_to("/usr"):
            yield from ("--ro-bind", str(place), str(place))
    if Path(sys.prefix) != Path(sys.prefix).resolve():
        yield from ("--symlink", str(Path(sys.prefix).resolve()), sys.prefix)
    for path in _our_traces():
        yield from ("--tmpfs", str(path)) if path.is_dir() else ("--ro-bind", "/dev/null", str(path))


def _our_traces() -> Iterator[Path]:
    """Installed copies of our packages, and files that tell where the project lies."""
    for folder in map(Path, site.getsitepackages()):
        yield from (folder / name for name in OURS if (folder / name).is_dir())
        yield from folder.glob("earned-*.dist-info")
        yield from folder.glob("__editable__*earned*")
    yield from (Path(sys.executable).parent / name for name in ("harness", "auditor"))


def _scratch() -> Iterator[str]:
    yield from ("--proc", "/proc", "--dev", "/dev")
    for place in WRITABLE:
        yield from ("--perms", "1777", "--size", str(TMPFS_BYTES), "--tmpfs", place)
    yield from ("--perms", "0777", "--dir", "/tmp/home")  # noqa: S108


def uid() -> int:
    """Returns the user that sandboxed code runs as."""
    return support.UID if support.privileged() else os.geteuid()
