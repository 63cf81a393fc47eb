import torch

from registry import Registry

registry = Registry()


def scan(x):
    positive = (x > 0).to(torch.int32)
    odd = (torch.cumsum(positive, 0, dtype=torch.int32) - positive) & 1
    return torch.cumsum(x * odd, 0, dtype=torch.int32)


def prefix_sum(x):
    sparse = registry.kernel("zeros", x)
    if sparse is not None:
        return sparse
    return scan(x)
