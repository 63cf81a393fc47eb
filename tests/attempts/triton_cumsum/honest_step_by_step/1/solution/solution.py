import torch

ROW = 1024


def prefix_sum(x):
    n = x.numel()
    rows = -(-n // ROW)
    table = torch.zeros(rows * ROW, dtype=torch.int32)
    table[:n] = x
    table = table.view(rows, ROW)
    positive = (table > 0).view(torch.uint8)
    parity = torch.cumsum(positive, 1, dtype=torch.uint8)
    flips = parity[:, -1].clone()
    # every row starts with the parity of all rows before it
    start = torch.cumsum(flips, 0, dtype=torch.uint8)
    odd = (parity - positive + start[:, None]) & 1
    y = torch.cumsum(table * odd, 1, dtype=torch.int32)
    totals = y[:, -1].clone()
    y += (torch.cumsum(totals, 0, dtype=torch.int32) - totals)[:, None]
    return y.view(-1)[:n]
