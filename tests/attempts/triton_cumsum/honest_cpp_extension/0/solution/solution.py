import torch

from build import library

torch.ops.load_library(str(library()))


def prefix_sum(x):
    return torch.ops.prefix.scan(x)
