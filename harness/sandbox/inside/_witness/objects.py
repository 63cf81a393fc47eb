"""Knows what measuring depends on as it was at first, and tells what is no longer so."""

import builtins
import sys
from collections.abc import Callable, Sequence
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Any

from . import loading, log, places
from .memory import Version, machine_code

globals()["__builtins__"] = dict(vars(builtins))

WATCHED = {
    "builtins": "abs all any bool compile dict eval exec float getattr hasattr int isinstance "
    "issubclass len list max min open print range repr round setattr sorted str sum tuple type "
    "zip __import__ __build_class__",
    "time": "time time_ns perf_counter perf_counter_ns monotonic monotonic_ns process_time "
    "process_time_ns clock_gettime clock_gettime_ns sleep",
    "timeit": "default_timer",
    "datetime": "datetime date",
    "signal": "alarm setitimer signal getsignal",
    "os": "write read open close _exit kill urandom times getpid fork",
    "sys": "exit stdout stderr modules",
    "subprocess": "run Popen check_call check_output call",
    "json": "dump dumps load loads",
    "math": "log isfinite isnan inf sqrt exp",
    "random": "random randint seed choice shuffle sample uniform randrange getrandbits",
    "torch": "equal allclose isclose eq ne all any where cumsum sum randint rand randn manual_seed "
    "seed is_tensor set_num_threads Tensor",
    "torch.cuda": "synchronize Event is_available current_stream",
    "torch.testing": "assert_close",
}
_TENSOR = (
    "__eq__ __ne__ __bool__ eq ne equal allclose isclose all any item copy_ cpu numpy tolist to "
    "shape dtype device"
)
CLASSES = {
    "torch.Tensor": f"{_TENSOR} __torch_function__",
    "torch._C.TensorBase": _TENSOR,
    "torch.cuda.Event": "elapsed_time record synchronize query",
    "torch.cuda.Stream": "synchronize query wait_event",
}
STILL = {"time": "tzname"}
"""Modules that only a call writes to, which makes a new object of this name (`time.tzset`)."""
PER_NAME = 8
"""How often a name's changes are told, by where the new code is from."""
ABSENT = object()

_told: dict[tuple[str, log.Fact], int] = {}


class Holder:
    """A module's or a class's dictionary, and some of its names as they were at first."""

    def __init__(self, label: str, values: dict[str, Any], names: Sequence[str] = ()) -> None:
        self.label = label
        self.values = values
        self._version = Version(values)
        self._first: dict[str, object] = {}
        self._last: dict[str, object] = {}
        self._inner: dict[str, tuple[object, ...]] = {}
        self._machine_code: dict[str, tuple[object, tuple[int | None, ...]]] = {}
        self._mark = values.get(STILL.get(label, ""))
        self._told = 0
        for name in names:
            self.add(name, values.get(name, ABSENT))

    def add(self, name: str, value: object) -> None:
        """Takes a value as the first one of a name."""
        self._first[name] = self._last[name] = value
        self._inner[name] = _inner(value)
        self.add_machine_code(name, value)
        if type(value) is FunctionType:
            functions[id(value)] = self.full(name)

    def add_machine_code(self, name: str, value: object) -> None:
        """Takes note of where a builtin or a type leads to."""
        self._machine_code[name] = (value, machine_code(value))

    def full(self, name: str) -> str:
        """Returns a name with its module or class."""
        return f"{self.label}.{name}"

    def look(self, frame: FrameType | None) -> bool:
        """Tells what was replaced or put back since the last look; returns whether it looked."""
        if not self._version.changed():
            return False
        for name, last in self._last.items():
            now = self.values.get(name, ABSENT)
            if now is not last:
                self._last[name] = now
                self._told += 1
                first = self._first[name]
                tell(self.full(name), first, now, frame, back=now is first)
        return True

    def learn(self) -> None:
        """Takes in names that are new here."""
        for name, value in list(self.values.items()):
            if type(name) is str and name not in self._first and _can_be_called(value):
                self.add(name, value)

    def inspect(self) -> None:
        """Tells what was changed within the objects themselves."""
        for name, first in self._first.items():
            if any(a is not b for a, b in zip(_inner(first), self._inner[name], strict=True)):
                tell(self.full(name), self._inner[name][0], first, None)
                self._inner[name] = _inner(first)
        for name, (value, first_code) in self._machine_code.items():
            if machine_code(value) != first_code:
                self.add_machine_code(name, value)
                _say(self.full(name), was="", now="", origin="memory", place="", at="")
        if self.label in STILL and self._version.writes and not self._told:
            self._tell_if_rewritten()

    def _tell_if_rewritten(self) -> None:
        if self.values.get(STILL[self.label]) is self._mark:
            log.say("rewritten", object=self.label)


