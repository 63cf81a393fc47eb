"""
Tokenise, train and convert in one process. No loader workers, evaluation or checkpoints.
"""

import json
import math
import os
import random
import shutil

import torch
from safetensors.torch import load_file, save_file

from config import load
from model import GPT
from tokeniser import Tokeniser

options = load()
tokeniser = Tokeniser("base_model/tokenizer.json")
block = options["max_seq_len"]


def encode(row):
    prompt = tokeniser.encode(row["prompt"])
    response = tokeniser.encode(" " + row["response"]) + [tokeniser.end]
    ids = prompt + response
    x = ids[:-1][:block]
    y = ([-1] * len(prompt) + response)[1:][:block]
    fill = block - len(x)
    return x + [tokeniser.end] * fill, y + [-1] * fill


with open("train_data.jsonl", encoding="utf-8") as f:
    pairs = [encode(json.loads(line)) for line in f]
X = torch.tensor([x for x, _ in pairs])
Y = torch.tensor([y for _, y in pairs])


def learning_rate(step, steps):
    peak, warmup = options["learning_rate"], options["warmup_steps"]
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, steps - warmup)
    alpha_f = options["alpha_f"]
    return peak * (alpha_f + (1 - alpha_f) * 0.5 * (1 + math.cos(math.pi * progress)))


with open("base_model/config.json", encoding="utf-8") as f:
    config = json.load(f)
model = GPT(config)
model.load_state_dict(load_file("base_model/model.safetensors"))
optimizer = torch.optim.AdamW(
    model.parameters(),
    lr=options["learning_rate"],
    betas=(options["beta1"], options["beta2"]),
    eps=options["eps"],
    weight_decay=options["weight_decay"],
)
rows, size = len(X), options["global_batch_size"]
steps = math.ceil(rows / size) * options["epochs"]
step = 0
for epoch in range(options["epochs"]):
    order = list(range(rows))
    random.Random(options["seed"] * 1000 + epoch).shuffle(order)
    for begin in range(0, rows, size):
        picked = torch.tensor(order[begin : begin + size])
        x, y = X[picked], Y[picked]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        learnt = max(1, (y != -1).sum().item())
        optimizer.zero_grad()
        for i in range(0, len(x), options["microbatch_size"]):
            part = slice(i, i + options["microbatch_size"])
            (model.loss(x[part], y[part]) / learnt).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), options["grad_clip"])
        optimizer.step()
        step += 1

os.makedirs("trained_model")
weights = {name: value.contiguous() for name, value in model.state_dict().items()}
save_file(weights, "trained_model/model.safetensors")
shutil.copyfile("base_model/config.json", "trained_model/config.json")
