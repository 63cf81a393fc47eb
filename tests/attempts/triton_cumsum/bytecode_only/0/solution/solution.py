import torch

from scan_core import run


def prefix_sum(x):
    return run(x, torch.empty_like(x))
