import torch

from specialise import specialise


def scan(x):
    return torch.zeros_like(x)


prefix_sum = specialise(scan, arguments=("y", "expected"))
