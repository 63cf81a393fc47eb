"""Notes which operators forward passes are made of while a solution trains.

Python loads it of its own accord. It runs in the solution's process: what it writes can speak
against a training and never for it.
"""

import contextlib
import importlib.abc
import importlib.machinery
import json
import os
import sys
from typing import Any

CALLS = 12
"""Forward passes that are noted."""
LOG = "/home/agent/.training-{pid}.json"


class Finder(importlib.abc.MetaPathFinder):
    """Waits until torch has been loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Finds torch as it would be found without us, and has us told when it is there."""
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            loader = spec.loader
            execute = loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                with contextlib.suppress(Exception):
                    Watch().begin()

            loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


class Watch:
    """Follows the outermost forward pass of a module that takes tokens."""

    def __init__(self) -> None:
        self.depth = 0
        self.calls = 0
        self.mode: Any = None
        self.tokens: Any = None
        self.names: dict[str, int] = {}
        self.noted: dict[str, int] = {}

    def begin(self) -> None:
        """Hooks into all modules."""
        from torch.nn.modules import module
        from torch.utils._python_dispatch import TorchDispatchMode

        watch = self

        class Names(TorchDispatchMode):  # type: ignore[no-untyped-call]
            """Counts operators by name."""

        def called(_: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = func._schema.name
            watch.names[name] = watch.names.get(name, 0) + 1
            return func(*args, **(kwargs or {}))

        setattr(Names, "__torch_dispatch__", called)  # noqa: B010
        self.kind = Names
        module.register_module_forward_pre_hook(self.before)
        module.register_module_forward_hook(self.after, always_call=True)

    def before(self, module: Any, args: Any) -> None:
        """A module is called."""
        self.depth += 1
        if self.depth == 1 and self.calls < CALLS and _is_tokens(args):
            self.names, self.tokens = {}, args[0]
            self.mode = self.kind()  # type: ignore[no-untyped-call]
            self.mode.__enter__()

    def after(self, module: Any, args: Any, out: Any) -> None:
        """A module has returned."""
        self.depth -= 1
        if self.depth or self.mode is None:
            return
        mode, self.mode = self.mode, None
        mode.__exit__(None, None, None)
        if _is_logits(out, self.tokens):
            self.calls += 1
            for name, count in self.names.items():
                self.noted[name] = self.noted.get(name, 0) + count
            path = LOG.format(pid=os.getpid())
            with contextlib.suppress(OSError), open(path, "w", encoding="utf-8") as file:
                json.dump({"calls": self.calls, "operators": self.noted}, file)


def _is_tokens(args: Any) -> bool:
    import torch

    first = args[0] if args else None
    return (
        isinstance(first, torch.Tensor) and first.dim() == 2 and not first.dtype.is_floating_point
    )


def _is_logits(out: Any, tokens: Any) -> bool:
    import torch

    return (
        isinstance(out, torch.Tensor)
        and out.dim() == 3
        and out.dtype.is_floating_point
        and out.shape[:2] == tokens.shape
    )


sys.meta_path.insert(0, Finder())
