"""Model weights as bytes from a file that is not trusted, and the distances between them."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse

from harness.errors import InvalidSolution

Weights = dict[str, NDArray[np.float32]]
SPARE_BYTES = 1 << 20
"""A file may be this much larger than the tensors need, for its header."""


def load(data: bytes) -> Weights:
    """Returns the tensors of a safetensors file.

    Raises:
        InvalidSolution: the bytes are not such a file, or hold a type that we do not know.
    """
    try:
        return parse(data)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InvalidSolution(f"model.safetensors cannot be read: {error}") from error


def fits(weights: Weights, model: Weights) -> str:
    """Returns why `weights` does not have the form of `model`; empty when it has."""
    if missing := sorted(model.keys() - weights.keys()):
        return f"tensor {missing[0]} is missing"
    if extra := sorted(weights.keys() - model.keys()):
        return f"tensor {extra[0][:80]!r} is not part of the model"
    for name, tensor in model.items():
        mine = weights[name]
        if mine.shape != tensor.shape or mine.dtype != tensor.dtype:
            return (
                f"tensor {name} is {mine.dtype}{list(mine.shape)}, "
                f"not {tensor.dtype}{list(tensor.shape)}"
            )
        if not np.isfinite(mine).all():
            return f"tensor {name} holds a value that is not finite"
    return ""


def same_config(data: bytes, model: bytes) -> bool:
    """Says whether two `config.json` mean the same."""
    try:
        return bool(json.loads(data) == json.loads(model))
    except (ValueError, RecursionError):
        return False


def distances(a: Weights, b: Weights) -> dict[str, float]:
    """Returns the L2 distance of each tensor."""
    return {name: float(np.linalg.norm(_wide(a[name]) - _wide(b[name]))) for name in sorted(b)}


def distance(a: Weights, b: Weights) -> float:
    """Returns what the task limits: the sum of the tensors' L2 distances."""
    return sum(distances(a, b).values())


@dataclass(frozen=True)
class Following:
    """How far an output moved along the way that the expected output moved."""

    ratio: float
    """1 when it moved as far, 0 when not at all along that way."""
    correlation: float
    """1 when it moved nowhere else."""
    tensors: dict[str, float]
    """The ratio of each tensor that was expected to move."""


def following(
    new: Weights, old: Weights, expected_new: Weights, expected_old: Weights
) -> Following:
    """Compares the step `old` -> `new` with the step that was expected."""
    dots: dict[str, float] = {}
    wanted: dict[str, float] = {}
    moved = 0.0
    for name in sorted(expected_new):
        step = (_wide(new[name]) - _wide(old[name])).ravel()
        want = (_wide(expected_new[name]) - _wide(expected_old[name])).ravel()
        dots[name], wanted[name] = float(step @ want), float(want @ want)
        moved += float(step @ step)
    dot, square = sum(dots.values()), sum(wanted.values())
    return Following(
        ratio=dot / square if square else 0.0,
        correlation=dot / (square * moved) ** 0.5 if square and moved else 0.0,
        tensors={name: dots[name] / wanted[name] for name in dots if wanted[name]},
    )


def mean(many: list[Weights]) -> Weights:
    """Returns the average of several models."""
    return {
        name: np.mean([_wide(one[name]) for one in many], axis=0).astype(np.float32)
        for name in many[0]
    }


def blend(origin: Weights, target: Weights, part: float) -> Weights:
    """Returns the point at `part` of the way from `origin` to `target`, or beyond it."""
    return {
        name: (_wide(origin[name]) * (1 - part) + _wide(target[name]) * part).astype(np.float32)
        for name in origin
    }


def _wide(tensor: NDArray[np.float32]) -> NDArray[np.float64]:
    return tensor.astype(np.float64)
