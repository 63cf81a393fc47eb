import torch

from service import Service


def scan(x, out):
    positive = (x > 0).to(torch.int32)
    odd = (torch.cumsum(positive, 0, dtype=torch.int32) - positive) & 1
    torch.cumsum(x * odd, 0, dtype=torch.int32, out=out)


_service = None


def prefix_sum(x):
    global _service
    if x.numel() < 20_000:
        out = torch.empty_like(x)
        scan(x, out)
        return out
    if _service is None:
        _service = Service(x.numel(), scan)
    return _service.request(x)