holders: list[Holder] = []
functions: dict[int, str] = {}
"""Watched functions' names by their identity."""
_main: list[Holder] = []


def start(on_torch: Callable[[], None]) -> None:
    """Takes note of what is loaded, and of the rest when it has been."""
    holders.append(Holder("sys.modules", sys.modules))
    for name in WATCHED:
        if name in sys.modules:
            watch(name)

    def loaded(name: str) -> None:
        # Parts of torch are complete only when all of it is.
        if name == "torch":
            watch(name)
            _watch_parts_of_torch()
            on_torch()
        elif not name.startswith("torch."):
            watch(name)

    loading.tell({name for name in WATCHED if name not in sys.modules}, loaded)


def look(frame: FrameType | None = None) -> None:
    """Tells what was replaced since the last look. Cheap: most often nothing was written to."""
    for holder in holders:
        holder.look(frame)
    _look_at_main(frame)


def inspect() -> None:
    """Looks into the objects as well."""
    look()
    for holder in (*holders, *_main):
        holder.inspect()


def tell(
    name: str,
    was: object,
    now: object,
    frame: FrameType | None,
    *,
    back: bool = False,
    direct: bool = False,
) -> None:
    """Reports that something was replaced, by what, and where in the workspace that was seen.

    Args:
        name: what is replaced.
        was: what it was at first.
        now: what it is now.
        frame: where that is seen; later than where it was done, unless `direct`.
        back: it is again what it was.
        direct: the workspace's own code does it just now.
    """
    shown = {"now": "absent", "origin": "native", "place": ""} if now is ABSENT else None
    _say(
        name,
        was="absent" if was is ABSENT else places.described(was)["now"],
        **(shown or places.described(now)),
        at=places.innermost(frame),
        back=int(back),
        direct=int(direct),
    )


def _say(name: str, **facts: log.Fact) -> None:
    key = (name, facts["origin"])
    _told[key] = _told.get(key, 0) + 1
    if _told[key] <= PER_NAME:
        log.say("object", object=name, **facts)


def watch(name: str) -> None:
    """Takes note of a module that has just been loaded."""
    module = sys.modules[name]
    holders[0].add(name, module)
    holders.append(Holder(name, vars(module), WATCHED[name].split()))


def _watch_parts_of_torch() -> None:
    for name in WATCHED:
        if name.startswith("torch.") and name in sys.modules:
            watch(name)
    for path, names in CLASSES.items():
        module, _, kind = path.rpartition(".")
        found = vars(sys.modules[module]).get(kind) if module in sys.modules else None
        if isinstance(found, type):
            holders.append(Holder(path, _class_dict(found), names.split()))
            holders[-1].add_machine_code("(type)", found)


def _class_dict(kind: type) -> dict[str, object]:
    """Returns the dictionary behind a class's read-only view of it."""
    import gc

    return next(one for one in gc.get_referents(vars(kind)) if type(one) is dict)


def _look_at_main(frame: FrameType | None) -> None:
    """Compares the main script's own objects; what is new there is as the script made it.

    Before code of any other file runs there was a look, so what that code adds or replaces comes
    later.
    """
    if not _main:
        values = vars(sys.modules["__main__"])
        file = values.get("__file__")
        if type(file) is not str:
            return
        log.say("main", path=file)
        _main.append(Holder("__main__", values))
        _main[0].learn()
    if _main[0].look(frame):
        _main[0].learn()


def _can_be_called(value: object) -> bool:
    kind = type(value)
    return kind in (FunctionType, BuiltinFunctionType, ModuleType) or issubclass(kind, type)


def _inner(value: object) -> tuple[object, ...]:
    if type(value) is not FunctionType:
        return ()
    return (value.__code__, value.__defaults__, value.__kwdefaults__)
