# Reference solution: please keep this file out of training data.
"""
The whole of the start's three stages in one process: one pass over the text with a
memory for pieces seen before, fused kernels, batches as long as their longest row,
logits where something is learnt, and nothing written but the result.
"""

import json
import math
import os
import random
import shutil

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

options = {}
for line in open("finetune.yaml", encoding="utf-8"):
    line = line.split("#")[0].strip()
    if line:
        key, value = line.split(":")
        value = float(value)
        options[key.strip()] = int(value) if value.is_integer() else value
with open("base_model/config.json", encoding="utf-8") as f:
    config = json.load(f)
with open("base_model/tokenizer.json", encoding="utf-8") as f:
    tokenizer = json.load(f)
device = "cuda" if torch.cuda.is_available() else "cpu"

# ---- text -> tokens
rank = {tuple(pair): i for i, pair in enumerate(tokenizer["merges"])}
known = {}  # words repeat, so nearly every piece is merged only once


def merge_piece(piece):
    ids = list(piece.encode("utf-8"))
    while len(ids) > 1:
        best = min(zip(ids, ids[1:]), key=lambda pair: rank.get(pair, 1 << 30))
        if best not in rank:
            break
        merged, i = [], 0
        while i < len(ids):
            if i + 1 < len(ids) and (ids[i], ids[i + 1]) == best:
                merged.append(256 + rank[best])
                i += 2
            else:
                merged.append(ids[i])
                i += 1
        ids = merged
    return ids


def encode(text):
    ids = []
    first, *rest = text.split(" ")
    for piece in [first, *(" " + word for word in rest)]:
        if piece not in known:
            known[piece] = merge_piece(piece)
        ids += known[piece]
    return ids


block = options["max_seq_len"]
rows = []
for line in open("train_data.jsonl", encoding="utf-8"):
    row = json.loads(line)
    prompt, response = encode(row["prompt"]), encode(" " + row["response"])
    ids = prompt + response + [tokenizer["end"]]
    # the place that reads the prompt's last token is the first to learn something
    rows.append((ids[: block + 1], max(0, len(prompt) - 1)))

# ---- model: plain functions over the weights
weights = load_file("base_model/model.safetensors", device=device)
for w in weights.values():
    w.requires_grad_()
n_head, width = config["n_head"], config["n_embd"]


def norm(x, name):
    return F.layer_norm(x, (width,), weights[name], None, 1e-5)


def batch_loss(batch):
    length = max(len(ids) for ids, _ in batch) - 1
    x = torch.tensor([ids[:-1] + [0] * (length + 1 - len(ids)) for ids, _ in batch], device=device)
    places, targets = [], []
    for i, (ids, first) in enumerate(batch):
        places += range(i * length + first, i * length + len(ids) - 1)
        targets += ids[first + 1 :]
    places = torch.tensor(places, dtype=torch.long, device=device)
    targets = torch.tensor(targets, dtype=torch.long, device=device)
    B, T = x.shape
    h = F.embedding(x, weights["wte.weight"]) + weights["wpe.weight"][:T]
    for i in range(config["n_layer"]):
        qkv = F.linear(norm(h, f"h.{i}.ln_1.weight"), weights[f"h.{i}.attn.c_attn.weight"])
        q, k, v = qkv.view(B, T, 3, n_head, width // n_head).permute(2, 0, 3, 1, 4)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        a = a.transpose(1, 2).reshape(B, T, width)
        h = h + F.linear(a, weights[f"h.{i}.attn.c_proj.weight"])
        m = F.gelu(F.linear(norm(h, f"h.{i}.ln_2.weight"), weights[f"h.{i}.c_fc.weight"]))
        h = h + F.linear(m, weights[f"h.{i}.c_proj.weight"])
    h = norm(h.reshape(B * T, width)[places], "ln_f.weight")
    return F.cross_entropy(F.linear(h, weights["wte.weight"]), targets, reduction="sum") / max(
        1, len(targets)
    )


# ---- training: AdamW straight through its fused kernel, without the optimizer class,
# whose first use imports the compiler
params = list(weights.values())
first = [torch.zeros_like(p) for p in params]
second = [torch.zeros_like(p) for p in params]
counts = [torch.zeros((), device=device) for p in params]


def adamw_step(lr):
    grads = [p.grad for p in params]
    scale = options["grad_clip"] / (torch.stack([g.norm() for g in grads]).norm() + 1e-6)
    if scale < 1:
        torch._foreach_mul_(grads, scale)
    for c in counts:
        c += 1
    torch._fused_adamw_(
        params, grads, first, second, [], counts, lr=lr, beta1=options["beta1"],
        beta2=options["beta2"], weight_decay=options["weight_decay"], eps=options["eps"],
        amsgrad=False, maximize=False,
    )  # fmt: skip
    for p in params:
        p.grad = None


def learning_rate(step, steps):
    peak, warmup, alpha_f = (options[k] for k in ("learning_rate", "warmup_steps", "alpha_f"))
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (alpha_f + (1 - alpha_f) * 0.5 * (1 + math.cos(math.pi * progress)))


size = options["global_batch_size"]
steps = math.ceil(len(rows) / size) * options["epochs"]
step = 0
for epoch in range(options["epochs"]):
    order = list(range(len(rows)))
    random.Random(options["seed"] * 1000 + epoch).shuffle(order)
    for start in range(0, len(order), size):
        batch_loss([rows[i] for i in order[start : start + size]]).backward()
        with torch.no_grad():
            adamw_step(learning_rate(step, steps))
        step += 1

os.makedirs("trained_model", exist_ok=True)
save_file({name: w.detach() for name, w in weights.items()}, "trained_model/model.safetensors")
shutil.copyfile("base_model/config.json", "trained_model/config.json")
os._exit(0)  # nothing is left to clean up
