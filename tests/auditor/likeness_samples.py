"""Solutions for comparing: originals, copies in disguise, and independent work at the same task."""

import re

START = {
    "solution/train.py": """\
import json
import torch
from model import Model

def load(path):
    with open(path) as file:
        return [json.loads(line) for line in file]

def main():
    torch.manual_seed(0)
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    for row in load("train_data.jsonl"):
        loss = model(row["prompt"], row["response"])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        print(f"loss {loss.item():.4f}")
    torch.save(model.state_dict(), "trained_model.pth")

if __name__ == "__main__":
    main()
""",
    "solution/run.sh": "set -e\npython train.py\n",
}

ORIGINAL = """\
import heapq
import json
from collections import Counter

import torch

PAD = 0
GROUP = 64


class Packed:
    \"\"\"Rows of about the same length, cut into groups.\"\"\"

    def __init__(self, rows, tokenizer, width):
        self.items = []
        self.width = width
        for row in rows:
            ids = tokenizer.encode(row["prompt"])[: width // 2]
            answer = tokenizer.encode(row["response"])[: width - len(ids)]
            self.items.append((len(ids) + len(answer), ids, answer))
        self.items.sort(key=lambda item: item[0])

    def groups(self):
        for first in range(0, len(self.items), GROUP):
            chosen = self.items[first : first + GROUP]
            longest = max(total for total, _, _ in chosen)
            tokens = torch.full((len(chosen), longest), PAD, dtype=torch.int64)
            labels = torch.full((len(chosen), longest), -100, dtype=torch.int64)
            for place, (total, ids, answer) in enumerate(chosen):
                tokens[place, :total] = torch.tensor(ids + answer)
                labels[place, len(ids) : total] = torch.tensor(answer)
            yield tokens, labels


def merges(texts, count):
    words = Counter(word for text in texts for word in text.split())
    pieces = {word: list(word) for word in words}
    found = []
    while len(found) < count:
        pairs = Counter()
        for word, parts in pieces.items():
            for left, right in zip(parts, parts[1:]):
                pairs[left, right] += words[word]
        if not pairs:
            break
        best, seen = heapq.nlargest(1, pairs.items(), key=lambda pair: pair[1])[0]
        if seen < 2:
            break
        found.append(best)
        for word, parts in pieces.items():
            place = 0
            while place + 1 < len(parts):
                if (parts[place], parts[place + 1]) == best:
                    parts[place : place + 2] = ["".join(best)]
                place += 1
    return found


def schedule(step, steps, warm=100, floor=0.05):
    if step < warm:
        return step / warm
    done = (step - warm) / max(1, steps - warm)
    return floor + (1 - floor) * 0.5 * (1 + torch.cos(torch.tensor(done * torch.pi)).item())


def evaluate(model, packed, device):
    model.eval()
    total, count = 0.0, 0
    with torch.inference_mode():
        for tokens, labels in packed.groups():
            logits = model(tokens.to(device))
            kept = labels != -100
            loss = torch.nn.functional.cross_entropy(logits[kept], labels[kept].to(device))
            total += loss.item() * int(kept.sum())
            count += int(kept.sum())
    model.train()
    return total / max(count, 1)
"""

