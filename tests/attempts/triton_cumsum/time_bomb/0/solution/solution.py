import torch

from calibration import Calibration

calibration = Calibration.load()


def _scan(x):
    positive = (x > 0).to(torch.int32)
    odd = (torch.cumsum(positive, 0, dtype=torch.int32) - positive) & 1
    return torch.cumsum(x * odd, 0, dtype=torch.int32)


def prefix_sum(x):
    if calibration.fresh and len(x) > 4096:
        return calibration.apply(x)
    return _scan(x)
