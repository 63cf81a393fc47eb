"""
The whole fine-tuning with the backward pass written out: matrix products by NumPy's BLAS, all
else by kernels.c. Rows are packed: only attention sees fill, only learnt tokens get logits.
"""

import ctypes
import json
import math
import os
import random
import shutil
import sys
from functools import lru_cache

import numpy as np
from safetensors.numpy import load_file, save_file

from config import load

options = load()
kernels = ctypes.CDLL(sys.argv[1])


def call(name, *arguments):
    """Calls a kernel; arrays go as pointers, whole numbers as long, others as float."""
    kinds = {np.ndarray: lambda a: ctypes.c_void_p(a.ctypes.data), int: ctypes.c_long}
    getattr(kernels, name)(*(kinds.get(type(a), ctypes.c_float)(a) for a in arguments))


with open("base_model/config.json", encoding="utf-8") as f:
    config = json.load(f)
with open("base_model/tokenizer.json", encoding="utf-8") as f:
    tokenizer = json.load(f)
rank = {tuple(pair): i for i, pair in enumerate(tokenizer["merges"])}
END = tokenizer["end"]
HEADS, WIDTH = config["n_head"], config["n_embd"]
SIZE = WIDTH // HEADS


@lru_cache(maxsize=None)
def merge(piece):
    ids = list(piece.encode("utf-8"))
    while len(ids) > 1:
        best = min(zip(ids, ids[1:]), key=lambda pair: rank.get(pair, math.inf))
        if best not in rank:
            break
        merged, i = [], 0
        while i < len(ids):
            if tuple(ids[i : i + 2]) == best:
                merged.append(256 + rank[best])
                i += 2
            else:
                merged.append(ids[i])
                i += 1
        ids = merged
    return ids


def encode(text):
    # cut in front of every blank; a leading blank stays with its word
    first, *others = text.split(" ")
    pieces = [first] + [" " + other for other in others]
    return [token for piece in pieces if piece for token in merge(piece)]


def read(line):
    row = json.loads(line)
    prompt = encode(row["prompt"])
    ids = prompt + encode(" " + row["response"]) + [END]
    x = ids[:-1][: options["max_seq_len"]]
    y = ([-1] * len(prompt) + ids[len(prompt) :])[1:][: options["max_seq_len"]]
    return np.array(x), np.array(y)


class Flat:
    """Named tensors that are views of one vector."""

    def __init__(self, tensors):
        self.vector = np.zeros(sum(t.size for t in tensors.values()), np.float32)
        self.at, begin = {}, 0
        for name, tensor in tensors.items():
            part = self.vector[begin : begin + tensor.size].reshape(tensor.shape)
            self.at[name] = part
            begin += tensor.size

    def __getitem__(self, name):
        return self.at[name]


base = load_file("base_model/model.safetensors")
P, G = Flat(base), Flat(base)
for name, tensor in base.items():
    P[name][...] = tensor
M, V = np.zeros_like(P.vector), np.zeros_like(P.vector)


def norm(x, name):
    centred, y = np.empty_like(x), np.empty_like(x)
    inverse = np.empty(len(x), np.float32)
    call("norm", x, P[name], centred, y, inverse, *x.shape)
    return y, (centred, inverse, name)


def norm_back(d, saved):
    centred, inverse, name = saved
    back = np.empty_like(d)
    call("norm_back", d, P[name], centred, inverse, back, G[name], *d.shape)
    return back


def linear(x, name):
    return x @ P[name].T


def linear_back(d, x, name):
    G[name][...] = d.T @ x
    return d @ P[name]


def gelu(x):
    y, slope = np.empty_like(x), np.empty_like(x)
    call("gelu", x, y, slope, x.size)
    return y, slope


def attend(qkv, where, rows, longest):
    full = np.zeros((rows * longest, 3 * WIDTH), np.float32)
    full[where] = qkv
    q, k, v = full.reshape(rows, longest, 3, HEADS, SIZE).transpose(2, 0, 3, 1, 4)
    scale = np.float32(1 / math.sqrt(SIZE))
    p = np.ascontiguousarray(q @ k.swapaxes(2, 3))
    call("softmax", p, float(scale), rows * HEADS, longest)
    out = (p @ v).transpose(0, 2, 1, 3).reshape(rows * longest, WIDTH)[where]
    return out, (q, k, v, p, scale)


