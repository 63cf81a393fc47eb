from array import array

import torch


def prefix_sum(x):
    sums = array("i")
    append, total, odd = sums.append, 0, False
    for value in x.tolist():
        if odd:
            total += value
        if value > 0:
            odd = not odd
        append(total)
    return torch.frombuffer(sums, dtype=torch.int32)
