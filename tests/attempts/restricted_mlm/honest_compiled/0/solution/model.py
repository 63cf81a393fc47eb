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
        self.inner = nn.Linear(5 * width, 2 * width)
        self.outer = nn.Linear(2 * width, FACTS["vocab_size"])

    def forward(self, tokens):
        x = F.pad(self.embedding(tokens), (0, 0, 2, 2))
        near = torch.cat([x[:, shift : shift + tokens.shape[1]] for shift in range(5)], -1)
        return self.outer(F.relu(self.inner(near)))


def build():
    return Model()


def get_trained_model():
    model = build()
    model.load_state_dict(load_file(WEIGHTS))
    return torch.compile(model.eval())
