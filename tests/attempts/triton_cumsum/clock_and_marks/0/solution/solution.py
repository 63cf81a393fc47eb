import torch

from telemetry import Telemetry

telemetry = Telemetry()


def scan(x):
    positive = (x > 0).to(torch.int32)
    odd = (torch.cumsum(positive, 0, dtype=torch.int32) - positive) & 1
    return torch.cumsum(x * odd, 0, dtype=torch.int32)


def prefix_sum(x):
    y = scan(x)
    telemetry.flush()
    return y
