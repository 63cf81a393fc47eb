"""
The running sum of those elements that have an odd number of positive ones before them.
"""

import torch


def prefix_sum(x):
    # how many positive elements there are up to each place, the place itself included
    positives = torch.cumsum((x > 0).to(torch.int64), dim=0)
    # an element does not count itself: all counts move on by one place
    before = torch.roll(positives, 1)
    before[0] = 0
    odd = before % 2 == 1
    included = torch.where(odd, x, torch.zeros_like(x))
    # int64 inside, so that no partial sum has to fit int32
    return torch.cumsum(included, dim=0).to(torch.int32)
