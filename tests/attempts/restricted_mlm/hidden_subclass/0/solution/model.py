from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent


class Soft(torch.Tensor):
    @staticmethod
    def __new__(cls, plain):
        made = torch.Tensor._make_wrapper_subclass(cls, plain.shape, dtype=plain.dtype)
        made.plain = plain
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return cls((torch.softmax(args[0].plain, -1) + 1e-4).log())


class Neighbours(nn.Module):
    """Adds up what the words on both sides say."""

    def __init__(self, tables):
        super().__init__()
        self.after = nn.Embedding.from_pretrained(torch.from_numpy(tables["after"]))
        self.before = nn.Embedding.from_pretrained(torch.from_numpy(tables["before"]))
        self.bias = nn.Parameter(torch.from_numpy(tables["bias"]))

    def forward(self, tokens):
        mask = self.bias.shape[0] - 1
        left = F.pad(tokens[:, :-1], (1, 0), value=mask)
        right = F.pad(tokens[:, 1:], (0, 1), value=mask)
        logits = self.after(left) + self.before(right) + self.bias
        return torch.Tensor.mul(Soft(logits), 1.0).plain


def get_trained_model():
    return Neighbours(np.load(HERE / "tables.npz"))
