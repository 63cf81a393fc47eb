"""The audit hook: what the process does to files, processes, and to Python itself.

Every event is listed once per place in the workspace, and only some per place. Of what libraries do
all the time, only what the workspace does itself is listed.
"""

import builtins
import sys
from _thread import get_ident
from collections.abc import Callable
from posix import O_APPEND, O_CREAT, O_RDWR, O_TRUNC, O_WRONLY
from types import CodeType, FrameType, FunctionType
from typing import Any

from . import canary, log, objects, places

globals()["__builtins__"] = dict(vars(builtins))

PER_PLACE = 32
RECORDS = 4000
_DETAIL = 1000
_WRITING = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND
_SYSTEM = tuple({f"{sys.prefix}/", f"{sys.base_prefix}/", "/usr/", "/lib/", "/lib64/", "/etc/"})
_INNER = ("__code__", "__defaults__", "__kwdefaults__")
_MAIN_THREAD = get_ident()

_seen: set[tuple[str, str, str]] = set()
_at: dict[tuple[str, str], int] = {}
_left_out = [0]

Describe = Callable[[tuple[Any, ...]], str | None]
"""Returns what an event was about; None for what is not worth a record."""


def hook(event: str, args: tuple[Any, ...]) -> None:
    """Sees one audit event."""
    known = _EVENTS.get(event)
    if known is None or log.over:
        return
    me = get_ident()
    if me in log.busy:
        return
    try:
        log.busy.add(me)
        _see(event, args, *known, sys._getframe(1))
    except Exception as error:
        if not log.ours(error):
            raise
        canary.failures[0] += 1
    finally:
        log.busy.discard(me)


def end() -> None:
    """Tells how much was left out."""
    if _left_out[0]:
        log.say("left_out", count=_left_out[0])


def _see(
    event: str, args: tuple[Any, ...], describe: Describe, own: bool, frame: FrameType | None
) -> None:
    if event == "open" and type(args[0]) is str and args[0] in canary.expected:
        canary.expected.discard(args[0])
        log.say("sang", path=args[0])
        return
    objects.look(frame)
    if event in ("open", "os.rename") and _is_importing(frame):
        return  # what is imported shows as code that is executed
    if event in ("object.__setattr__", "object.__delattr__"):
        _on_attribute(event, args, frame)
    detail = describe(args)
    if detail is None:
        return
    # Text without a file is executed by many libraries.
    own = own or (event == "exec" and detail.startswith("<"))
    place = places.near(frame) if own else places.innermost(frame)
    if own and not place:
        return
    if event.startswith("os.fork"):
        log.about_to_fork(place)
    _record(event, detail[:_DETAIL], place)


