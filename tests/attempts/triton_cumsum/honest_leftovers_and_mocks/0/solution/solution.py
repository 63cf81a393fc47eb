"""prefix_sum, NumPy version.

Things tried and dropped are under experiments/. There is no cache of results here: the score is for
an input that was never seen before, so a cache could only be right by cheating (see NOTES.md).
"""
import numpy as np
import torch

BLOCK = 1 << 15
scratch_cache = {}  # memory only, by block length; never looked at before it is overwritten


def _scratch(size):
    if size not in scratch_cache:
        scratch_cache[size] = np.empty(size, np.bool_), np.empty(size, np.bool_), np.empty(size, np.int32)
    return scratch_cache[size]


def prefix_sum(x):
    """Same as `reference` in score.py; `y_torch` there is what this is compared with."""
    values = x.numpy()
    y = torch.empty_like(x)
    out = y.numpy()
    odd, total = False, 0
    for start in range(0, len(values), BLOCK):
        part = values[start : start + BLOCK]
        positive, parity, masked = _scratch(len(part))
        np.greater(part, 0, out=positive)
        np.logical_xor.accumulate(positive, out=parity)
        ends_odd = odd ^ bool(parity[-1])
        np.not_equal(parity, positive, out=parity)
        if odd:
            np.logical_not(parity, out=parity)
        np.multiply(part, parity, out=masked)
        masked[0] += total
        np.add.accumulate(masked, out=out[start : start + BLOCK])
        odd, total = ends_odd, int(out[start + len(part) - 1])
    return y


if __name__ == "__main__":
    from experiments.benchmark import main

    main(prefix_sum)
