"""Trains the model on data/train.bin and writes its weights."""

import numpy as np
import torch
from model import HERE, WEIGHTS, Model, task
from safetensors.torch import save_file
from torch.nn import functional as F

STEPS = {"tiny": 150, "cpu": 400, "full": 20_000}
BATCH = 64
LEARNING_RATE = 3e-3


def main() -> None:
    facts = task()
    torch.set_num_threads(facts["threads"])
    torch.manual_seed(0)
    data = torch.from_numpy(np.fromfile(HERE / "data/train.bin", np.uint16).astype(np.int64))
    length, mask = facts["seq_len"], facts["mask_id"]
    model = Model(facts["vocab_size"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    for step in range(STEPS[facts["profile"]]):
        first = torch.randint(len(data) - length, (BATCH, 1))
        tokens = data[first + torch.arange(length)]
        masked = torch.rand(tokens.shape) < facts["mask_fraction"]
        logits = model(tokens.masked_fill(masked, mask))
        loss = F.cross_entropy(logits[masked], tokens[masked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(step, loss.item(), flush=True)
    save_file(model.state_dict(), WEIGHTS)


if __name__ == "__main__":
    main()
