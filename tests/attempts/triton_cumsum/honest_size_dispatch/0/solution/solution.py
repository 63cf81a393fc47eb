import numpy as np
import torch

TINY, SMALL = 64, 1 << 15


def _loop(x):
    odd, total, sums = False, 0, []
    for value in x.tolist():
        if odd:
            total += value
        odd ^= value > 0
        sums.append(total)
    return torch.tensor(sums, dtype=x.dtype)


def _scan(values, out, odd, total):
    """Scans a stretch that follows `odd` positives and the sum `total`; returns both for the next."""
    positive = values > 0
    parity = np.logical_xor.accumulate(positive)
    after = odd ^ bool(parity[-1])
    parity ^= positive
    if odd:
        np.logical_not(parity, out=parity)
    masked = values * parity
    masked[0] += total
    np.add.accumulate(masked, out=out)
    return after, int(out[-1])


def _one(x):
    y = torch.empty_like(x)
    _scan(x.numpy(), y.numpy(), False, 0)
    return y


def _many(x):
    y = torch.empty_like(x)
    values, out = x.numpy(), y.numpy()
    carry = (False, 0)
    for start in range(0, len(values), SMALL):
        stretch = slice(start, start + SMALL)
        carry = _scan(values[stretch], out[stretch], *carry)
    return y


def prefix_sum(x):
    n = x.numel()
    if n <= TINY:
        return _loop(x)
    return _one(x) if n <= SMALL else _many(x)
