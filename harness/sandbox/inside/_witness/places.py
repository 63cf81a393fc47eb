"""Says where code is: in the workspace, in a library, or nowhere that has a name.

Names are taken from objects without running any code of theirs.
"""

import builtins
import sys
from collections.abc import Callable
from posix import getcwd
from types import CodeType, FrameType, FunctionType, MethodType

from .log import Fact

globals()["__builtins__"] = dict(vars(builtins))

WORKSPACE = "/home/agent/"
DEPTH = 200
"""Frames that are looked through; a deeper stack is a recursion of the program's."""
_CACHED = 4096
_known: dict[str, str] = {}
_dict_of = type.__dict__["__dict__"].__get__
_name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
_mro_of = type.__dict__["__mro__"].__get__


def relative(filename: str) -> str:
    """Returns a file's path in the workspace; empty when it lies elsewhere or is no file."""
    found = _known.get(filename)
    if found is None:
        found = _relative(filename)
        if len(_known) < _CACHED:
            _known[filename] = found
    return found


def _relative(filename: str) -> str:
    if filename.startswith("<"):
        return ""
    full = filename if filename.startswith("/") else f"{getcwd()}/{filename}"
    return full[len(WORKSPACE) :] if full.startswith(WORKSPACE) else ""


def innermost(frame: FrameType | None) -> str:
    """Returns the innermost place in the workspace, as `path:line`; empty when there is none."""
    for _ in range(DEPTH):
        if frame is None:
            break
        if path := relative(frame.f_code.co_filename):
            return f"{path}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def near(frame: FrameType | None) -> str:
    """Returns the place if it is in the workspace itself, or one call away in a library.

    Text that was given to `exec` belongs to whoever gave it.
    """
    for _ in range(2):
        if frame is None:
            return ""
        file = frame.f_code.co_filename
        if path := relative(file):
            return f"{path}:{frame.f_lineno}"
        if file.startswith("<") and not file.startswith("<frozen "):
            return innermost(frame)
        frame = frame.f_back
    return ""


def described(value: object) -> dict[str, Fact]:
    """Returns what an object is, and where the code lies that runs when it is called.

    `origin` is `workspace`, `library` or `native` (no Python code at all); `place` is its code's.
    """
    code = _code(value)
    if code is None:
        return {"now": f"{name(value)}{_named(value)}", "origin": "native", "place": ""}
    path = relative(code.co_filename)
    place = f"{path or code.co_filename}:{code.co_firstlineno}"
    loose = code.co_filename.startswith("<")
    origin = "workspace" if path else "text" if loose else "library"
    return {"now": f"{name(value)} {code.co_name}", "origin": origin, "place": place}


def name(value: object) -> str:
    """Returns the name of an object's type."""
    return _name_of(type(value))


def _named(value: object) -> str:
    inner = getattr(value, "__name__", "") if type(value) in _NAMED else ""
    return f" {inner}" if type(inner) is str and inner else ""


_NAMED = (type(len), type(list.append), type(sys))


def _code(value: object) -> CodeType | None:
    """Returns the code that runs when an object is called, as far as it can be told."""
    for _ in range(8):
        kind = type(value)
        if kind is CodeType:
            return value  # type: ignore[return-value]  # that is what `is` says
        if kind is FunctionType:
            return value.__code__  # type: ignore[attr-defined, no-any-return]
        if kind is MethodType or kind is staticmethod or kind is classmethod:
            value = value.__func__  # type: ignore[attr-defined]
        elif kind is property:
            value = value.fget  # type: ignore[attr-defined]
        elif kind is getattr(sys.modules.get("functools"), "partial", None):
            value = value.func  # type: ignore[attr-defined]
        else:
            return _code_of_class(value if issubclass(kind, type) else kind)  # type: ignore[arg-type]
    return None


def _code_of_class(kind: type) -> CodeType | None:
    """Returns the first function of a class, or else of those it is made from."""
    for one in _mro_of(kind):
        for member in list(_dict_of(one).values()):
            while type(member) in (staticmethod, classmethod):
                member = member.__func__
            if type(member) is FunctionType:
                return member.__code__
    return None
