"""Text of an instance: the windows that are scored, and what is hidden of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .language import Floats, Ints, Language, Tokens
from .settings import Settings
from .trial import Logits

LANGUAGE = "language.npz"
TEXT = "text.bin"


@dataclass(frozen=True, eq=False)
class Windows:
    """Pieces of text, none of which overlap, with what is masked of them."""

    words: Ints
    """Shape [windows, length]."""
    masked: NDArray[np.bool_]
    """Of the same shape."""
    least: Floats
    """Per masked position, in order: the loss of who knows the language."""

    def batches(self, settings: Settings) -> list[Ints]:
        """Returns what models are given: tokens in batches, each of shape [batch, length]."""
        tokens = np.where(self.masked, settings.mask_id, self.words)
        return [np.asarray(part) for part in self._cut(tokens, settings)]

    def losses(self, logits: list[Logits]) -> Floats:
        """Returns the loss at each masked position, from logits by batch."""
        return losses(np.concatenate(logits), self.words[self.masked])

    def rows(self) -> Ints:
        """Returns which window each masked position lies in."""
        return np.nonzero(self.masked)[0]

    @staticmethod
    def _cut(tokens: Ints, settings: Settings) -> Iterator[Ints]:
        for at in range(0, len(tokens), settings.batch):
            yield tokens[at : at + settings.batch]


def losses(logits: Logits, targets: Ints) -> Floats:
    """Returns -ln of the probability that logits give to each target."""
    wide = logits.astype(np.float64)
    wide -= wide.max(-1, keepdims=True)
    total = np.log(np.exp(wide).sum(-1))
    return np.asarray(total - np.take_along_axis(wide, targets[:, None], -1)[:, 0])


def read(path: Path) -> Tokens:
    """Returns the tokens of a file of ours."""
    return np.fromfile(path, np.uint16)


def windows(
    text: Tokens,
    language: Language | None,
    settings: Settings,
    draw: np.random.Generator,
    batches: int | None = None,
) -> Windows:
    """Draws windows of a text, each position in one at most, and masks.

    Args:
        text: all of it.
        language: the one it is written in; None where nobody knows it.
        settings: the profile's figures.
        draw: chooses where the first window begins, which ones there are, and what is masked.
        batches: how many batches; those of a sealed score when None.
    """
    length = settings.seq_len
    first = int(draw.integers(length))
    cut = text[first : first + (len(text) - first) // length * length].reshape(-1, length)
    whole = len(cut) // settings.batch
    count = settings.batch * min(batches or settings.batches, whole)
    return masked(
        cut[draw.permutation(len(cut))[:count]].astype(np.int64), language, settings, draw
    )


def masked(
    words: Ints, language: Language | None, settings: Settings, draw: np.random.Generator
) -> Windows:
    """Draws masks for windows of words."""
    masked = draw.random(words.shape) < settings.mask_fraction
    if language is None:
        least = np.full(int(masked.sum()), settings.floor)
    else:
        least = language.least_loss(words, masked)
    return Windows(words, masked, least)


def language_of(private: Path) -> Language | None:
    """Returns the language of an instance; None where text was given."""
    path = private / LANGUAGE
    return Language.load(path) if path.is_file() else None


def of(private: Path, split: str) -> Tokens:
    """Returns a split's text."""
    return read(private / split / TEXT)
