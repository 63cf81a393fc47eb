import numpy as np
import torch

from statistics_of import ordinary

ROW = 8192
_memory = {}


def _wide(values):
    positive = (values > 0).astype(np.int64)
    odd = (np.cumsum(positive) - positive) % 2
    return np.cumsum(values * odd).astype(np.int32)


def _narrow(values):
    rows = -(-len(values) // ROW)
    if rows not in _memory:
        shape = (rows, ROW)
        _memory[rows] = [np.zeros(shape, t) for t in (np.int16, np.bool_, np.bool_, np.int16, np.int32)]
    table, positive, parity, sums, out = _memory[rows]
    np.copyto(table.reshape(-1)[: len(values)], values, casting="unsafe")
    np.greater(table, 0, out=positive)
    np.logical_xor.accumulate(positive, axis=1, out=parity)
    flips = parity[:, -1].copy()
    parity ^= positive
    parity ^= (np.logical_xor.accumulate(flips) ^ flips)[:, None]
    np.multiply(table, parity, out=table)
    np.add.accumulate(table, axis=1, out=sums)
    ends = sums[:, -1].astype(np.int32)
    np.add(sums, (np.cumsum(ends, dtype=np.int32) - ends)[:, None], out=out)
    return out.reshape(-1)[: len(values)]


def prefix_sum(x):
    values = x.numpy()
    y = _narrow(values) if ordinary(values) else _wide(values)
    return torch.from_numpy(y)
