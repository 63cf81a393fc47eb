import torch

BLOCK = 32768


def prefix_sum(x):
    y = torch.empty_like(x)
    odd = total = 0
    for part, out in zip(x.split(BLOCK), y.split(BLOCK)):
        ones = (part > 0).to(torch.uint8)
        count = torch.cumsum(ones, 0, dtype=torch.uint8)
        after = (int(count[-1]) + odd) & 1
        masked = part * (count - ones + odd).bitwise_and_(1)
        masked[0] += total
        torch.cumsum(masked, 0, dtype=torch.int32, out=out)
        odd, total = after, int(out[-1])
    return y
