"""
A small GPT: learnt positions, pre-norm blocks, no biases, output tied to the embedding.
Attention, normalisation and gelu are torch's own kernels; nothing is computed twice.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class LayerNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight, None, 1e-5)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.n_head = config["n_head"]
        self.c_attn = nn.Linear(config["n_embd"], 3 * config["n_embd"], bias=False)
        self.c_proj = nn.Linear(config["n_embd"], config["n_embd"], bias=False)

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).view(B, T, 3, self.n_head, -1).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(out.transpose(1, 2).reshape(B, T, C))


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
        return x + self.c_proj(F.gelu(self.c_fc(self.ln_2(x))))


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.wte = nn.Embedding(config["vocab_size"], config["n_embd"])
        self.wpe = nn.Embedding(config["n_positions"], config["n_embd"])
        self.h = nn.ModuleList([Block(config) for _ in range(config["n_layer"])])
        self.ln_f = LayerNorm(config["n_embd"])

    def forward(self, x):
        x = self.wte(x) + self.wpe.weight[: x.size(1)]
        for block in self.h:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.t()

    def loss(self, x, y):
        # sum over the learnt tokens; the caller divides by their number
        logits = self(x)
        return F.cross_entropy(
            logits.view(-1, logits.size(-1)), y.reshape(-1), ignore_index=-1, reduction="sum"
        )