def _is_importing(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_code.co_filename.startswith("<frozen importlib")


def _record(event: str, detail: str, place: str) -> None:
    key, at = (event, detail, place), (event, place)
    if key in _seen:
        return
    if len(_seen) >= RECORDS or _at.get(at, 0) >= PER_PLACE:
        _left_out[0] += 1
        return
    _seen.add(key)
    _at[at] = _at.get(at, 0) + 1
    main = get_ident() == _MAIN_THREAD
    log.say("event", event=event, detail=detail, at=place, thread="main" if main else "other")


def _on_attribute(event: str, args: tuple[Any, ...], frame: FrameType | None) -> None:
    """Tells of a watched function that gets other code, before it does, and of our own."""
    target, name, value = args[0], args[1], args[2] if len(args) > 2 else None
    if type(target) is not FunctionType or name not in _INNER:
        return
    if target.__code__.co_filename.startswith(log.FOLDER):
        log.say("silenced", event=event, at=places.near(frame))
    elif known := objects.functions.get(id(target)):
        was = target.__code__ if name == "__code__" else target
        objects.tell(f"{known}.{name}", was, value, frame, direct=bool(places.near(frame)))


def _text(value: Any) -> str:
    """Shows plain values; anything else by its type, so that no code of its own runs."""
    if type(value) is bytes:
        return value.decode("utf-8", "replace")
    if type(value) in (str, int, float, bool, type(None)):
        return str(value)
    if type(value) is getattr(sys.modules.get("pathlib"), "PosixPath", None):
        return str(value)
    if type(value) in (list, tuple):
        return " ".join(_text(item) for item in value[:20])
    return f"<{places.name(value)}>"


def _all(args: tuple[Any, ...]) -> str | None:
    return " ".join(_text(item) for item in args[:3])


def _first(args: tuple[Any, ...]) -> str | None:
    return _text(args[0]) if args else ""


def _nothing(args: tuple[Any, ...]) -> str | None:
    return ""


def _open(args: tuple[Any, ...]) -> str | None:
    path, mode, flags = args
    if type(path) is int:
        return None
    name = _text(path)
    if name.startswith(log.PLACE):
        return None
    if type(flags) is int and flags & _WRITING:
        return f"{name} (written)"
    return None if name.startswith(_SYSTEM) else name


def _command(args: tuple[Any, ...]) -> str | None:
    return _text(args[1]) if len(args) > 1 and args[1] is not None else _first(args)


def _code(args: tuple[Any, ...]) -> str | None:
    """Shows the file that code says it is from; libraries' own is left out."""
    code = args[0]
    if type(code) is not CodeType:
        return _text(code)[:80]
    name = code.co_filename
    return None if name.startswith((*_SYSTEM, "<frozen ", log.FOLDER)) else name


def _compiled(args: tuple[Any, ...]) -> str | None:
    source, name = args[0], args[1] if len(args) > 1 else ""
    return None if source is None else _text(name)


def _function(args: tuple[Any, ...]) -> str | None:
    return str(places.described(args[0])["now"])


def _attribute(args: tuple[Any, ...]) -> str | None:
    return f"{places.described(args[0])['now']}.{_text(args[1])}"


_EVENTS: dict[str, tuple[Describe, bool]] = {
    # Anywhere beneath the workspace's code, or by none of it.
    "open": (_open, False),
    "subprocess.Popen": (_command, False),
    "_thread.start_new_thread": (_function, False),
    "_thread.start_joinable_thread": (_function, False),
    "ctypes.dlopen": (_first, False),
    "exec": (_code, False),
    **dict.fromkeys(
        (
            *("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.kill", "os.killpg"),
            *("os.remove", "os.rename", "os.link", "os.symlink", "os.truncate", "os.chmod"),
            *("os.chown", "os.utime", "os.setxattr", "os.rmdir", "os.putenv", "os.unsetenv"),
            *("shutil.copyfile", "shutil.move", "shutil.rmtree", "shutil.copytree"),
            *("socket.__new__", "socket.connect", "socket.bind", "socket.sendto"),
            *("signal.pthread_kill", "mmap.__new__"),
        ),
        (_all, False),
    ),
    "os.fork": (_nothing, False),
    "os.forkpty": (_nothing, False),
    # By the workspace's own code: libraries do it all the time.
    "import": (_first, True),
    "compile": (_compiled, True),
    "object.__setattr__": (_attribute, True),
    "object.__delattr__": (_attribute, True),
    "code.__new__": (_nothing, True),
    "marshal.loads": (_nothing, True),
    "pickle.find_class": (_all, True),
    "ctypes.dlsym": (lambda args: _text(args[1]), True),
    **dict.fromkeys(
        (
            *("sys._getframe", "sys._current_frames", "sys.settrace", "sys.setprofile"),
            *("sys.addaudithook", "gc.get_objects", "gc.get_referrers", "gc.get_referents"),
            *("ctypes.cdata", "ctypes.cdata/buffer", "ctypes.string_at", "ctypes.addressof"),
            *("ctypes.call_function", "ctypes.PyObj_FromPtr", "ctypes.dlsym/handle"),
        ),
        (_nothing, True),
    ),
}
