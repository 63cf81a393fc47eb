"""Follows a pickle's instructions without doing what they say: nothing is imported or called.

Containers become plain containers; whatever a loader would import, call or set the state of
becomes a record of that wish. Instructions come from `pickletools`, which only reads.
"""

import io
import pickletools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from auditor.trail.faults import Unreadable

PICKLE_BYTES = 64 << 20
INSTRUCTIONS = 3_000_000
"""A tensor takes thirty; reading this many takes about ten seconds."""
TEXT = 60


class Named(NamedTuple):
    """Something that a loader would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Made:
    """What a loader would get by calling something."""

    by: object
    args: tuple[object, ...]
    state: object = None
    items: list[object] = field(default_factory=list)
    """What would be put into it: items, or pairs of key and value."""


class Stored(NamedTuple):
    """What a loader would fetch by a name that its owner gave it (`persistent_id`)."""

    key: object


class Followed(NamedTuple):
    """The end of a pickle."""

    value: object
    wishes: list[Named]
    """Everything that would be imported, in order."""
    end: int
    """Where the next byte after the pickle lies."""


_MARK = object()
_Stack = list[object]


def follow(data: bytes, at: int = 0) -> Followed:
    """Returns what a pickle describes.

    Args:
        data: holds the pickle.
        at: where it begins.

    Raises:
        Unreadable: it is no pickle, or too long.
    """
    if len(data) - at > PICKLE_BYTES:
        raise Unreadable(f"its pickle has {len(data) - at} bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old forms of text have odd escapes
        return _Machine(io.BytesIO(data), at).run()


class _Machine:
    """The state of one reading: the stack, and what was put aside under a number."""

    def __init__(self, source: io.BytesIO, at: int) -> None:
        self._source = source
        self._source.seek(at)
        self._stack: _Stack = []
        self._memo: dict[int, object] = {}
        self._wishes: list[Named] = []

    def run(self) -> Followed:
        try:
            for count, (opcode, arg, _) in enumerate(pickletools.genops(self._source)):
                if count > INSTRUCTIONS:
                    raise Unreadable("its pickle has too many instructions")
                if opcode.name == "STOP":
                    return Followed(self._stack.pop(), self._wishes, self._source.tell())
                self._step(opcode.name, arg)
        except (ValueError, IndexError, TypeError, KeyError, OverflowError, MemoryError) as error:
            raise Unreadable(f"its pickle is broken: {str(error)[:TEXT]}") from error
        raise Unreadable("its pickle has no end")

    def _step(self, name: str, arg: object) -> None:
        if name in _VALUES:
            self._stack.append(arg)
        elif name in _EMPTY:
            self._stack.append(_EMPTY[name]())
        else:
            known = _STEPS.get(name)
            if known is None:
                raise Unreadable(f"its pickle uses {name}")
            known(self, arg)

    def marked(self) -> list[object]:
        """Takes what was put down since the last mark."""
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                taken = self._stack[place + 1 :]
                del self._stack[place:]
                return taken
        raise IndexError("there is no mark")

    def pop(self) -> object:
        """Takes the last value."""
        value = self._stack.pop()
        if value is _MARK:
            raise IndexError("there is only a mark")
        return value

    def drop(self) -> None:
        """Forgets the last value, a mark too."""
        self._stack.pop()

    def push(self, value: object) -> None:
        """Puts a value down."""
        self._stack.append(value)

    def top(self) -> object:
        """Returns the last value."""
        return self._stack[-1]

    def name(self, module: object, name: object) -> None:
        """Puts down something that would be imported."""
        wish = Named(str(module)[:200], str(name)[:200])
        self._wishes.append(wish)
        self._stack.append(wish)

    def call(self, by: object, args: object) -> None:
        """Puts down what a call would give."""
        given = tuple(args) if isinstance(args, tuple | list) else (args,)
        self._stack.append(Made(by, given))

    def put(self, number: object) -> None:
        """Keeps the last value under a number."""
        self._memo[_number(number)] = self._stack[-1]

    def memoize(self, _: object) -> None:
        """Keeps the last value under the next number."""
        self._memo[len(self._memo)] = self._stack[-1]

    def get(self, number: object) -> None:
        """Puts down what was kept under a number."""
        self._stack.append(self._memo[_number(number)])


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("a number is missing")
    return value


def _append(target: object, values: list[object]) -> None:
    if isinstance(target, list):
        target.extend(values)
    elif isinstance(target, set):
        target.update(_key(value) for value in values)
    elif isinstance(target, Made):
        target.items.extend(values)
    else:
        raise TypeError("something is put into what holds nothing")


def _set(target: object, values: list[object]) -> None:
    if len(values) % 2:
        raise ValueError("a key has no value")
    pairs = list(zip(values[::2], values[1::2], strict=True))
    if isinstance(target, dict):
        for key, value in pairs:
            target[_key(key)] = value
    elif isinstance(target, Made):
        target.items.extend(pairs)
    else:
        raise TypeError("something is put into what holds nothing")


def _key(value: object) -> object:
    """A value that can be a key of ours and be shown: plain ones, others by their place."""
    plain = isinstance(value, str | float | bytes | None)
    return value if plain or (isinstance(value, int) and abs(value) < 1 << 64) else f"<{id(value)}>"


def _stack_name(machine: _Machine, _: object) -> None:
    name, module = machine.pop(), machine.pop()
    machine.name(module, name)


def _global(machine: _Machine, arg: object) -> None:
    module, _, name = str(arg).partition(" ")
    machine.name(module, name)


def _inst(machine: _Machine, arg: object) -> None:
    args = machine.marked()
    _global(machine, arg)
    machine.call(machine.pop(), args)


def _obj(machine: _Machine, _: object) -> None:
    by, *args = machine.marked()
    machine.call(by, args)


def _reduce(machine: _Machine, _: object) -> None:
    args, by = machine.pop(), machine.pop()
    machine.call(by, args)


def _newobj_ex(machine: _Machine, _: object) -> None:
    options, args, by = machine.pop(), machine.pop(), machine.pop()
    machine.call(by, (args, options))


def _build(machine: _Machine, _: object) -> None:
    state = machine.pop()
    target = machine.top()
    if isinstance(target, Made):
        target.state = state


def _dict(machine: _Machine, _: object) -> None:
    made: dict[object, object] = {}
    _set(made, machine.marked())
    machine.push(made)


def _setitem(machine: _Machine, _: object) -> None:
    value, key = machine.pop(), machine.pop()
    _set(machine.top(), [key, value])


def _setitems(machine: _Machine, _: object) -> None:
    values = machine.marked()
    _set(machine.top(), values)


def _one(machine: _Machine, _: object) -> None:
    value = machine.pop()
    _append(machine.top(), [value])


def _many(machine: _Machine, _: object) -> None:
    values = machine.marked()
    _append(machine.top(), values)


def _tuple_of(count: int) -> Callable[[_Machine, object], None]:
    def step(machine: _Machine, _: object) -> None:
        machine.push(tuple([machine.pop() for _ in range(count)][::-1]))

    return step


def _frozenset(machine: _Machine, _: object) -> None:
    machine.push({_key(value) for value in machine.marked()})


def _drop(machine: _Machine, _: object) -> None:
    machine.drop()


def _drop_marked(machine: _Machine, _: object) -> None:
    machine.marked()


def _ext(machine: _Machine, arg: object) -> None:
    machine.name("copyreg", f"extension {arg}")


_VALUES = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("BYTEARRAY8", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    )
)
_EMPTY: dict[str, Callable[[], object]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "EMPTY_LIST": list,
    "EMPTY_DICT": dict, "EMPTY_SET": set, "EMPTY_TUPLE": tuple, "MARK": lambda: _MARK,
}  # fmt: skip
_STEPS: dict[str, Callable[[_Machine, object], None]] = {
    "PROTO": lambda machine, arg: None,
    "FRAME": lambda machine, arg: None,
    "READONLY_BUFFER": lambda machine, arg: None,
    "POP": _drop, "POP_MARK": _drop_marked,
    "DUP": lambda machine, arg: machine.push(machine.top()),
    "PUT": _Machine.put, "BINPUT": _Machine.put, "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.memoize,
    "GET": _Machine.get, "BINGET": _Machine.get, "LONG_BINGET": _Machine.get,
    "GLOBAL": _global, "STACK_GLOBAL": _stack_name,
    "EXT1": _ext, "EXT2": _ext, "EXT4": _ext,
    "REDUCE": _reduce, "NEWOBJ": _reduce, "NEWOBJ_EX": _newobj_ex, "INST": _inst, "OBJ": _obj,
    "BUILD": _build,
    "TUPLE": lambda machine, arg: machine.push(tuple(machine.marked())),
    "TUPLE1": _tuple_of(1), "TUPLE2": _tuple_of(2), "TUPLE3": _tuple_of(3),
    "LIST": lambda machine, arg: machine.push(machine.marked()),
    "DICT": _dict, "SETITEM": _setitem, "SETITEMS": _setitems,
    "APPEND": _one, "APPENDS": _many, "ADDITEMS": _many, "FROZENSET": _frozenset,
    "PERSID": lambda machine, arg: machine.push(Stored(arg)),
    "BINPERSID": lambda machine, arg: machine.push(Stored(machine.pop())),
}  # fmt: skip


class Found(NamedTuple):
    """A call in what a pickle describes, and where it lies."""

    path: str
    made: Made


DEPTH = 40
VALUES = 500_000


def calls(value: object) -> Iterator[Found]:
    """Yields the calls in a value, outermost first, with the keys that lead to them.

    What was yielded is looked into only where the receiver asks, by its fields: a call that
    rebuilds a tensor is a leaf. Each container is entered once, so that circles end.
    """
    waiting: list[tuple[str, object, int]] = [("", value, 0)]
    entered: set[int] = set()
    while waiting:
        path, item, depth = waiting.pop()
        if isinstance(item, Made):
            yield Found(path, item)
        if depth > DEPTH or id(item) in entered or len(entered) > VALUES:
            continue
        entered.add(id(item))
        inner = [(_joined(path, key), held, depth + 1) for key, held in _inner(item)]
        waiting += inner[::-1]


def _inner(item: object) -> Iterator[tuple[object, object]]:
    if isinstance(item, dict):
        yield from item.items()
    elif isinstance(item, list | tuple) and not isinstance(item, Named | Stored):
        yield from enumerate(item)
    elif isinstance(item, Made):
        yield from item.items if _pairs(item.items) else enumerate(item.items)  # type: ignore[misc]
        yield from (("", held) for held in (*item.args, item.state))


def _pairs(items: list[object]) -> bool:
    return all(isinstance(item, tuple) and len(item) == 2 for item in items)


def _joined(path: str, key: object) -> str:
    """Names as people know them: what a module keeps its parts in is left out."""
    word = "" if key in ("_parameters", "_buffers", "_modules") else str(_key(key))[:100]
    return f"{path}.{word}"[:400] if path and word else path or word