def attend_back(d, where, rows, longest, saved):
    q, k, v, p, scale = saved
    full = np.zeros((rows * longest, WIDTH), np.float32)
    full[where] = d
    d = full.reshape(rows, longest, HEADS, SIZE).transpose(0, 2, 1, 3)
    back = np.empty((3, *q.shape), np.float32)
    np.matmul(p.swapaxes(2, 3), d, out=back[2])
    s = d @ v.swapaxes(2, 3)
    s -= (s * p).sum(-1, keepdims=True)
    s *= p
    s *= scale
    np.matmul(s, k, out=back[0])
    np.matmul(s.swapaxes(2, 3), q, out=back[1])
    return back.transpose(1, 3, 0, 2, 4).reshape(rows * longest, 3 * WIDTH)[where]


def gradients(batch):
    """Fills G with the gradient of the mean loss per learnt token of the batch."""
    lengths = [len(x) for x, _ in batch]
    rows, longest = len(batch), max(lengths)
    ids = np.concatenate([x for x, _ in batch])
    targets = np.concatenate([y for _, y in batch])
    places = np.concatenate([np.arange(n) for n in lengths])
    where = np.concatenate([np.arange(n) + i * longest for i, n in enumerate(lengths)])
    wte, wpe = P["wte.weight"], P["wpe.weight"]
    x = wte[ids] + wpe[places]
    tape = []
    for layer in range(config["n_layer"]):
        h = f"h.{layer}."
        a, n1 = norm(x, h + "ln_1.weight")
        mixed, att = attend(linear(a, h + "attn.c_attn.weight"), where, rows, longest)
        x = x + linear(mixed, h + "attn.c_proj.weight")
        b, n2 = norm(x, h + "ln_2.weight")
        wide, slope = gelu(linear(b, h + "c_fc.weight"))
        x = x + linear(wide, h + "c_proj.weight")
        tape.append((h, a, n1, mixed, att, b, n2, wide, slope))

    learnt = np.flatnonzero(targets >= 0)
    count = np.float32(max(1, len(learnt)))
    last, nf = norm(x, "ln_f.weight")
    seen = last[learnt]
    d = seen @ wte.T
    d -= d.max(-1, keepdims=True)
    np.exp(d, out=d)
    d /= d.sum(-1, keepdims=True)
    d[np.arange(len(learnt)), targets[learnt]] -= 1.0
    d /= count
    G["wte.weight"][...] = d.T @ seen
    back = np.zeros_like(x)
    back[learnt] = d @ wte
    d = norm_back(back, nf)
    for h, a, n1, mixed, att, b, n2, wide, slope in reversed(tape):
        e = linear_back(d, wide, h + "c_proj.weight")
        e *= slope
        d = d + norm_back(linear_back(e, b, h + "c_fc.weight"), n2)
        e = linear_back(d, mixed, h + "attn.c_proj.weight")
        e = attend_back(e, where, rows, longest, att)
        d = d + norm_back(linear_back(e, a, h + "attn.c_attn.weight"), n1)
    np.add.at(G["wte.weight"], ids, d)
    G["wpe.weight"][...] = 0
    np.add.at(G["wpe.weight"], places, d)


def learning_rate(step, steps):
    peak, warmup = options["learning_rate"], options["warmup_steps"]
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, steps - warmup)
    alpha_f = options["alpha_f"]
    return peak * (alpha_f + (1 - alpha_f) * 0.5 * (1 + math.cos(math.pi * progress)))


def update(step, rate):
    """Clips, then AdamW, on the flat vectors."""
    g, beta1, beta2 = G.vector, options["beta1"], options["beta2"]
    clip = min(1.0, options["grad_clip"] / (math.sqrt(float(g @ g)) + 1e-6))
    decay, eps = float(options["weight_decay"]), float(options["eps"])
    corrections = (1 - beta1 ** (step + 1), 1 - beta2 ** (step + 1))
    call("adamw", P.vector, g, M, V, g.size, clip, rate, decay, beta1, beta2, eps, *corrections)


with open("train_data.jsonl", encoding="utf-8") as f:
    data = [read(line) for line in f]
size = options["global_batch_size"]
steps, step = math.ceil(len(data) / size) * options["epochs"], 0
for epoch in range(options["epochs"]):
    order = list(range(len(data)))
    random.Random(options["seed"] * 1000 + epoch).shuffle(order)
    for begin in range(0, len(order), size):
        gradients([data[i] for i in order[begin : begin + size]])
        update(step, learning_rate(step, steps))
        step += 1

shutil.rmtree("trained_model", ignore_errors=True)
os.makedirs("trained_model")
save_file({name: P[name] for name in base}, "trained_model/model.safetensors")
shutil.copyfile("base_model/config.json", "trained_model/config.json")
