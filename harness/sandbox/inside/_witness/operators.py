"""Lists the tensor operators that run, with shapes, types and the place in the workspace.

It costs time and turns compiled functions into single operators, so it is asked for by a variable.
Other threads than the one that loaded torch are not seen.
"""

import builtins
import os
import sys
from types import FrameType
from typing import Any

from . import canary, log, objects, places

globals()["__builtins__"] = dict(vars(builtins))

ASKED = "WITNESS_OPERATORS"
KINDS = 2000
"""Different operators, by shapes and place, that are kept apart."""
ARGUMENTS = 6

_counts: dict[tuple[str, str, str], int] = {}
_mode: list[Any] = []


def start() -> None:
    """Begins to list operators, now that torch is there."""
    if not os.environ.get(ASKED):
        return
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    exact = (torch.Tensor, torch.nn.Parameter)

    class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
        """Sees every operator and runs it as it is."""

    def dispatch(_: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        note(str(func), shown(args), sys._getframe(1))
        return func(*args, **(kwargs or {}))

    def shown(values: Any) -> str:
        parts = []
        for value in values[:ARGUMENTS]:
            if type(value) in exact:
                parts.append(f"{str(value.dtype)[6:]}{list(value.shape)}")
            elif type(value) in (list, tuple):
                parts.append(f"[{shown(value)}]")
        return " ".join(parts)

    # In the class's own body it would be decorated, and the first operator would load the compiler.
    setattr(Mode, "__torch_dispatch__", dispatch)  # noqa: B010
    _mode.append(Mode())  # type: ignore[no-untyped-call]
    _mode[0].__enter__()


def end() -> None:
    """Tells how often each operator ran."""
    for (name, shapes, at), count in _counts.items():
        log.say("operator", name=name, shapes=shapes, at=at, count=count)
    if _mode:
        from torch.utils._python_dispatch import _get_current_dispatch_mode

        mode: Any = _get_current_dispatch_mode()
        if mode is _mode[0]:
            mode.__exit__(None, None, None)
        else:
            log.say("broken", what="the list of operators was cut off")


def note(name: str, shapes: str, frame: FrameType) -> None:
    """Counts one operator."""
    try:
        key = (name, shapes, places.innermost(frame))
        count = _counts.get(key, 0) + 1
        if count > 1 or len(_counts) < KINDS:
            _counts[key] = count
            # A process that is killed tells no sums at its end.
            if count & (count - 1) == 0 and count.bit_length() % 4 == 1:
                log.say("operator", name=name, shapes=shapes, at=key[2], count=count)
        objects.look(frame)
    except Exception as error:
        if not log.ours(error):
            raise
        canary.failures[0] += 1
