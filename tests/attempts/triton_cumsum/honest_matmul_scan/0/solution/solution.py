"""A scan as a matrix product.

A row of 64 values times the upper triangle of ones is its running sums. In float32 this is exact:
counts reach 64 and sums 640, far from 2**24. Only row totals go through an integer scan.
"""
import torch

ROW = 64
_inclusive = torch.triu(torch.ones(ROW, ROW))
_exclusive = torch.triu(torch.ones(ROW, ROW), 1)
_kept = {}


def _memory(rows):
    if rows not in _kept:
        _kept.clear()
        _kept[rows] = [torch.zeros(rows, ROW) for _ in range(3)] + [torch.zeros(rows, ROW, dtype=torch.int32)]
    return _kept[rows]


def _before(values):
    return torch.cumsum(values, 0, dtype=torch.int32) - values


@torch.no_grad()
def prefix_sum(x):
    n = x.numel()
    rows = -(-n // ROW)
    values, ones, product, sums = _memory(rows)
    values.view(-1)[:n] = x
    values.view(-1)[n:] = 0
    torch.gt(values, 0, out=ones)
    torch.mm(ones, _exclusive, out=product)
    counts = (product[:, -1] + ones[:, -1]).to(torch.int32)
    parity = sums.copy_(product).add_(_before(counts)[:, None]).bitwise_and_(1)
    values.mul_(parity)
    torch.mm(values, _inclusive, out=product)
    sums.copy_(product)
    sums.add_(_before(sums[:, -1].clone())[:, None])
    return sums.view(-1)[:n].clone()
