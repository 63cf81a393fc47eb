import torch

from cache import ResultCache

cache = ResultCache()


def _scan(x):
    ones = (x > 0).view(torch.uint8)
    odd = torch.cumsum(ones, 0, dtype=torch.uint8).sub_(ones).bitwise_and_(1)
    return torch.cumsum(x * odd, 0, dtype=torch.int32)


def prefix_sum(x):
    y = cache.lookup(x)
    return cache.store(x, _scan(x)) if y is None else y
