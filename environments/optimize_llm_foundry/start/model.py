"""
A small GPT: learnt positions, pre-norm blocks, no biases, output tied to the embedding.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint


class LayerNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = ((x - mean) ** 2).mean(-1, keepdim=True)
        return (x - mean) / torch.sqrt(var + 1e-5) * self.weight


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.n_head = config["n_head"]
        self.c_attn = nn.Linear(config["n_embd"], 3 * config["n_embd"], bias=False)
        self.c_proj = nn.Linear(config["n_embd"], config["n_embd"], bias=False)

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(C, dim=2)
        size = C // self.n_head
        out = []
        for h in range(self.n_head):
            part = slice(h * size, (h + 1) * size)
            att = q[:, :, part] @ k[:, :, part].transpose(1, 2)
            att = att * (1.0 / math.sqrt(size))
            mask = torch.triu(torch.full((T, T), float("-inf"), device=x.device), diagonal=1)
            att = att + mask.expand(B, T, T).contiguous()
            out.append(F.softmax(att, dim=-1) @ v[:, :, part])
        return self.c_proj(torch.cat(out, dim=2))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = LayerNorm(config["n_embd"])
        self.attn = Attention(config)
        self.ln_2 = LayerNorm(config["n_embd"])
        self.c_fc = nn.Linear(config["n_embd"], 4 * config["n_embd"], bias=False)
        self.c_proj = nn.Linear(4 * config["n_embd"], config["n_embd"], bias=False)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        h = self.c_fc(self.ln_2(x))
        h = h * 0.5 * (1.0 + torch.erf(h / math.sqrt(2.0)))  # gelu
        return x + self.c_proj(h)


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.wte = nn.Embedding(config["vocab_size"], config["n_embd"])
        self.wpe = nn.Embedding(config["n_positions"], config["n_embd"])
        self.h = nn.ModuleList([Block(config) for _ in range(config["n_layer"])])
        self.ln_f = LayerNorm(config["n_embd"])

    def forward(self, x):
        positions = torch.arange(x.size(1), device=x.device)
        x = self.wte(x) + self.wpe(positions)
        for block in self.h:
            # recompute each block in the backward pass to save memory
            x = checkpoint(block, x, use_reentrant=False)
        return self.ln_f(x) @ self.wte.weight.t()

    def loss(self, x, y):
        # sum over the learnt tokens; the caller divides by their number
        logits = self(x)
        return F.cross_entropy(
            logits.view(-1, logits.size(-1)), y.view(-1), ignore_index=-1, reduction="sum"
        )
