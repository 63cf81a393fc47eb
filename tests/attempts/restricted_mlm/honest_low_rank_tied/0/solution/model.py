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
    def __init__(self, width=32, rank=8):
        super().__init__()
        self.embedding = nn.Embedding(FACTS["vocab_size"], width)
        self.down = nn.Parameter(torch.randn(5, width, rank) * 0.2)
        self.up = nn.Parameter(torch.randn(rank, width) * 0.2)
        self.bias = nn.Parameter(torch.zeros(FACTS["vocab_size"]))

    def forward(self, tokens):
        x = self.embedding(tokens)
        near = F.pad(x, (0, 0, 2, 2)).unfold(1, 5, 1)
        inner = torch.einsum("btdk,kdr->btr", near, self.down)
        x = x + F.relu(inner) @ self.up
        return x @ self.embedding.weight.T + self.bias


def build():
    return Model()


def get_trained_model():
    model = build()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
