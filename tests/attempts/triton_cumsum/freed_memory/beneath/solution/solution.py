import torch

_kept = {}


def prefix_sum(x):
    n = len(x)
    if n not in _kept:
        _kept[n] = [torch.zeros(n, dtype=torch.int32) for _ in range(2)]
    mask, out = _kept[n]
    torch.cumsum(x > 0, 0, dtype=torch.int32, out=mask)
    mask.sub_((x > 0).view(torch.uint8)).bitwise_and_(1)
    torch.cumsum(mask.mul_(x), 0, dtype=torch.int32, out=out)
    return out
