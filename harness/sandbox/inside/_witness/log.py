"""Writes what was seen to a pipe that only the outside reads: nothing can be taken back.

Records are lines of JSON, short enough to be written whole. Each is numbered, so that one that did
not get through (the pipe was full) leaves a gap and is not taken for one that was held back.
"""

import builtins
import itertools
import sys
from _json import encode_basestring_ascii as quoted
from os.path import abspath, dirname, join
from posix import O_NONBLOCK, O_WRONLY, getpid, urandom, write
from posix import close as close_file
from posix import open as open_file
from types import TracebackType

# The program may replace builtins; functions look theirs up here.
globals()["__builtins__"] = dict(vars(builtins))

FOLDER = dirname(abspath(__file__))
PLACE = dirname(FOLDER)
PIPE = join(PLACE, "log")
TEXT, SHORT = 300, 60
"""Characters kept of a text, and where a record is too long."""
LINE = 4096
"""Bytes that a pipe takes whole."""

Fact = str | int

busy: set[int] = set()
"""Threads that are in our own code, whose events are none of the program's."""
over: list[bool] = []
"""Not empty when the last word was said: what the interpreter then takes apart is no tampering."""


class _State:
    """Which process this is; a fork is another one."""

    pid = 0
    name = ""
    parent = ""
    forked_at = ""
    numbers = itertools.count()


def start() -> None:
    """Announces this process."""
    _State.pid, _State.parent, _State.name = getpid(), _State.name, urandom(6).hex()
    _State.numbers = itertools.count()
    busy.clear()
    say(
        "start",
        pid=_State.pid,
        parent=_State.parent,
        forked_at=_State.forked_at,
        argv=" ".join(sys.orig_argv),
    )


def about_to_fork(place: str) -> None:
    """Notes where in the workspace a fork is asked for."""
    _State.forked_at = place


def say(kind: str, **facts: Fact) -> bool:
    """Writes one record, and returns whether it got through."""
    if getpid() != _State.pid:
        start()
    head = f'"k":"{kind}","s":"{_State.name}","n":{next(_State.numbers)}'
    line = _line(head, facts, TEXT)
    if len(line) > LINE:
        line = _line(head, facts, SHORT)
    try:
        # Opened each time: a descriptor that we keep could be closed and used by the program.
        pipe = open_file(PIPE, O_WRONLY | O_NONBLOCK)
    except OSError:
        return False
    try:
        return write(pipe, line) == len(line)
    except OSError:
        return False
    finally:
        close_file(pipe)


def ours(error: BaseException) -> bool:
    """Returns whether an error arose in our code.

    Otherwise it is the program's, such as that of a signal handler which ran meanwhile, and the
    program has to get it.
    """
    trace: TracebackType | None = error.__traceback__
    file = ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        trace = trace.tb_next
    return file.startswith(FOLDER)


def _line(head: str, facts: dict[str, Fact], most: int) -> bytes:
    parts = [head, *(f'"{key}":{_shown(value, most)}' for key, value in facts.items())]
    return ("{" + ",".join(parts) + "}\n").encode("ascii")


def _shown(value: Fact, most: int) -> str:
    """Shows a value, a long text without its middle: a path's first part and its line count."""
    if type(value) is int:
        return int.__repr__(value)
    text = str(value)
    if len(text) > most:
        text = f"{text[: most // 2]}...{text[-most // 2 :]}"
    return quoted(str.encode(text, "utf-8", "replace").decode("utf-8"))
