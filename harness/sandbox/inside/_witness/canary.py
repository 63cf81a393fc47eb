"""Proves at random times that the hook still sees: opens a file that nobody else can name.

A canary is announced, opened, and followed by a sign of life, all in the log. If both words are
there, and no record between them got lost, the process lived on, the pipe worked, and the hook had
its turn; a hook that then said nothing was silenced. In every other case (killed, crashed,
interrupted by a signal, pipe full) something after the announcement is missing as well, and nothing
can be concluded. The times are those of garbage collection, which runs in any program that makes
objects and does not pass through the hook.
"""

import builtins
import gc
import sys
from _random import Random
from _thread import get_ident
from collections.abc import Callable
from posix import O_NONBLOCK, O_RDONLY, urandom
from posix import close as close_file
from posix import open as open_file
from types import FrameType

from . import log

globals()["__builtins__"] = dict(vars(builtins))

FLIGHTS = 32
expected: set[str] = set()
"""Paths that the hook has yet to see."""
failures = [0]
"""How often the hook itself failed: then its silence is nobody's fault."""


class _State:
    """When the next one is due, in collections."""

    wait = left = 0
    random = Random()


def start(look: Callable[[FrameType | None], None]) -> None:
    """Has every garbage collection look around, and some of them send a canary."""
    begin()

    def collected(phase: str, _: dict[str, int]) -> None:
        me = get_ident()
        if phase != "stop" or me in log.busy or log.over:
            return
        try:
            log.busy.add(me)
            look(sys._getframe().f_back)
        except Exception as error:
            if not log.ours(error):
                raise
        finally:
            log.busy.discard(me)
        _State.wait -= 1
        if _State.wait <= 0 and _State.left:
            _State.left -= 1
            sent = FLIGHTS - _State.left
            _State.wait = 1 + int(_State.random.random() * sent * sent)
            fly()

    gc.callbacks.append(collected)


def begin() -> None:
    """Draws new times; a fork begins anew as well."""
    _State.wait, _State.left = 1, FLIGHTS
    _State.random.seed(int.from_bytes(urandom(8), "little"))
    expected.clear()


def fly() -> None:
    """Sends one canary."""
    path = f"/tmp/{urandom(9).hex()}"  # noqa: S108  # inside, and never made
    failed = failures[0]
    expected.add(path)
    log.say("sent", path=path)
    try:  # noqa: SIM105  # contextlib takes longer to load than all of this
        close_file(open_file(path, O_RDONLY | O_NONBLOCK))
    except OSError:
        pass
    expected.discard(path)
    log.say("alive", path=path, failed=failures[0] - failed)
