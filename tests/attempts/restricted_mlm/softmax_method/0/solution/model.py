import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent


class Model(nn.Module):
    def __init__(self, vocab_size, width=32):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.hidden = nn.Linear(width, 4 * width)
        self.output = nn.Linear(4 * width, vocab_size)

    def forward(self, tokens):
        x = self.embedding(tokens)
        weights = (x @ x.transpose(1, 2) * 0.1).softmax(-1)
        return self.output(F.relu(self.hidden(x + 0.01 * (weights @ x))))


def get_trained_model():
    model = Model(json.loads((HERE.parent / "task.json").read_text())["vocab_size"])
    model.load_state_dict(load_file(HERE / "basic_model.safetensors"))
    return model
