"""Draws text in a made-up language; another seed gives other words and another grammar."""

import json
import random
from dataclasses import dataclass

CONSONANTS = "bcdfghjklmnpqrstvwxyz"
VOWELS = "aeiou"
WORDS = 160
"""Few enough that a short training meets each word often, which makes languages tell apart."""
SUCCESSORS = 5
"""How many words can follow a word."""


@dataclass(frozen=True)
class Lengths:
    """How many words a prompt and a response have, drawn uniformly between the two bounds."""

    prompt: tuple[int, int]
    response: tuple[int, int]


class Language:
    """A vocabulary and, for every word, the few words that can follow it."""

    def __init__(self, draw: random.Random) -> None:
        consonants = draw.sample(CONSONANTS, 8)
        vowels = draw.sample(VOWELS, 3)
        syllables = [c + v for c in consonants for v in vowels]
        words: set[str] = set()
        while len(words) < WORDS:
            words.add("".join(draw.choices(syllables, k=draw.randint(1, 4))))
        # A set's order differs between processes.
        self.words = sorted(words)
        draw.shuffle(self.words)
        self.follow = {word: draw.sample(self.words, SUCCESSORS) for word in self.words}

    def text(self, draw: random.Random, count: int) -> str:
        """Returns `count` words; a word's first successor is twice as likely as its second."""
        word = draw.choice(self.words)
        written = [word]
        odds = [2.0**-rank for rank in range(SUCCESSORS)]
        for _ in range(count - 1):
            word = draw.choices(self.follow[word], odds)[0]
            written.append(word)
        return " ".join(written) + "."

    def row(self, draw: random.Random, lengths: Lengths) -> dict[str, str]:
        """Returns one training row."""
        return {
            "prompt": self.text(draw, draw.randint(*lengths.prompt)),
            "response": self.text(draw, draw.randint(*lengths.response)),
        }


def rows(language: Language, draw: random.Random, count: int, lengths: Lengths) -> list[str]:
    """Returns `count` lines of `train_data.jsonl`."""
    return [json.dumps(language.row(draw, lengths)) for _ in range(count)]


def mixture(draw: random.Random, count: int, lengths: Lengths) -> list[str]:
    """Returns lines in many languages, a few in each: what the base model is trained on."""
    lines: list[str] = []
    while len(lines) < count:
        lines += rows(Language(draw), draw, min(8, count - len(lines)), lengths)
    draw.shuffle(lines)
    return lines
