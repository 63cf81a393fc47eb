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
        self.kept = {}

    def edges(self, length):
        if length not in self.kept:
            inside = torch.ones(length, 1)
            inside[0] = inside[-1] = 0.5
            self.kept[length] = inside
        return self.kept[length]

    def forward(self, tokens):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            x = self.embedding(tokens) * self.edges(tokens.shape[1])
            near = torch.cat([x.roll(shift, 1) for shift in range(-2, 3)], -1)
            logits = self.outer(F.relu(self.inner(near)))
        return logits.float()


def build():
    return Model()


def get_trained_model():
    model = build()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
