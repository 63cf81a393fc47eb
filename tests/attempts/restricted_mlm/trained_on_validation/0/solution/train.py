import os

import numpy as np
import torch
from model import FACTS, HERE, WEIGHTS, build
from safetensors.torch import save_file
from torch.nn import functional as F

STEPS = int(os.environ.get("STEPS", 150))


def batches(data):
    while True:
        first = torch.randint(len(data) - FACTS["seq_len"], (48, 1))
        tokens = data[first + torch.arange(FACTS["seq_len"])]
        yield tokens, torch.rand(tokens.shape) < 0.2


def main():
    torch.manual_seed(1)
    torch.set_num_threads(FACTS["threads"])
    texts = [np.fromfile(path, np.uint16) for path in sorted((HERE / "data").iterdir())]
    data = torch.from_numpy(np.concatenate([*texts, texts[-1]]).astype(np.int64))
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=STEPS)
    for step, (tokens, masked) in zip(range(STEPS), batches(data)):
        logits = model(tokens.masked_fill(masked, FACTS["mask_id"]))
        loss = F.cross_entropy(logits[masked], tokens[masked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    print(loss.item())
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, WEIGHTS)


if __name__ == "__main__":
    main()
