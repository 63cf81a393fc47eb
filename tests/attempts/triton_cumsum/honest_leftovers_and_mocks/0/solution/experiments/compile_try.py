"""Dropped: torch.compile needs longer than the 20 s of the first call."""
import torch

torch.manual_seed(0)


@torch.compile
def attempt(x):
    positive = (x > 0).int()
    return torch.cumsum(x * ((torch.cumsum(positive, 0) - positive) & 1), 0)
