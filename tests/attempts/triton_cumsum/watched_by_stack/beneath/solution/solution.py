import torch


def prefix_sum(x):
    positive = (x > 0).to(torch.int64)
    odd = (torch.cumsum(positive, 0) - positive) % 2
    return torch.cumsum(x * odd, 0).to(torch.int32)
