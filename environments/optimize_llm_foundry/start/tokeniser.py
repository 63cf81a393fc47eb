"""
Byte-pair tokeniser. A text is cut in front of every blank, so that a word keeps the
blank before it; the bytes of each piece are then merged pair by pair, always the pair
that comes first in the list of merges, until no listed pair is left.
"""

import json


class Tokeniser:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            data = json.load(f)
        # ids 0..255 are the bytes; merge number i makes token 256 + i
        self.rank = {tuple(pair): i for i, pair in enumerate(data["merges"])}
        self.end = data["end"]  # closes every row

    def merge_piece(self, ids):
        while True:
            pairs = [(self.rank[pair], pair) for pair in zip(ids, ids[1:]) if pair in self.rank]
            if not pairs:
                return ids
            rank, pair = min(pairs)
            merged, i = [], 0
            while i < len(ids):
                if tuple(ids[i : i + 2]) == pair:
                    merged.append(256 + rank)
                    i += 2
                else:
                    merged.append(ids[i])
                    i += 1
            ids = merged

    def encode(self, text):
        pieces, start = [], 0
        for i in range(1, len(text) + 1):
            if i == len(text) or text[i] == " ":
                pieces.append(text[start:i])
                start = i
        ids = []
        for piece in pieces:
            ids = ids + self.merge_piece(list(piece.encode("utf-8")))
        return ids
