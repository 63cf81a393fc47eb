import numpy as np


class Piece:
    """A stretch of the input, with the memory to scan it without allocating."""

    def __init__(self, start, size):
        self.at = slice(start, start + size)
        self.values = np.empty(size, np.int16)
        self.positive = np.empty(size, np.bool_)
        self.parity = np.empty(size, np.bool_)
        self.sums = np.empty(size, np.int32)

    def both_ways(self, source):
        """Returns what the piece adds when the count before it is even, when it is odd, and
        whether it changes that."""
        np.copyto(self.values, source[self.at], casting="unsafe")
        np.greater(self.values, 0, out=self.positive)
        np.logical_xor.accumulate(self.positive, out=self.parity)
        flips = bool(self.parity[-1])
        np.logical_xor(self.parity, self.positive, out=self.parity)
        everything = int(self.values.sum(dtype=np.int64))
        kept = int(np.multiply(self.values, self.parity).sum(dtype=np.int64))
        return kept, everything - kept, flips

    def write(self, target, odd, total):
        if odd:
            np.logical_not(self.parity, out=self.parity)
        np.multiply(self.values, self.parity, out=self.values)
        np.add.accumulate(self.values, dtype=np.int32, out=self.sums)
        np.add(self.sums, total, out=target[self.at])
