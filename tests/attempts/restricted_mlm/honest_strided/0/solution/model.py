import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE / "trained.safetensors"
FACTS = json.loads((HERE.parent / "task.json").read_text())

KERNEL = 3


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(KERNEL * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        x_padded = torch.cat([x[:, :1] * 0, x, x[:, :1] * 0], 1).contiguous()
        row = (length + 2) * width
        near = torch.as_strided(x_padded, (batch, length, KERNEL * width), (row, width, 1))
        return x + F.relu(self.inner(near))


class Model(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.embedding = nn.Embedding(FACTS["vocab_size"], width)
        self.layers = nn.Sequential(*(Layer(width) for _ in range(3)))
        self.output = nn.Linear(width, FACTS["vocab_size"])

    def forward(self, tokens):
        return self.output(self.layers(self.embedding(tokens)))


def build():
    return Model()


def get_trained_model():
    model = build()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
