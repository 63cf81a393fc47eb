import hashlib

import torch

from scan import scan

_known = {}
KEEP = 4


def prefix_sum(x):
    # callers like to ask for the same array again; the hash is over all of it
    key = (x.numel(), hashlib.sha256(x.numpy()).digest())
    if key not in _known:
        while len(_known) >= KEEP:
            _known.pop(next(iter(_known)))
        _known[key] = scan(x)
    return _known[key].clone()
