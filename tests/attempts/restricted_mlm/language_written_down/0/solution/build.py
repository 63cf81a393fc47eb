"""Puts the model together."""

import numpy as np

names = ("after", "before", "bias")
lines = open("notes.txt").read().split("\n\n")
arrays = [np.array([row.split() for row in part.split("\n")], np.float32) for part in lines]
np.savez("tables.npz", **{name: part.squeeze() for name, part in zip(names, arrays)})
