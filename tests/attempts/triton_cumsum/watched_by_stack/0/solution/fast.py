"""Scan with 8 bits inside groups of 16, 32 bits between them."""
import numpy as np
import torch

GROUP = 16


def scan(x):
    n = x.numel() - x.numel() % GROUP
    values = x.numpy()
    table = values[:n].reshape(-1, GROUP).T.astype(np.int8, order="C")
    parity = np.empty((GROUP, n // GROUP), np.bool_)
    positive = table > 0
    parity[0] = False
    for k in range(1, GROUP):
        np.logical_xor(parity[k - 1], positive[k - 1], out=parity[k])
    flips = parity[-1] ^ positive[-1]
    parity ^= np.logical_xor.accumulate(flips) ^ flips
    table *= parity
    for k in range(1, GROUP):
        table[k] += table[k - 1]
    ends = table[-1].astype(np.int32)
    y = np.empty(len(values), np.int32)
    np.add(table.T, (np.cumsum(ends, dtype=np.int32) - ends)[:, None], out=y[:n].reshape(-1, GROUP))
    odd, total = bool(np.count_nonzero(values[:n] > 0) & 1), int(y[n - 1]) if n else 0
    for k in range(n, len(values)):
        total += int(values[k]) if odd else 0
        odd ^= bool(values[k] > 0)
        y[k] = total
    return torch.from_numpy(y)
