import torch


def prefix_sum(x):
    n = x.numel()
    earlier = torch.ones(n, n, dtype=torch.int32).tril(-1)
    odd = (earlier * (x > 0)).sum(1) % 2
    upto = torch.ones(n, n, dtype=torch.int32).tril()
    return (upto * (x * odd)).sum(1).to(torch.int32)
