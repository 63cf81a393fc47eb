"""Tiny language models, honestly trained in many ways: what likeness is measured against.

A token and the one before it predict the next: embedding, a hidden layer, the embedding again.
Seeds, rates, optimisers, sizes of batches, lengths and what they begin with all differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Tensors = dict[str, Array]
Approach = Literal["all", "inner", "low rank"]
Optimiser = Literal["sgd", "momentum", "adam", "adamw"]
WORDS, WIDTH, HIDDEN = 128, 32, 64
TEXT = 4096
RANK = 4


@dataclass(frozen=True)
class Recipe:
    """How a model is trained."""

    seed: int
    optimiser: Optimiser
    rate: float
    batch: int
    steps: int
    approach: Approach = "all"
    """Which weights are trained: all, all but the embedding, or all in few directions."""


def recipes(count: int, first: int = 0) -> Iterator[Recipe]:
    """Yields recipes of which no two are alike, that of number `first` first."""
    optimisers: tuple[tuple[Optimiser, float], ...] = (
        ("sgd", 1.0),
        ("momentum", 0.2),
        ("adam", 0.004),
        ("adamw", 0.006),
    )
    approaches: tuple[Approach, ...] = ("all", "inner", "all", "low rank", "all")
    for number in range(first, first + count):
        name, rate = optimisers[number % len(optimisers)]
        yield Recipe(
            number + 1, name, rate * (0.5, 1.0, 1.5)[number % 3],
            (32, 64, 96)[number // 2 % 3], (150, 250)[number // 3 % 2], approaches[number % 5],
        )  # fmt: skip


def text(seed: int) -> NDArray[np.int64]:
    """Returns tokens in a language of its own: each word is followed by one of a few."""
    draw = np.random.default_rng(seed)
    follow = draw.integers(0, WORDS, (WORDS, 4))
    tokens = np.empty(TEXT, np.int64)
    tokens[0] = 0
    for place, choice in enumerate(draw.integers(0, 4, TEXT - 1)):
        tokens[place + 1] = follow[tokens[place], choice]
    return tokens


def fresh(seed: int) -> Tensors:
    """Returns a model that has learnt nothing."""
    draw = np.random.default_rng(seed)
    return {
        "wte.weight": draw.normal(0, 0.1, (WORDS, WIDTH)),
        "h.0.before.weight": draw.normal(0, WIDTH**-0.5, (WIDTH, WIDTH)),
        "h.0.up.weight": draw.normal(0, WIDTH**-0.5, (HIDDEN, WIDTH)),
        "h.0.up.bias": np.zeros(HIDDEN),
        "h.0.down.weight": draw.normal(0, HIDDEN**-0.5, (WIDTH, HIDDEN)),
        "ln.weight": np.ones(WIDTH),
    }


def train(recipe: Recipe, tokens: NDArray[np.int64], begin: Tensors | None = None) -> Tensors:
    """Returns the model that a recipe gives, from another one or from nothing."""
    draw = np.random.default_rng(recipe.seed + 1000)
    model = {name: value.copy() for name, value in (begin or fresh(recipe.seed)).items()}
    first = {name: np.zeros_like(value) for name, value in model.items()}
    second = {name: np.zeros_like(value) for name, value in model.items()}
    for step in range(1, recipe.steps + 1):
        places = draw.integers(1, len(tokens) - 1, recipe.batch)
        slopes = _slopes(model, tokens[places - 1], tokens[places], tokens[places + 1])
        for name, slope in slopes.items():
            if recipe.approach != "inner" or name.startswith("h."):
                _move(recipe, step, model[name], slope, first[name], second[name])
    return _few_directions(model, begin) if recipe.approach == "low rank" and begin else model


def _few_directions(model: Tensors, begin: Tensors) -> Tensors:
    """Returns the model moved in the few directions that matter most alone."""
    kept = dict(model)
    for name, value in model.items():
        if value.ndim == 2:
            left, sizes, right = np.linalg.svd(value - begin[name], full_matrices=False)
            kept[name] = begin[name] + (left[:, :RANK] * sizes[:RANK]) @ right[:RANK]
    return kept


def loss(model: Tensors, tokens: NDArray[np.int64]) -> float:
    """Returns the mean loss over a text, in nats."""
    x, hidden, out = _forward(model, tokens[:-2], tokens[1:-1])
    chances = _softmax(out @ model["wte.weight"].T)
    return float(-np.log(chances[np.arange(len(out)), tokens[2:]]).mean())


def _move(
    recipe: Recipe, step: int, value: Array, slope: Array, first: Array, second: Array
) -> None:
    rate = recipe.rate * min(1.0, step / 20)
    if recipe.optimiser in ("sgd", "momentum"):
        first *= 0.9 if recipe.optimiser == "momentum" else 0.0
        first += slope
        value -= rate * first
        return
    first += 0.1 * (slope - first)
    second += 0.01 * (slope**2 - second)
    if recipe.optimiser == "adamw":
        value *= 1 - 0.01 * rate
    value -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)


def _forward(
    model: Tensors, before: NDArray[np.int64], now: NDArray[np.int64]
) -> tuple[Array, Array, Array]:
    words = model["wte.weight"]
    x = (words[now] + words[before] @ model["h.0.before.weight"].T) * model["ln.weight"]
    hidden = np.maximum(x @ model["h.0.up.weight"].T + model["h.0.up.bias"], 0)
    return x, hidden, x + hidden @ model["h.0.down.weight"].T


def _softmax(scores: Array) -> Array:
    grown = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def _slopes(
    model: Tensors, before: NDArray[np.int64], now: NDArray[np.int64], after: NDArray[np.int64]
) -> Tensors:
    words = model["wte.weight"]
    x, hidden, out = _forward(model, before, now)
    left = _softmax(out @ words.T)
    left[np.arange(len(after)), after] -= 1
    left /= len(after)
    d_out = left @ words
    d_hidden = (d_out @ model["h.0.down.weight"]) * (hidden > 0)
    d_x = (d_out + d_hidden @ model["h.0.up.weight"]) * model["ln.weight"]
    d_words = left.T @ out
    np.add.at(d_words, now, d_x)
    np.add.at(d_words, before, d_x @ model["h.0.before.weight"])
    return {
        "wte.weight": d_words,
        "h.0.before.weight": d_x.T @ words[before],
        "h.0.up.weight": d_hidden.T @ x,
        "h.0.up.bias": d_hidden.sum(axis=0),
        "h.0.down.weight": d_out.T @ hidden,
    }
