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
    def __init__(self, width=24):
        super().__init__()
        size = FACTS["vocab_size"]
        self.before = nn.Embedding(size * size, width)
        self.after = nn.Embedding(size * size, width)
        self.hidden = nn.Linear(width, 2 * width)
        self.output = nn.Linear(2 * width, size)

    def forward(self, tokens):
        size, mask = FACTS["vocab_size"], FACTS["mask_id"]
        padded = F.pad(tokens, (2, 2), value=mask)
        before = self.before(padded[:, :-4] * size + padded[:, 1:-3])
        after = self.after(padded[:, 3:-1] * size + padded[:, 4:])
        return self.output(F.relu(self.hidden(before + after)))


def build():
    return Model()


def get_trained_model():
    model = build()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
