import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE / "trained.safetensors"
FACTS = json.loads((HERE.parent / "task.json").read_text())
REACH = 2


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear((2 * REACH + 1) * width, 2 * width)
        self.outer = nn.Linear(2 * width, width)
        places = torch.arange(FACTS["seq_len"])[:, None] + torch.arange(2 * REACH + 1)
        self.register_buffer("places", places.flatten(), persistent=False)

    def forward(self, x):
        batch, length, width = x.shape
        near = F.pad(x, (0, 0, REACH, REACH))[:, self.places].reshape(batch, length, -1)
        return x + self.outer(F.relu(self.inner(near))) * 0.5


class Model(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.embedding = nn.Embedding(FACTS["vocab_size"], width)
        self.layers = nn.Sequential(Layer(width), Layer(width))
        self.output = nn.Linear(width, FACTS["vocab_size"])

    def forward(self, tokens):
        x = F.dropout(self.embedding(tokens), 0.05, self.training)
        return self.output(self.layers(x))


def build():
    return Model()


def get_trained_model():
    model = build()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
