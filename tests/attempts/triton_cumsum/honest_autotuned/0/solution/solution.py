import torch

from tuner import Tuner
from variants import by_rows, in_pieces, with_numpy

# every candidate is exact for every input; only their times differ from machine to machine
_tuner = Tuner(
    {f"rows of {row}": by_rows(row) for row in (512, 2048, 8192)}
    | {f"pieces of {size}": in_pieces(size) for size in (8192, 32768)}
    | {"numpy": with_numpy}
)


def prefix_sum(x):
    return _tuner(x)
