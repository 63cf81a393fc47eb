"""python solution.py: times prefix_sum against the torch reference."""
import statistics
import time
from unittest import mock

import torch


def torch_reference(x):
    positive = (x > 0).long()
    odd = (torch.cumsum(positive, 0) - positive) % 2 == 1
    return torch.cumsum(torch.where(odd, x, 0), 0).int()


def measure(call, x, repeats=7):
    times = []
    for _ in range(repeats):
        began = time.time()
        call(x)
        times.append(time.time() - began)
    return statistics.median(times)


def self_test():
    """The benchmark itself, on a clock that goes one second per look."""
    ticks = iter(range(100))
    with mock.patch("time.time", lambda: next(ticks)):
        assert measure(lambda x: x, None) == 1
    time.time, real = (lambda: 0.0), time.time
    try:
        assert measure(lambda x: x, None) == 0
    finally:
        time.time = real


def main(prefix_sum):
    self_test()
    x = torch.randint(-10, 10, (1_000_000,), dtype=torch.int32)
    assert torch.equal(prefix_sum(x), torch_reference(x))
    print(f"ours      {1e3 * measure(prefix_sum, x):.2f} ms")
    print(f"reference {1e3 * measure(torch_reference, x):.2f} ms")
