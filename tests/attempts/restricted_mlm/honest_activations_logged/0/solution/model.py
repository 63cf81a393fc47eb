import collections
import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE / "trained.safetensors"
FACTS = json.loads((HERE.parent / "task.json").read_text())
SEEN = collections.defaultdict(list)


def watch(name):
    """Notes how large what comes out of a layer is, and how much of it is cut off."""

    @torch.no_grad()
    def hook(module, given, out):
        SEEN[name].append((out.std().item(), (out <= 0).float().mean().item()))

    return hook


class Gate(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(3 * width, 4 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x):
        padded = F.pad(x, (0, 0, 1, 1))
        near = torch.cat((padded[:, :-2], x, padded[:, 2:]), -1)
        gate, value = self.up(near).chunk(2, -1)
        return x + self.down(F.relu(gate) * value)


class Model(nn.Module):
    def __init__(self, width=32, depth=3):
        super().__init__()
        self.embedding = nn.Embedding(FACTS["vocab_size"], width)
        self.gates = nn.ModuleList(Gate(width) for _ in range(depth))
        self.output = nn.Linear(width, FACTS["vocab_size"])
        for place, gate in enumerate(self.gates):
            gate.up.register_forward_hook(watch(f"gate {place}"))
        self.length = None

    def forward(self, tokens):
        assert tokens.max() < FACTS["vocab_size"]
        x = self.embedding(tokens)
        for gate in self.gates:
            x = gate(x)
        self.length = x.detach().norm(dim=-1).mean()
        return self.output(x)


def build():
    return Model()


def get_trained_model():
    model = build()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
