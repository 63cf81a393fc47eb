"""Starts to watch a process, and says the last word when it ends."""

import atexit
import sys
from posix import register_at_fork

from . import canary, events, log, objects, operators


def begin() -> None:
    """Starts to watch this process, and every fork of it."""
    log.start()
    objects.start(operators.start)
    sys.addaudithook(events.hook)
    canary.start(objects.look)
    # Registered first, so it runs last: what other exit handlers put back has been put back.
    atexit.register(_end)
    register_at_fork(after_in_child=_begin_anew)


def _begin_anew() -> None:
    """Announces a fork at once: one that does nothing else must not look like a silent one."""
    log.start()
    canary.begin()


def _end() -> None:
    try:
        objects.inspect()
        operators.end()
        events.end()
        canary.fly()
        log.say("end")
        log.over.append(True)
    except Exception as error:
        if not log.ours(error):
            raise
