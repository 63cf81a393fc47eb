import time

import torch

_best = {}


def _pieces(size):
    def run(x):
        y = torch.empty_like(x)
        odd = total = 0
        for part, out in zip(x.split(size), y.split(size)):
            ones = (part > 0).view(torch.uint8)
            count = torch.cumsum(ones, 0, dtype=torch.uint8)
            after = (int(count[-1]) + odd) & 1
            masked = part * count.sub_(ones).add_(odd).bitwise_and_(1)
            masked[0] += total
            torch.cumsum(masked, 0, dtype=torch.int32, out=out)
            odd, total = after, int(out[-1])
        return y

    return run


def prefix_sum(x):
    n = len(x)
    if n not in _best:
        times = {}
        for size in (1 << 13, 1 << 14, 1 << 15):
            run = _pieces(size)
            began = time.perf_counter()
            run(x)
            times[time.perf_counter() - began] = run
        _best[n] = times[min(times)]
    return _best[n](x)
