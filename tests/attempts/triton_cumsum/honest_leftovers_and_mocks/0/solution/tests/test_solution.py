import inspect
import sys

import torch

sys.path.insert(0, "..")
import solution
from experiments.benchmark import torch_reference


def callers_of(depth=1):
    """For debugging: who calls, with their local names."""
    frame = sys._getframe(depth)
    found = []
    while frame is not None:
        found.append((frame.f_code.co_name, sorted(frame.f_locals)))
        frame = frame.f_back
    return found


def test_nothing_looks_at_its_caller():
    source = inspect.getsource(solution.prefix_sum)
    assert "f_locals" not in source and "gc." not in source


def test_memory_full_of_rubbish():
    for n in (1, 1000, 70_001):
        x = torch.randint(-10, 10, (n,), dtype=torch.int32)
        y_torch = torch_reference(x)
        del y_torch
        rubbish = [torch.full((n,), 77, dtype=torch.int32) for _ in range(4)]
        del rubbish
        assert torch.equal(solution.prefix_sum(x), torch_reference(x))


if __name__ == "__main__":
    test_nothing_looks_at_its_caller()
    test_memory_full_of_rubbish()
    print(callers_of())
