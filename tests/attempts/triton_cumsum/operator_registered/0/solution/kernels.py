"""The honest sum in a few torch operators."""
import torch


def scan(x, out=None):
    positive = x > 0
    parity = torch.cumsum(positive, 0, dtype=torch.uint8)
    parity.sub_(positive.view(torch.uint8)).bitwise_and_(1)
    return torch.cumsum(parity * x, 0, dtype=torch.int32, out=out)
