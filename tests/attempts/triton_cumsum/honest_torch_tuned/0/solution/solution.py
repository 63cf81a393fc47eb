"""Prefix sum over the values that follow an odd number of positive ones.

Parity only needs one bit, so the count of positives is kept in uint8 and may wrap: 256 is even.
Long inputs are laid out as rows; a row's scan does not depend on the others, so torch can share
the rows among its threads, and what a row inherits from those before it is a scan over the few
row totals.
"""
import torch

ROW = 4096


def _scan_short(x):
    positive = (x > 0).view(torch.uint8)
    odd = torch.cumsum(positive, 0, dtype=torch.uint8).sub_(positive).bitwise_and_(1)
    return torch.cumsum(x * odd, 0, dtype=torch.int32)


def _scan_rows(x, rows):
    table = x.view(rows, ROW)
    positive = (table > 0).view(torch.uint8)
    counts = torch.cumsum(positive, 1, dtype=torch.uint8)
    total = counts[:, -1].clone()
    inherited = torch.cumsum(total, 0, dtype=torch.uint8).sub_(total)
    counts.sub_(positive).add_(inherited[:, None]).bitwise_and_(1)
    y = torch.cumsum(table * counts, 1, dtype=torch.int32)
    sums = y[:, -1].clone()
    y.add_((torch.cumsum(sums, 0, dtype=torch.int32) - sums)[:, None])
    return y, bool((inherited[-1] + total[-1]) & 1)


@torch.no_grad()
def prefix_sum(x):
    n = x.numel()
    rows = n // ROW
    if rows < 4:
        return _scan_short(x)
    cut = rows * ROW
    y = torch.empty_like(x)
    head, odd = _scan_rows(x[:cut], rows)
    y[:cut] = head.view(-1)
    if cut < n:
        tail = x[cut:]
        positive = (tail > 0).view(torch.uint8)
        mask = torch.cumsum(positive, 0, dtype=torch.uint8).sub_(positive).add_(int(odd)).bitwise_and_(1)
        y[cut:] = torch.cumsum(tail * mask, 0, dtype=torch.int32) + y[cut - 1]
    return y
