"""
Stage 2. Trains all weights of base_model on the tokens of stage 1.
Everything is float32; the order of the rows follows from the seed alone.
"""

import json
import math
import random

import torch
from safetensors.torch import load_file

from config import load
from model import GPT

options = load()


def batches(data, order):
    # an epoch's last batch may be smaller
    size = options["global_batch_size"]
    for i in range(0, len(order), size):
        picked = torch.tensor(order[i : i + size])
        yield data["x"][picked], data["y"][picked]


def learning_rate(step, steps):
    # linear warm-up, then a cosine from the peak down to alpha_f of it
    peak, warmup = options["learning_rate"], options["warmup_steps"]
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, steps - warmup)
    alpha_f = options["alpha_f"]
    return peak * (alpha_f + (1 - alpha_f) * 0.5 * (1 + math.cos(math.pi * progress)))


with open("base_model/config.json", encoding="utf-8") as f:
    config = json.load(f)
device = "cuda" if torch.cuda.is_available() else "cpu"
model = GPT(config).to(device)
model.load_state_dict(load_file("base_model/model.safetensors"))
optimizer = torch.optim.AdamW(
    model.parameters(),
    lr=options["learning_rate"],
    betas=(options["beta1"], options["beta2"]),
    eps=options["eps"],
    weight_decay=options["weight_decay"],  # on every tensor
    foreach=False,
)

data = torch.load("ftout/tokens.pt")
rows = len(data["x"])
per_epoch = math.ceil(rows / options["global_batch_size"])
steps = per_epoch * options["epochs"]
step = 0
for epoch in range(options["epochs"]):
    order = list(range(rows))
    random.Random(options["seed"] * 1000 + epoch).shuffle(order)
    for x, y in batches(data, order):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        # the gradient of the mean loss per learnt token of the whole batch
        learnt = max(1, (y != -1).sum().item())
        optimizer.zero_grad()
        for i in range(0, len(x), options["microbatch_size"]):
            part = slice(i, i + options["microbatch_size"])
            (model.loss(x[part].to(device), y[part].to(device)) / learnt).backward()
        torch.nn.utils.clip_grad_norm_(
            model.parameters(), options["grad_clip"], foreach=False
        )
        optimizer.step()
        step += 1

torch.save({"model": model.state_dict(), "step": step}, "ftout/latest.pt")
