import mmap
import os

import numpy as np
import torch

BLOCK = 256


def _each(blocks, work):
    """Forks once for each block and waits for all."""
    children = []
    for k in range(blocks):
        child = os.fork()
        if child == 0:
            work(k)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def prefix_sum(x):
    n = len(x)
    blocks = -(-n // BLOCK)
    shared = np.frombuffer(mmap.mmap(-1, 4 * (n + 2 * blocks)), np.int32)
    y, flips, totals = shared[:n], shared[n : n + blocks], shared[n + blocks :]
    values = x.numpy()

    def count(k):
        flips[k] = np.count_nonzero(values[k * BLOCK : (k + 1) * BLOCK] > 0) & 1

    def scan(k):
        part = values[k * BLOCK : (k + 1) * BLOCK]
        positive = part > 0
        odd = np.logical_xor.accumulate(positive) ^ positive ^ bool(flips[:k].sum() & 1)
        y[k * BLOCK : (k + 1) * BLOCK] = np.cumsum(part * odd, dtype=np.int32)
        totals[k] = y[min((k + 1) * BLOCK, n) - 1]

    _each(blocks, count)
    _each(blocks, scan)
    offsets = np.cumsum(totals, dtype=np.int32) - totals
    return torch.from_numpy(y + np.repeat(offsets, BLOCK)[:n])
