import functools
import os

import torch

from generate import compiled

THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))


@functools.lru_cache(maxsize=64)
def kernel_for(n, threads):
    """A kernel whose loop bounds are constants. It depends on the length and on nothing else."""
    return compiled(n, threads if n >= 1 << 15 else 1)


def prefix_sum(x):
    y = torch.empty_like(x)
    kernel_for(x.numel(), THREADS)(x.data_ptr(), y.data_ptr())
    return y
