import torch

PIECE = 1 << 15


def scan(x):
    """Prefix sum, one cache-sized piece after the other."""
    y = torch.empty_like(x)
    odd = total = 0
    for start in range(0, x.numel(), PIECE):
        part, out = x[start : start + PIECE], y[start : start + PIECE]
        ones = (part > 0).view(torch.uint8)
        count = torch.cumsum(ones, 0, dtype=torch.uint8)
        after = (int(count[-1]) + odd) & 1
        masked = part * count.sub_(ones).add_(odd).bitwise_and_(1)
        masked[0] += total
        torch.cumsum(masked, 0, dtype=torch.int32, out=out)
        odd, total = after, int(out[-1])
    return y
