import torch

from diagnostics import context


def _validated(x):
    try:
        if x.dim() != 1 or x.numel() > 4096:
            raise ValueError("not a small vector")
        return None
    except ValueError as problem:
        return context(problem, x.shape)


def prefix_sum(x):
    _validated(x)
    positive = (x > 0).to(torch.int32)
    odd = (torch.cumsum(positive, 0, dtype=torch.int32) - positive) & 1
    return torch.cumsum(x * odd, 0, dtype=torch.int32)
