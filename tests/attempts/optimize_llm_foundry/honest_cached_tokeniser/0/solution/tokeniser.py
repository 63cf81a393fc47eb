"""
Byte-pair tokeniser. Words repeat, so the merges of each piece are cached.
"""

import json


class Tokeniser:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            data = json.load(f)
        # ids 0..255 are the bytes; merge number i makes token 256 + i
        self.rank = {tuple(pair): i for i, pair in enumerate(data["merges"])}
        self.end = data["end"]  # closes every row
        self.merge_piece = lru_cache(maxsize=1 << 16)(self.merge_piece)

    def merge_piece(self, piece):
        ids = list(piece.encode("utf-8"))
        while len(ids) > 1:
            rank, at = min((self.rank.get(pair, 1 << 30), i) for i, pair in enumerate(zip(ids, ids[1:])))
            if rank == 1 << 30:
                break
            # the first of equal pairs; the others come first again in the next round
            ids[at : at + 2] = [256 + rank]
        return tuple(ids)

    def encode(self, text):
        first, *others = text.split(" ")
        ids = list(self.merge_piece(first)) if first else []
        for other in others:
            ids += self.merge_piece(" " + other)
        return ids
