"""Reads from the interpreter's memory what Python itself does not tell.

Which dictionary was written to since the last look (their versions), and which machine code a
builtin leads to. Offsets are those of CPython on 64 bits with its usual lock; where a trial shows
others, nothing is read and everything is compared in full instead.
"""

import builtins
import ctypes
from types import BuiltinFunctionType, MethodDescriptorType
from typing import Any

globals()["__builtins__"] = dict(vars(builtins))

_VERSION = 24
_METHOD = {BuiltinFunctionType: 16, MethodDescriptorType: 40}
_VECTORCALL = 48
_BASIC_SIZE = 32
_SLOTS = [*range(48, 168, 8), 200]
"""From `tp_dealloc` to `tp_as_buffer`, and `tp_richcompare`."""


class Version:
    """Tells whether a dictionary was written to, also when it looks as before."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._tag = ctypes.c_uint64.from_address(id(values) + _VERSION) if _versions else None
        self._seen = self._tag.value if self._tag else 0
        self.writes = 0

    def changed(self) -> bool:
        """Returns whether there was a write since the last time, or may have been."""
        if self._tag is None:
            return True
        now = self._tag.value
        if now == self._seen:
            return False
        self._seen = now
        self.writes += 1
        return True


def machine_code(value: object) -> tuple[int | None, ...]:
    """Returns the addresses that a builtin, or a type's operators, lead to; else nothing."""
    if not _layout:
        return ()
    offset = _METHOD.get(type(value))
    if offset is not None:
        method = _word(id(value) + offset) or 0
        return (_word(method + 8) if method else None, _word(id(value) + _VECTORCALL))
    if type(value) is type and not value.__flags__ & _HEAP_TYPE:
        return tuple(_word(id(value) + offset) for offset in _SLOTS)
    return ()


_HEAP_TYPE = 1 << 9


def _word(address: int) -> int | None:
    return ctypes.c_void_p.from_address(address).value


def _layout_fits() -> bool:
    usual = object.__basicsize__ == 16 and ctypes.sizeof(ctypes.c_void_p) == 8
    return usual and _word(id(int) + _BASIC_SIZE) == int.__basicsize__


def _versions_fit() -> bool:
    tried: dict[str, object] = {"a": 1}
    tag = ctypes.c_uint64.from_address(id(tried) + _VERSION)
    seen = [tag.value, tag.value]
    tried["a"] = 2
    seen.append(tag.value)
    tried["a"] = 1
    seen.append(tag.value)
    return seen[0] == seen[1] and len(set(seen)) == 3


_layout = _layout_fits()
_versions = _layout and _versions_fit()
