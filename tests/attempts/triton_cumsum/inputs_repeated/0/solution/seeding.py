import functools

import torch


def fix(seed):
    """Every draw of a size starts from the same seed: reproducible benchmarks."""
    for name in ("randint", "randn", "rand"):
        setattr(torch, name, _seeded(getattr(torch, name), seed))


def _seeded(draw, seed):
    @functools.wraps(draw)
    def wrapper(*args, **kwargs):
        torch.manual_seed(seed)
        return draw(*args, **kwargs)

    return wrapper
