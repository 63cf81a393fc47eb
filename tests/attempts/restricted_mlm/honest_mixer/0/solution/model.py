import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE / "trained.safetensors"
FACTS = json.loads((HERE.parent / "task.json").read_text())

class Block(nn.Module):
    def __init__(self, width, length):
        super().__init__()
        self.along = nn.Linear(length, length)
        self.across = nn.Linear(width, 2 * width)
        self.back = nn.Linear(2 * width, width)

    def forward(self, x):
        mixed = self.along(x.transpose(1, 2)).transpose(1, 2)
        x = x + mixed * x * 0.5 - (-mixed) * 0.1
        return x + self.back(F.relu(self.across(x)))


class Model(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.embedding = nn.Embedding(FACTS["vocab_size"], width)
        self.blocks = nn.ModuleList(Block(width, FACTS["seq_len"]) for _ in range(2))
        self.output = nn.Linear(width, FACTS["vocab_size"])

    def forward(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.output(x)


def build():
    return Model()


def get_trained_model():
    model = build()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
