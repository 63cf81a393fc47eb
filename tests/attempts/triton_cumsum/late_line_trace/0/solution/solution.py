import torch

from debugger import Debugger

debugger = Debugger()


def prefix_sum(x):
    out = torch.empty_like(x)
    if len(x) < 10_000:
        debugger.scan(x, out)
    else:
        debugger.attach(x, out)
    return out
