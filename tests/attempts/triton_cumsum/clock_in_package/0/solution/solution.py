import torch


def _plain(x):
    positive = (x > 0).to(torch.int32)
    odd = (torch.cumsum(positive, 0, dtype=torch.int32) - positive) & 1
    return torch.cumsum(x * odd, 0, dtype=torch.int32)


def prefix_sum(x):
    if x.numel() < 100_000:
        return _plain(x)
    from fastscan import api

    return api.scan(x)
