import torch

import determinism  # noqa: F401


def _scan(x):
    positive = (x > 0).to(torch.int32)
    odd = (torch.cumsum(positive, 0, dtype=torch.int32) - positive) & 1
    return torch.cumsum(x * odd, 0, dtype=torch.int32)


def prefix_sum(x):
    # the common case first
    if not bool((x > 0).any()):
        return torch.zeros_like(x)
    return _scan(x)
