"""Learns the base model's byte pairs, once, from text in many languages."""

import json
from collections import Counter
from collections.abc import Iterable

Pair = tuple[int, int]


def learn_merges(texts: Iterable[str], count: int) -> list[Pair]:
    """Returns the `count` merges that byte-pair encoding finds; ties go to the smaller pair."""
    pieces = Counter(piece for text in texts for piece in text.replace(" ", "\0 ").split("\0"))
    words = {piece: list(piece.encode()) for piece in pieces}
    merges: list[Pair] = []
    while len(merges) < count:
        pairs: Counter[Pair] = Counter()
        for piece, ids in words.items():
            for pair in zip(ids, ids[1:], strict=False):
                pairs[pair] += pieces[piece]
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for piece, ids in words.items():
            words[piece] = _merge(ids, best, 255 + len(merges))
    return merges


def tokenizer_json(merges: list[Pair]) -> str:
    """Returns the text of `base_model/tokenizer.json`."""
    return json.dumps({"merges": merges, "end": 256 + len(merges)}) + "\n"


def _merge(ids: list[int], pair: Pair, new: int) -> list[int]:
    merged: list[int] = []
    i = 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged
