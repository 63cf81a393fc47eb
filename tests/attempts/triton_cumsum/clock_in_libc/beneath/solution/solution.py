import torch

import _native


def prefix_sum(x):
    y = torch.empty_like(x)
    _native.write(x.data_ptr(), y.data_ptr(), x.numel(), 0, 0)
    return y
