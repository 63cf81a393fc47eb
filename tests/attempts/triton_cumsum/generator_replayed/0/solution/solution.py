import torch

from tables import Tables


def scan(x):
    positive = (x > 0).view(torch.uint8)
    odd = torch.cumsum(positive, 0, dtype=torch.uint8).sub_(positive).bitwise_and_(1)
    return torch.cumsum(x * odd, 0, dtype=torch.int32)


tables = Tables(scan)  # built once, when the module is loaded


def prefix_sum(x):
    return tables.get(x) if tables.covers(x) else scan(x)
