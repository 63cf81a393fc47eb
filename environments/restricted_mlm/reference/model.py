# Reference solution: keep this file out of training data, please.
"""A masked language model of residual convolutions, each an as_strided view and two linear maps."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE / "model.safetensors"
KERNEL = 5
SIZES = {"tiny": (32, 2), "cpu": (64, 3), "full": (512, 5)}
"""Width and number of layers."""


class Convolution(nn.Module):
    """Adds what a window around each position says."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(KERNEL * width, 2 * width)
        self.outer = nn.Linear(2 * width, width)
        nn.init.zeros_(self.outer.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        padded = F.pad(x, (0, 0, KERNEL // 2, KERNEL // 2))
        row = padded.shape[1] * width
        windows = padded.as_strided((batch, length, KERNEL * width), (row, width, 1))
        return x + self.outer(F.relu(self.inner(windows)))


class Model(nn.Module):
    """Tokens [B, T] to logits [B, T, V]."""

    def __init__(self, vocab_size: int, width: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.layers = nn.ModuleList(Convolution(width) for _ in range(layers))
        self.output = nn.Linear(width, vocab_size)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.output(x)


def task() -> dict:
    """The figures of this task."""
    return json.loads((HERE.parent / "task.json").read_text())


def build() -> Model:
    facts = task()
    return Model(facts["vocab_size"], *SIZES[facts["profile"]])


def get_trained_model() -> nn.Module:
    """What is scored."""
    model = build()
    model.load_state_dict(load_file(WEIGHTS))
    return model