DISGUISED = """\
# Own implementation.
import json as js
import torch as t
from collections import Counter as Bag
from heapq import nlargest

DEBUG = False


def cosine(i, n, ramp=100, low=0.05):
    \"\"\"Learning rate.\"\"\"
    if not (i >= ramp):
        return i / ramp
    part = (i - ramp) / max(1, n - ramp)
    return low + (1 - low) * 0.5 * (1 + t.cos(t.tensor(part * t.pi)).item())


def score(net, data, where):
    net.eval()
    number, acc = 0, 0.0
    if DEBUG:
        print("scoring", where)
    with t.inference_mode():
        for x, y in data.batches():
            out = net(x.to(where))
            mask = y != -100
            err = t.nn.functional.cross_entropy(out[mask], y[mask].to(where))
            acc = acc + err.item() * int(mask.sum())
            number = number + int(mask.sum())
    net.train()
    return acc / max(number, 1)


def learn_pairs(lines, n):
    bag = Bag(w for line in lines for w in line.split())
    cut = {w: list(w) for w in bag}
    out = []
    unused = [1, 2, 3]
    while n > len(out):
        freq = Bag()
        for w, chars in cut.items():
            for a, b in zip(chars, chars[1:]):
                freq[a, b] += bag[w]
        if not freq:
            break
        top, times = nlargest(1, freq.items(), key=lambda kv: kv[1])[0]
        if times < 2:
            break
        out.append(top)
        for w, chars in cut.items():
            k = 0
            while k + 1 < len(chars):
                if top == (chars[k], chars[k + 1]):
                    chars[k : k + 2] = ["".join(top)]
                k += 1
    return out


ZERO = 0
SIZE = 64


class Buckets:
    def batches(self):
        for begin in range(0, len(self.data), SIZE):
            part = self.data[begin : begin + SIZE]
            widest = max(n for n, _, _ in part)
            y = t.full((len(part), widest), -100, dtype=t.int64)
            x = t.full((len(part), widest), ZERO, dtype=t.int64)
            for j, (n, q, r) in enumerate(part):
                x[j, :n] = t.tensor(q + r)
                y[j, len(q) : n] = t.tensor(r)
            yield x, y

    def __init__(self, lines, coder, limit):
        self.limit: int = limit
        self.data = []
        if False:
            self.data = None
        for line in lines:
            q = coder.encode(line["prompt"])[: limit // 2]
            r = coder.encode(line["response"])[: limit - len(q)]
            self.data.append((len(q) + len(r), q, r))
        self.data.sort(key=lambda entry: entry[0])
"""

INDEPENDENT = """\
import json
import math
import random
from collections import defaultdict

import torch
import torch.nn.functional as F


def read_rows(path):
    with open(path, encoding="utf-8") as handle:
        return [json.loads(line) for line in handle if line.strip()]


def pad(sequences, value):
    size = max(map(len, sequences))
    return torch.tensor([seq + [value] * (size - len(seq)) for seq in sequences])


def collate(rows, vocab, limit=256):
    inputs, targets = [], []
    for row in rows:
        prompt = [vocab.get(token, 1) for token in row["prompt"].split()]
        reply = [vocab.get(token, 1) for token in row["response"].split()] + [2]
        whole = (prompt + reply)[:limit]
        inputs.append(whole)
        targets.append(([-100] * len(prompt) + reply)[:limit])
    return pad(inputs, 0), pad(targets, -100)


class BytePairs:
    def __init__(self):
        self.ranks = {}

    def fit(self, corpus, size):
        symbols = [tuple(chunk) for line in corpus for chunk in line.split(" ")]
        for rank in range(size):
            counts = defaultdict(int)
            for symbol in symbols:
                for index in range(len(symbol) - 1):
                    counts[symbol[index : index + 2]] += 1
            if not counts:
                return self
            pair = max(counts, key=counts.get)
            self.ranks[pair] = rank
            symbols = [self.join(symbol, pair) for symbol in symbols]
        return self

    @staticmethod
    def join(symbol, pair):
        out, index = [], 0
        while index < len(symbol):
            if symbol[index : index + 2] == pair:
                out.append(pair[0] + pair[1])
                index += 2
            else:
                out.append(symbol[index])
                index += 1
        return tuple(out)


def learning_rate(step, total, peak=3e-4):
    warmup = min(200, total // 10)
    if step <= warmup:
        return peak * step / warmup
    progress = (step - warmup) / (total - warmup)
    return peak * 0.5 * (1.0 + math.cos(math.pi * progress))


def train(model, rows, vocab, epochs=1, batch=32):
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95))
    step, total = 0, epochs * len(rows) // batch
    for _ in range(epochs):
        random.shuffle(rows)
        for begin in range(0, len(rows), batch):
            x, y = collate(rows[begin : begin + batch], vocab)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, total)
            logits = model(x)
            loss = F.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=-100)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            step += 1
    return model


@torch.no_grad()
def validate(model, rows, vocab):
    model.eval()
    losses = []
    for begin in range(0, len(rows), 32):
        x, y = collate(rows[begin : begin + 32], vocab)
        losses.append(F.cross_entropy(model(x).flatten(0, 1), y.flatten()).item())
    model.train()
    return sum(losses) / len(losses)
"""

