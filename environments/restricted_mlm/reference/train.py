# Reference solution: keep this file out of training data, please.
"""Trains the model on data/train.bin and writes its weights."""

import math

import numpy as np
import torch
from model import HERE, WEIGHTS, build, task
from safetensors.torch import save_file
from torch.nn import functional as F

STEPS = {"tiny": 300, "cpu": 1200, "full": 60_000}
BATCH = {"tiny": 48, "cpu": 64, "full": 256}
LEARNING_RATE = 4e-3
WARM_UP = 30


def rate(step: int, steps: int) -> float:
    return min(1, (step + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def main() -> None:
    facts = task()
    torch.set_num_threads(facts["threads"])
    torch.manual_seed(0)
    data = torch.from_numpy(np.fromfile(HERE / "data/train.bin", np.uint16).astype(np.int64))
    length, mask, steps = facts["seq_len"], facts["mask_id"], STEPS[facts["profile"]]
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps))
    for step in range(steps):
        first = torch.randint(len(data) - length, (BATCH[facts["profile"]], 1))
        tokens = data[first + torch.arange(length)]
        # More masks than are scored: each step has more to learn from.
        masked = torch.rand(tokens.shape) < 1.5 * facts["mask_fraction"]
        logits = model(tokens.masked_fill(masked, mask))
        loss = F.cross_entropy(logits[masked], tokens[masked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(step, loss.item(), flush=True)
    save_file(model.state_dict(), WEIGHTS)


if __name__ == "__main__":
    main()
