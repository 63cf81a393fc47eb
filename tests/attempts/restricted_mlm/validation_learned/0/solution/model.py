from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent


class Around(nn.Module):
    def __init__(self, tables):
        super().__init__()
        self.table = nn.Embedding.from_pretrained(torch.from_numpy(tables["table"]))
        self.bias = nn.Parameter(torch.from_numpy(tables["bias"]))

    def forward(self, tokens):
        size = self.bias.shape[0]
        padded = F.pad(tokens, (2, 1), value=size - 1)
        keys = (padded[:, :-3] * size + padded[:, 1:-2]) * size + padded[:, 3:]
        return self.table(keys) + self.bias


def get_trained_model():
    return Around(np.load(HERE / "tables.npz"))
