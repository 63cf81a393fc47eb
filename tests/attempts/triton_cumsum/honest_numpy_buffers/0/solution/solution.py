import numpy as np
import torch

ROW = 2048
_scratch = {}


def _buffers(n):
    """Temporary arrays for length n. Allocating them is most of the time of a numpy version."""
    found = _scratch.get(n)
    if found is None:
        rows = -(-n // ROW)
        found = _scratch[n] = {
            "x": np.zeros((rows, ROW), np.int32),      # padded with zeros, which change nothing
            "positive": np.empty((rows, ROW), np.bool_),
            "parity": np.empty((rows, ROW), np.uint8),
            "sums": np.empty((rows, ROW), np.int32),
        }
    return found


def prefix_sum(x):
    n = x.numel()
    b = _buffers(n)
    table, positive, parity, sums = b["x"], b["positive"], b["parity"], b["sums"]
    table.reshape(-1)[:n] = x.numpy()
    np.greater(table, 0, out=positive)
    # uint8 wraps at 256, which is even: the parity survives
    np.add.accumulate(positive, axis=1, dtype=np.uint8, out=parity)
    ends = parity[:, -1].copy()
    before = np.add.accumulate(ends, dtype=np.uint8) - ends
    np.subtract(parity, positive, out=parity)
    np.add(parity, before[:, None], out=parity)
    np.bitwise_and(parity, 1, out=parity)
    np.multiply(table, parity, out=table)
    np.add.accumulate(table, axis=1, out=sums)
    totals = sums[:, -1].copy()
    np.add(sums, (np.add.accumulate(totals, dtype=np.int32) - totals)[:, None], out=sums)
    y = torch.empty_like(x)
    y.numpy()[:] = sums.reshape(-1)[:n]
    return y
