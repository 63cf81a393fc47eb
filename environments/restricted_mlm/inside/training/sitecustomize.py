"""Notes which operators forward passes are made of while a solution trains.

What looks at activations for a log is no part of them: only operators count that something of the
logits comes of.

Python loads it of its own accord. It runs in the solution's process: what it writes can speak
against a training and never for it.
"""

import contextlib
import importlib.abc
import importlib.machinery
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

CALLS = 12
"""Forward passes that are noted."""
LOG = "/home/agent/.training-{pid}.json"
Storages = dict[int, Any]
"""By their addresses; they are kept so that no other storage takes an address over."""
Step = tuple[str, Storages, Storages]
"""A call: the operator's name, what it reads, and what it makes or writes to."""


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
        self.steps: list[Step] = []
        self.noted: dict[str, int] = {}

    def begin(self) -> None:
        """Hooks into all modules."""
        from torch.nn.modules import module
        from torch.utils._python_dispatch import TorchDispatchMode

        watch = self

        class Names(TorchDispatchMode):  # type: ignore[no-untyped-call]
            """Sees every operator."""

        def called(_: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            read, made = _storages([args, kwargs]), _storages(out)
            if func._schema.is_mutable:
                made |= read
            watch.steps.append((func._schema.name, read, made))
            return out

        setattr(Names, "__torch_dispatch__", called)  # noqa: B010
        self.kind = Names
        module.register_module_forward_pre_hook(self.before)
        module.register_module_forward_hook(self.after, always_call=True)

    def before(self, module: Any, args: Any) -> None:
        """A module is called."""
        self.depth += 1
        if self.depth == 1 and self.calls < CALLS and _is_tokens(args):
            self.steps, self.tokens = [], args[0]
            self.mode = self.kind()  # type: ignore[no-untyped-call]
            self.mode.__enter__()

    def after(self, module: Any, args: Any, out: Any) -> None:
        """A module has returned."""
        self.depth -= 1
        if self.depth or self.mode is None:
            return
        mode, self.mode = self.mode, None
        mode.__exit__(None, None, None)
        steps, self.steps = self.steps, []
        logits = [item for item in _tensors(out) if _is_logits(item, self.tokens)]
        if logits:
            self.calls += 1
            for name in _needed(steps, logits):
                self.noted[name] = self.noted.get(name, 0) + 1
            path = LOG.format(pid=os.getpid())
            with contextlib.suppress(OSError), open(path, "w", encoding="utf-8") as file:
                json.dump({"calls": self.calls, "operators": self.noted}, file)


def _tensors(value: Any) -> Iterator[Any]:
    """Yields all tensors in a value."""
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _storages(value: Any) -> Storages:
    """Returns the memory of all tensors in a value."""
    found: Storages = {}
    for tensor in _tensors(value):
        try:
            storage = tensor.untyped_storage()
            found[storage._cdata] = storage
        except Exception:  # there are tensors without any
            found[id(tensor)] = tensor
    return found


def _needed(steps: list[Step], logits: list[Any]) -> list[str]:
    """Returns the operators that something of the logits comes of."""
    needed, names = set(_storages(logits)), []
    for name, read, made in reversed(steps):
        if not needed.isdisjoint(made):
            needed.update(read)
            names.append(name)
    return names


def _is_tokens(args: Any) -> bool:
    import torch

    first = args[0] if args else None
    return (
        isinstance(first, torch.Tensor) and first.dim() == 2 and not first.dtype.is_floating_point
    )


def _is_logits(item: Any, tokens: Any) -> bool:
    return bool(item.dim() == 3 and item.dtype.is_floating_point and item.shape[:2] == tokens.shape)


sys.meta_path.insert(0, Finder())
