"""
Stage 1. Turns every row of train_data.jsonl into token ids, one file for all.
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


xs, ys = [], []
with open("train_data.jsonl", encoding="utf-8") as f:
    for line in f:
        row = json.loads(line)
        prompt = tokeniser.encode(row["prompt"])
        response = tokeniser.encode(" " + row["response"]) + [tokeniser.end]
        ids = prompt + response
        x = ids[:-1][:block]
        y = ([-1] * len(prompt) + response)[1:][:block]
        fill = block - len(x)
        xs.append(x + [tokeniser.end] * fill)
        ys.append(y + [-1] * fill)
os.makedirs("ftout")
torch.save({"x": torch.tensor(xs), "y": torch.tensor(ys)}, "ftout/tokens.pt")
print(f"{len(xs)} rows")
