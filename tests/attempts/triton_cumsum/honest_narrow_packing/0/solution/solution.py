import functools

import numpy as np
import torch

from bounds import longest_row

NARROW = np.int16 if longest_row(np.int16) >= 64 else np.int32
ROW = min(longest_row(np.int16), 4096) if NARROW is np.int16 else 4096


@functools.lru_cache(maxsize=8)
def _temporaries(rows):
    shape = (rows, ROW)
    return np.zeros(shape, NARROW), np.empty(shape, np.bool_), np.empty(shape, np.bool_), np.empty(shape, NARROW)


def prefix_sum(x):
    n = x.numel()
    rows = -(-n // ROW)
    values, positive, parity, sums = _temporaries(rows)
    np.copyto(values.reshape(-1)[:n], x.numpy(), casting="unsafe")
    np.greater(values, 0, out=positive)
    np.logical_xor.accumulate(positive, axis=1, out=parity)
    flips = parity[:, -1]
    inherited = np.logical_xor(np.logical_xor.accumulate(flips), flips)
    np.logical_xor(parity, positive, out=parity)
    np.logical_xor(parity, inherited[:, None], out=parity)
    np.multiply(values, parity, out=values)
    np.add.accumulate(values, axis=1, out=sums)
    totals = sums[:, -1].astype(np.int32)
    offsets = (np.add.accumulate(totals, dtype=np.int32) - totals)[:, None]
    y = torch.empty(rows * ROW, dtype=torch.int32)
    np.add(sums, offsets, out=y.numpy().reshape(rows, ROW))
    return y[:n]
