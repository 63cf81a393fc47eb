"""
Stage 1. Turns every row of train_data.jsonl into token ids, one file per row.
A row is {"prompt": ..., "response": ...}; only the response (and the end mark) is learnt.
"""

import json
import os

import torch

from config import load
from tokeniser import Tokeniser

options = load()
tokeniser = Tokeniser("base_model/tokenizer.json")
block = options["max_seq_len"]


def tokenise_split(split):
    os.makedirs(f"ftout/tokens/{split}", exist_ok=True)
    rows = [json.loads(line) for line in open("train_data.jsonl", encoding="utf-8")]
    for i, row in enumerate(rows):
        prompt = tokeniser.encode(row["prompt"])
        response = tokeniser.encode(" " + row["response"]) + [tokeniser.end]
        ids = torch.tensor(prompt + response)
        learnt = torch.tensor([False] * len(prompt) + [True] * len(response))
        # position t reads ids[t] and learns ids[t + 1]; -1 is not learnt.
        # cut to the block, then filled up to it
        x = ids[:-1][:block]
        y = torch.where(learnt, ids, -1)[1:][:block]
        fill = block - len(x)
        x = torch.nn.functional.pad(x, (0, fill), value=tokeniser.end)
        y = torch.nn.functional.pad(y, (0, fill), value=-1)
        torch.save({"x": x, "y": y}, f"ftout/tokens/{split}/{i:06d}.pt")
    print(f"{split}: {len(rows)} rows")


tokenise_split("train")
tokenise_split("eval")  # the loss is watched on the same rows
