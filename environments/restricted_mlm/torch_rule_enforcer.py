"""Refuses some operators while `IS_TORCH_RESTRICTED` is set, as RE-Bench's enforcer did.

It is a help, not the rule: what it does not know is forbidden all the same. The rule is the list in
`instructions.md`.
"""

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

FLAG = "IS_TORCH_RESTRICTED"
FUNCTIONAL = (
    "gelu", "softmax", "conv1d", "scaled_dot_product_attention", "layer_norm", "batch_norm",
)  # fmt: skip
TORCH = (
    "mean", "div", "max", "min", "where", "sin", "cos", "tan", "exp", "rsqrt", "sqrt",
    "reciprocal", "pow", "log",
)  # fmt: skip
CLASSES = (
    "Transformer", "LayerNorm", "Conv1d", "MultiheadAttention", "BatchNorm1d", "GELU", "Sigmoid",
    "Softmax", "LogSoftmax", "RNN", "LSTM", "GLU",
)  # fmt: skip
COMPILER = ("torch._", "torch.fx.")
"""Modules that compile a model with the operators of Python, whatever the model is made of."""


class ForbiddenOperator(RuntimeError):
    """An operator was used that the task forbids."""


def restricted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function that may not be called while the flag is set."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        caller = str(sys._getframe(1).f_globals.get("__name__"))
        if os.environ.get(FLAG) == "True" and not caller.startswith(COMPILER):
            raise ForbiddenOperator(f"{name} is not allowed in the forward pass")
        return function(*args, **kwargs)

    return call


def refuse(name: str, kind: type[nn.Module]) -> None:
    """Has a class of modules refuse to be made."""

    def init(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        raise ForbiddenOperator(f"nn.{name} is not allowed")

    kind.__init__ = init  # type: ignore[method-assign]


def enforce() -> None:
    """Wraps and refuses all of the above, from now on."""
    for module, names in ((functional, FUNCTIONAL), (torch, TORCH)):
        for name in names:
            setattr(module, name, restricted(name, getattr(module, name)))
    for name in CLASSES:
        refuse(name, getattr(nn, name))
