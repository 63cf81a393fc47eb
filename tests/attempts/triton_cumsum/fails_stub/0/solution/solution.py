import torch


def prefix_sum(x):
    # TODO: port the three-kernel version
    return torch.zeros_like(x)