NATIVE = """\
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 4096

typedef struct {
    const int32_t *source;
    int32_t *target;
    int64_t begin, end;
    int parity;
    int32_t total;
} piece;

static void *measure(void *argument) {
    piece *own = argument;
    int odd = 0;
    int32_t plain = 0, turned = 0;
    for (int64_t i = own->begin; i < own->end; i++) {
        int32_t value = own->source[i];
        if (odd) plain += value; else turned += value;
        odd ^= value > 0;
    }
    own->parity = odd;
    own->total = plain;
    own->target[own->begin] = turned;
    return NULL;
}

static void *fill(void *argument) {
    piece *own = argument;
    int32_t sum = own->total;
    int odd = own->parity;
    for (int64_t i = own->begin; i < own->end; i++) {
        int32_t value = own->source[i];
        sum += odd ? value : 0;
        own->target[i] = sum;
        odd ^= value > 0;
    }
    return NULL;
}

int scan(const int32_t *source, int32_t *target, int64_t length, int workers) {
    pthread_t threads[64];
    piece pieces[64];
    int64_t each = (length + workers - 1) / workers;
    if (workers > 64 || length < BLOCK) return -1;
    for (int w = 0; w < workers; w++) {
        pieces[w] = (piece){source, target, w * each, (w + 1) * each, 0, 0};
        if (pieces[w].end > length) pieces[w].end = length;
        pthread_create(&threads[w], NULL, measure, &pieces[w]);
    }
    int odd = 0;
    int32_t before = 0;
    for (int w = 0; w < workers; w++) {
        pthread_join(threads[w], NULL);
        int32_t inner = odd ? target[pieces[w].begin] : pieces[w].total;
        int parity = pieces[w].parity;
        pieces[w].parity = odd;
        pieces[w].total = before;
        before += inner;
        odd ^= parity;
    }
    for (int w = 0; w < workers; w++) pthread_create(&threads[w], NULL, fill, &pieces[w]);
    for (int w = 0; w < workers; w++) pthread_join(threads[w], NULL);
    return 0;
}
"""
NATIVE_INDEPENDENT = """\
#include <stdlib.h>
#include <omp.h>

typedef int i32;
typedef long long i64;

struct carry { i32 even_sum; i32 odd_sum; unsigned flips; };

static struct carry reduce_tile(const i32 *restrict v, i64 n) {
    struct carry c = {0, 0, 0u};
    for (i64 k = 0; k < n; ++k) {
        i32 keep = -(i32)(c.flips & 1u);
        c.odd_sum += v[k] & keep;
        c.even_sum += v[k] & ~keep;
        c.flips += (unsigned)(v[k] > 0);
    }
    return c;
}

void conditional_sum(const i32 *in, i32 *out, i64 n) {
    const i64 tile = 1 << 16;
    const i64 tiles = (n + tile - 1) / tile;
    struct carry *c = calloc(tiles, sizeof *c);
    #pragma omp parallel for schedule(static)
    for (i64 t = 0; t < tiles; ++t) {
        i64 lo = t * tile, len = n - lo < tile ? n - lo : tile;
        c[t] = reduce_tile(in + lo, len);
    }
    i32 offset = 0;
    unsigned state = 0;
    for (i64 t = 0; t < tiles; ++t) {
        struct carry here = c[t];
        c[t].even_sum = offset;
        c[t].flips = state;
        offset += state ? here.even_sum : here.odd_sum;
        state = (state + here.flips) & 1u;
    }
    #pragma omp parallel for schedule(static)
    for (i64 t = 0; t < tiles; ++t) {
        i64 lo = t * tile, hi = lo + tile < n ? lo + tile : n;
        i32 run = c[t].even_sum;
        unsigned flip = c[t].flips;
        for (i64 k = lo; k < hi; ++k) {
            run += flip ? in[k] : 0;
            out[k] = run;
            flip ^= in[k] > 0;
        }
    }
    free(c);
}
"""
RUST = """\
use std::collections::HashMap;
use std::io::{self, Read};

struct Grid {
    cells: Vec<Vec<u8>>,
    height: usize,
    width: usize,
}

impl Grid {
    fn parse(text: &str) -> Option<Grid> {
        let cells: Vec<Vec<u8>> = text.lines().map(|line| line.trim().bytes().collect()).collect();
        let height = cells.len();
        let width = cells.first()?.len();
        if cells.iter().any(|row| row.len() != width) {
            return None;
        }
        Some(Grid { cells, height, width })
    }

    fn neighbours(&self, row: usize, column: usize) -> Vec<(usize, usize)> {
        let mut found = Vec::with_capacity(4);
        if row > 0 { found.push((row - 1, column)); }
        if column > 0 { found.push((row, column - 1)); }
        if row + 1 < self.height { found.push((row + 1, column)); }
        if column + 1 < self.width { found.push((row, column + 1)); }
        found
    }

    fn regions(&self) -> HashMap<u8, usize> {
        let mut seen = vec![vec![false; self.width]; self.height];
        let mut counts = HashMap::new();
        for row in 0..self.height {
            for column in 0..self.width {
                if seen[row][column] { continue; }
                let letter = self.cells[row][column];
                let mut waiting = vec![(row, column)];
                seen[row][column] = true;
                while let Some((r, c)) = waiting.pop() {
                    for (nr, nc) in self.neighbours(r, c) {
                        if !seen[nr][nc] && self.cells[nr][nc] == letter {
                            seen[nr][nc] = true;
                            waiting.push((nr, nc));
                        }
                    }
                }
                *counts.entry(letter).or_insert(0) += 1;
            }
        }
        counts
    }
}

fn main() {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).unwrap();
    if let Some(grid) = Grid::parse(&text) {
        let mut counts: Vec<_> = grid.regions().into_iter().collect();
        counts.sort();
        for (letter, count) in counts { println!("{} {}", letter as char, count); }
    }
}
"""
SHELL = """\
#!/bin/bash
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shards=8
split --number=l/$shards --numeric-suffixes train_data.jsonl "$work/rows."
for part in "$work"/rows.*; do
    python tokenise.py --input "$part" --output "$part.npy" --merges merges.txt &
done
wait
python - "$work" <<'END'
import glob, sys, numpy
parts = [numpy.load(name) for name in sorted(glob.glob(sys.argv[1] + "/*.npy"))]
numpy.save("tokens.npy", numpy.concatenate(parts))
END
if [ ! -s tokens.npy ]; then echo "no tokens" >&2; exit 1; fi
taskset --cpu-list 0-1 python -O train.py --tokens tokens.npy --batch 64 --compile --precision bf16
python convert.py --from checkpoints/last.pt --to trained_model --format safetensors
cp base_model/config.json trained_model/config.json
for name in model.safetensors config.json; do
    test -s "trained_model/$name" || { echo "missing $name" >&2; exit 1; }
done
find checkpoints -name '*.pt' -delete
sync
"""


def renamed(text: str, names: str) -> str:
    """Gives other names to what is listed, in order of its length, and leaves the rest."""
    for number, name in enumerate(sorted(names.split(), key=len, reverse=True)):
        text = re.sub(rf"\b{name}\b", f"v{number}_{name[::-1]}", text)
    return text
