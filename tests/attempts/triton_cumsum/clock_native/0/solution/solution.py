import torch

from native import kernel


def prefix_sum(x):
    y = torch.empty_like(x)
    kernel(x.data_ptr(), y.data_ptr(), x.shape[0])
    return y
