"""A made-up language whose every probability is known, so that the least loss is known, too.

A word depends on the word before and on the class of the one before that. Which words a context
leads to is drawn at random, so nothing can be known of a language but by reading its text. What can
be known of a masked word, given all that is visible in its window, follows exactly by passing
messages along the window (Baum and others 1970): no model can expect a lower loss.
"""

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.uint16]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
RARE = 0.03
"""Probability that any word at all comes next, however unlikely in its context."""
DECAY = 0.55
"""How much less likely a context's next successor is than the one before it."""
CHUNK = 256
"""Windows that are worked on together."""


@dataclass(frozen=True)
class Shape:
    """How large a language is."""

    words: int
    classes: int
    successors: int
    """Words that are likely in a context."""


@dataclass(frozen=True, eq=False)
class Language:
    """Probabilities of the next word."""

    classes: Ints
    """Shape [words]: the class of each word."""
    next: Floats
    """Shape [classes, words, words]: by class of the last but one word, last word, next word."""

    @classmethod
    def draw(cls, shape: Shape, draw: np.random.Generator) -> "Language":
        """Draws a language; every class has about as many words as any other."""
        words, classes = shape.words, shape.classes
        of = draw.permutation(np.arange(words) % classes)
        odds = DECAY ** np.arange(shape.successors)
        odds *= (1 - RARE) / odds.sum()
        table = np.full((classes, words, words), RARE / words)
        for context in np.ndindex(classes, words):
            table[context][draw.choice(words, shape.successors, replace=False)] += odds
        return cls(of, table)

    @classmethod
    def load(cls, path: Path) -> "Language":
        """Returns the language that `save` wrote."""
        with np.load(path, allow_pickle=False) as kept:
            return cls(kept["classes"], kept["next"])

    def save(self, path: Path) -> None:
        """Writes the language down; the same one gives the same bytes."""
        with path.open("wb") as file:
            np.savez(file, classes=self.classes, next=self.next)

    @property
    def words(self) -> int:
        """How many words there are."""
        return len(self.classes)

    @cached_property
    def stationary(self) -> Floats:
        """Returns how often contexts occur: class of one word and the word after it.

        Shape [classes, words]; the fixed point of going on by one word, to the last bits.
        """
        state = np.full(self.next.shape[:2], 1 / self.next[..., 0].size)
        for _ in range(10_000):
            after = self._step(state[None])[0]
            if np.abs(after - state).max() < 1e-14:
                break
            state = after
        return np.asarray(after / after.sum())

    def entropy(self) -> float:
        """Returns the nats that a word carries, given all words before it."""
        each = -(self.next * np.log(self.next)).sum(-1)
        return float((self.stationary * each).sum())

    def text(self, count: int, draw: np.random.Generator) -> Tokens:
        """Returns `count` words in a row."""
        cumulative = np.cumsum(self.next, -1).reshape(-1, self.words).tolist()
        of, words = self.classes.tolist(), self.words
        before, last = self._first(1, draw)
        context, written = int(before[0]), int(last[0])
        found = [written]
        for uniform in draw.random(count - 1).tolist():
            row = cumulative[context * words + written]
            context = of[written]
            written = min(bisect(row, uniform), words - 1)
            found.append(written)
        return np.array(found, np.uint16)

    def texts(self, count: int, draw: np.random.Generator, many: int) -> Tokens:
        """Returns `count` words in `many` stretches, one after another; quicker than one."""
        cumulative = np.cumsum(self.next, -1)
        before, last = self._first(many, draw)
        steps = -(-count // many)
        found = np.empty((steps, many), np.uint16)
        for step in range(steps):
            found[step] = last
            rows = cumulative[before, last]
            before = self.classes[last]
            chosen = (rows < draw.random((many, 1))).sum(1)
            last = np.minimum(chosen, self.words - 1)
        return np.ascontiguousarray(found.T).ravel()[:count]

    def least_loss(self, windows: Ints, masked: NDArray[np.bool_]) -> Floats:
        """Returns the losses of who knows the language: -ln p of each masked word.

        Args:
            windows: words, shape [windows, length].
            masked: which of them are hidden, of the same shape; all others are visible.

        Returns:
            One loss per masked word, in the order of `windows[masked]`.
        """
        return np.concatenate(
            [np.zeros(0), *(self._losses(*part) for part in _parts(windows, masked))]
        )

    def _losses(self, windows: Ints, masked: NDArray[np.bool_]) -> Floats:
        seen = np.where(masked[..., None], 1.0, np.eye(self.words)[windows])
        length = windows.shape[1]
        forward = [_normal(self.stationary * seen[:, None, 0])]
        for place in range(1, length):
            after = self._after(forward[-1], windows[:, place - 1], masked[:, place - 1])
            forward.append(_normal(after * seen[:, None, place]))
        backward = np.ones_like(forward[-1])
        losses = np.zeros(windows.shape)
        for place in range(length - 1, -1, -1):
            asked = np.flatnonzero(masked[:, place])
            known = (forward[place][asked] * backward[asked]).sum(1)
            right = known[np.arange(len(asked)), windows[asked, place]]
            losses[asked, place] = np.log(known.sum(1)) - np.log(right)
            known_here = backward * seen[:, None, place]
            backward = _normal(self._before(known_here, windows[:, place], masked[:, place]))
        return np.asarray(losses[masked])

    def _after(self, state: Floats, words: Ints, masked: NDArray[np.bool_]) -> Floats:
        """Returns contexts one word on; where the last word is visible, only it leads anywhere."""
        after = np.zeros_like(state)
        after[masked] = self._step(state[masked])
        seen = np.flatnonzero(~masked)
        last = words[seen]
        odds = state[seen, :, last][:, None] @ self._by_last[last]
        after[seen, self.classes[last]] = odds[:, 0]
        return after

    def _before(self, after: Floats, words: Ints, masked: NDArray[np.bool_]) -> Floats:
        """Returns what follows as contexts one word before tell it; as `_after`, transposed."""
        before = np.empty_like(after)
        before[masked] = self._back(after[masked])
        seen = np.flatnonzero(~masked)
        then = words[seen]
        odds = after[seen, :, then][:, self.classes]
        before[seen] = self._by_next[then] * odds[:, None]
        return before

    @cached_property
    def _by_last(self) -> Floats:
        """Shape [last word, class before, next word]."""
        return np.ascontiguousarray(self.next.transpose(1, 0, 2))

    @cached_property
    def _by_next(self) -> Floats:
        """Shape [next word, class before, last word]."""
        return np.ascontiguousarray(self.next.transpose(2, 0, 1))

    def _step(self, state: Floats) -> Floats:
        """Returns contexts one word on; both of shape [many, classes, words]."""
        after = np.empty_like(state)
        for number, members in self._members():
            before = state[:, :, members].reshape(len(state), self.next.shape[0] * len(members))
            after[:, number] = before @ self.next[:, members].reshape(-1, self.words)
        return after

    def _back(self, after: Floats) -> Floats:
        """Returns what follows as contexts one word before tell it; as `_step`, transposed."""
        before = np.empty_like(after)
        for number, members in self._members():
            table = self.next[:, members].reshape(-1, self.words)
            before[:, :, members] = (after[:, number] @ table.T).reshape(
                len(after), len(self.next), len(members)
            )
        return before

    def _members(self) -> Iterator[tuple[int, Ints]]:
        for number in range(len(self.next)):
            yield number, np.flatnonzero(self.classes == number)

    def _first(self, many: int, draw: np.random.Generator) -> tuple[Ints, Ints]:
        odds = self.stationary
        chosen = draw.choice(odds.size, many, p=odds.ravel())
        before, last = np.unravel_index(chosen, odds.shape)
        return np.asarray(before), np.asarray(last)


def _parts(*arrays: NDArray[Any]) -> Iterator[tuple[NDArray[Any], ...]]:
    for at in range(0, len(arrays[0]), CHUNK):
        yield tuple(array[at : at + CHUNK] for array in arrays)


def _normal(state: Floats) -> Floats:
    return np.asarray(state / state.sum((1, 2), keepdims=True))
