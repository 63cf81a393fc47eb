"""Waits inside a sandbox with packages loaded and forks once for every program it is told to run.

Only the text of this file goes inside, so it needs nothing but Python. It speaks JSON messages over
an inherited socket: `{"argv", "env", "cwd"}` is answered with `{"status"}` when the program has
ended, and `{"clear": true}` with `{"left": 0}` when all that programs left behind is gone.
"""

import ctypes
import importlib
import json
import os
import random
import runpy
import signal
import socket
import subprocess
import sys
import time

PR_SET_DUMPABLE = 4
SCRATCH = ("/tmp", "/dev/shm")  # noqa: S108  # inside
PATIENCE_S = 5.0


def main() -> None:
    """Loads the packages named on the command line, then serves until the socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[2:]:
        importlib.import_module(name)
    _dumpable(False)  # a program that runs as our user must not write into our memory
    control.send(b"{}")
    while asked := control.recv(1 << 16):
        request = json.loads(asked)
        if "clear" in request:
            control.send(json.dumps({"left": _clear()}).encode())
            continue
        child = os.fork()
        if child == 0:
            control.close()
            _become(request)
            return
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        control.send(json.dumps({"status": code if code >= 0 else 128 - code}).encode())


def _become(request: dict[str, object]) -> None:
    """Makes the fork what a fresh interpreter would be, and runs the program in it."""
    _dumpable(True)
    os.setsid()
    random.seed()
    argv, env = request["argv"], request["env"]
    assert isinstance(argv, list) and isinstance(env, dict)
    os.environ.update(env)
    os.chdir(str(request["cwd"]))
    sys.argv = argv
    sys.path[0] = os.path.dirname(os.path.abspath(argv[0]))
    runpy.run_path(argv[0], run_name="__main__")


def _clear() -> int:
    """Ends what is left of earlier programs and empties their temporary folders."""
    deadline = time.monotonic() + PATIENCE_S
    while (others := _others()) and time.monotonic() < deadline:
        for pid in others:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue  # it has ended, or is not ours to end
        time.sleep(0.001)
    if paths := _scratch():
        subprocess.run(["chmod", "-R", "u+rwX", "--", *paths], stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", "--", *paths], check=True)
    return len(_others()) + len(_scratch())


def _scratch() -> list[str]:
    """What lies in the temporary folders, but for mounts: the interpreter's may be in there."""
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:
        kept = [*(line.split()[1] for line in file), os.environ["HOME"]]
    found, folders = [], [*SCRATCH, os.environ["HOME"]]
    while folders:
        folder = folders.pop()
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if path in kept:
                continue
            if any(mount.startswith(f"{path}/") for mount in kept):
                folders.append(path)
            else:
                found.append(path)
    return found


def _others() -> list[int]:
    """Every process of the namespace but its init, the supervisor and this one."""
    ours = {1, os.getppid(), os.getpid()}
    found = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in found if pid not in ours and not _ended(pid)]


def _ended(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def _dumpable(on: bool) -> None:
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, int(on), 0, 0, 0)


if __name__ == "__main__":
    main()
