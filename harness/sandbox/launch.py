"""Executes one command in isolation and takes the time from outside.

A supervisor shell inside waits for the word to go, runs the command and reports its exit status.
The clock starts with that word. It is read when *every* process of the namespace has ended, so
work that goes on after the command counts, and then is killed: a late writer gains nothing.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InvalidSolution, SandboxUnavailable
from harness.sandbox import filter as system_calls
from harness.sandbox import layer as layers
from harness.sandbox import mode, root
from harness.sandbox.limits import EVERY_S, Limits, Watch, bounds
from harness.sandbox.mode import Mode

FLOOD_BYTES = 64 << 20
"""More output than any honest run makes; past it the run is stopped."""
START_S = 60.0
"""Setting up takes milliseconds; this is for a machine that is about to give up."""
GRACE_S = 0.2
"""For processes that are on their way out, such as multiprocessing's resource tracker. It counts."""
_SUPERVISOR = 'echo ready >&0; read -r _; "$@" </dev/null; echo $? >&0; read -r _'
_INIT_AND_SUPERVISOR = (1, 2)


@dataclass(frozen=True)
class Run:
    """What came of a command."""

    returncode: int | None
    """As a shell reports it (128 + n for signal n); None when the run was stopped."""
    seconds: float
    """From the word to go until no process was left."""
    cpu_seconds: float
    """Of all processes, but for children that their parent never waited for."""
    timed_out: bool
    limit: str | None
    """The limit that was met: wall, memory, processes, file, disk, depth or output."""
    stdout: str
    """Its end, at most `Limits.output_bytes`."""
    stderr: str
    survivors: int
    """Processes that were still running after the command had ended, and were killed."""
    layer: Path
    """Holds just what the run wrote or changed, by path in the workspace."""


def run(
    command: Sequence[str],
    *,
    workspace: Path,
    layer: Path,
    cwd: str = "solution",
    readonly: Mapping[str, Path] = {},  # noqa: B006
    writable: Mapping[str, Path] = {},  # noqa: B006
    env: Mapping[str, str] = {},  # noqa: B006
    limits: Limits = Limits(),  # noqa: B008
    cpus: int | None = None,
) -> Run:
    """Runs `command` in a throw-away copy of `workspace`, which itself is left alone.

    Args:
        command: the program, found by the run's own `PATH`, and its arguments.
        workspace: the tree that appears as `HOME`; nothing may change it meanwhile.
        layer: an empty or missing folder that receives what the run wrote.
        cwd: where the command starts, in the workspace.
        readonly: further files and folders by their path inside (absolute, or in the workspace);
            anybody must be allowed to read them.
        writable: likewise, and the run may write there; they are given to the run's user.
        env: added to the fixed environment.
        limits: what the run may take.
        cpus: pin the run to this many processors.

    Raises:
        SandboxUnavailable: this machine cannot isolate a run.
        InvalidSolution: the workspace's folders are nested too deeply to be followed.
    """
    how = mode.current()
    layer.mkdir(parents=True, exist_ok=True)
    with _scratch(layer) as scratch:
        home = scratch / "home"
        owner = mode.uid() if how is Mode.ROOT else None
        layers.copy(workspace, home, owner)
        root.reserve(home, {**readonly, **writable})
        for path in writable.values() if owner is not None else ():
            layers.give(path, owner)
        try:
            before = layers.record(home)
        except layers.TooDeep as error:
            raise InvalidSolution("Folders of the workspace are nested too deeply.") from error
        inner = [*bounds(limits), *mode.drop(how), *_environment(how, home, cwd, env), *command]
        outer = _outer(how, home, readonly, writable, limits)
        with _Session(how, [*_pin(cpus), *outer.words], inner, outer.files) as session:
            watch = Watch(limits, home, session.root)
            ...
