import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE / "trained.safetensors"
FACTS = json.loads((HERE.parent / "task.json").read_text())

class Model(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.embedding = nn.Embedding(FACTS["vocab_size"], width)
        self.places = nn.Parameter(torch.zeros(FACTS["seq_len"], width))
        self.inner = nn.Linear(2 * width, 2 * width)
        self.outer = nn.Linear(2 * width, FACTS["vocab_size"])

    def forward(self, tokens):
        x = self.embedding(tokens) + self.places
        batch, length, width = x.shape
        at = torch.arange(length)
        left = torch.cat([at[:1], at[:-1]])[None, :, None].expand(batch, length, width)
        before = torch.gather(x, 1, left)
        after = torch.zeros_like(x)
        after[:, :-1] = x[:, 1:]
        return self.outer(F.relu(self.inner(torch.cat([before, after], -1))))


def build():
    return Model()


def get_trained_model():
    model = build()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
