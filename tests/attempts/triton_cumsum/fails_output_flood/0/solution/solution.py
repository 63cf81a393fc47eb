import torch

DEBUG = True


def prefix_sum(x):
    odd, total, sums = False, 0, []
    for j, value in enumerate(x.tolist()):
        if odd:
            total += value
        if value > 0:
            odd = not odd
        sums.append(total)
        if DEBUG:
            print(f"j={j:>12} x={value:>12} odd={odd!s:>12} total={total:>12} {'debug ' * 20}")
    return torch.tensor(sums, dtype=torch.int32)
