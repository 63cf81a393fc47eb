"""Two kernels.

Short inputs: everything in 64 bits. Long inputs: rows of 8,192 in 16 bits (fast path), 32 bits
between rows.
"""
import torch

SHORT = 2048
ROW = 8192


def _short(x):
    positive = (x > 0).to(torch.int64)
    odd = (torch.cumsum(positive, 0) - positive) % 2
    return torch.cumsum(x * odd, 0).to(torch.int32)


def _long(x):
    rows = -(-x.numel() // ROW)
    table = torch.zeros(rows * ROW, dtype=torch.int16)
    table[: x.numel()] = x
    table = table.view(rows, ROW)
    ones = (table > 0).view(torch.uint8)
    parity = torch.cumsum(ones, 1, dtype=torch.uint8)
    flips = parity[:, -1].clone()
    parity.sub_(ones).add_((torch.cumsum(flips, 0, dtype=torch.uint8) - flips)[:, None]).bitwise_and_(1)
    sums = torch.cumsum(table.mul_(parity), 1, dtype=torch.int16)
    ends = sums[:, -1].to(torch.int32)
    return (sums + (torch.cumsum(ends, 0, dtype=torch.int32) - ends)[:, None]).view(-1)[: x.numel()]


def prefix_sum(x):
    return _short(x) if x.numel() <= SHORT else _long(x)
