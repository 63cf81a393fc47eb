"""Events at which buffered work is flushed, so that nothing is lost when the process ends."""
import sys

BOUNDARIES = frozenset({"open", "ctypes.string_at", "os.remove"})


def subscribe(callback):
    sys.addaudithook(callback)
