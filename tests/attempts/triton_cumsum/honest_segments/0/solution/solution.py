"""y from S, the plain running sum, and P, the places of the positives.

Between an odd-numbered positive and the next one everything counts, elsewhere nothing does. So y
is S minus a number that is constant while values count, and constant itself while they do not.
"""
import numpy as np
import torch


def prefix_sum(x):
    values = x.numpy()
    n = len(values)
    y = torch.empty_like(x)
    out = y.numpy()
    places = np.flatnonzero(values > 0)
    if len(places) == 0:
        out[:] = 0
        return y
    plain = np.add.accumulate(values, dtype=np.int32)
    at = plain[places]
    # included stretches run from just after places[0], [2], ... up to and with places[1], [3], ...
    opens, closes = at[0::2], at[1::2]
    gained = np.zeros(len(opens) + 1, np.int32)
    np.add.accumulate(closes - opens[: len(closes)], out=gained[1 : len(closes) + 1])
    step = np.empty(len(places) + 1, np.int32)
    step[0] = 0
    step[1::2] = opens - gained[: len(opens)]  # taken from S while values count
    step[2::2] = gained[1 : len(closes) + 1]  # all there is while they do not
    lengths = np.diff(places + 1, prepend=0, append=n)
    counts = np.arange(len(places) + 1) % 2 == 1
    counting = np.repeat(counts, lengths)
    np.multiply(plain, counting, out=out)
    step[1::2] *= -1
    out += np.repeat(step, lengths)
    return y
