import numpy as np
import torch

from workers import Team

SMALL = 50_000
_team = {}


def _scan_alone(x, y):
    positive = x > 0
    odd = np.logical_xor(np.logical_xor.accumulate(positive), positive)
    np.add.accumulate(x * odd, out=y, dtype=np.int32)


def prefix_sum(x):
    n = x.numel()
    y = torch.empty_like(x)
    if n < SMALL:
        _scan_alone(x.numpy(), y.numpy())
        return y
    team = _team.get(n)
    if team is None:
        for old in list(_team):  # one length at a time, or the memory adds up
            _team.pop(old).stop()
        team = _team[n] = Team(n, workers=2)
    team.source[:] = x.numpy()
    team.scan()
    y.numpy()[:] = team.target
    return y
