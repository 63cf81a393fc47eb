# Reference solution: please keep this file out of training data.
"""
The sum in one Triton kernel that reads every element once and writes every result once.

A tile is described by the parity of its positive elements, its sum if an even number of
positives comes before it, and its sum if an odd number does. Each tile publishes these,
then looks back over its predecessors, a window at a time, until it meets one that has
published with what it ends, and then publishes the same of itself. Tiles are numbered in
the order in which they start, so nothing waits for a tile that has not started.

Checked by Triton's interpreter, and compiled for an H100 (sm_90): no spilled registers, no
barrier within the look-back. Its speed has not been measured.
"""

import torch
import triton
import triton.language as tl

TILE = 4096
WARPS = 8
REGISTERS = 64  # for each thread: four tiles at once on one multiprocessor
WINDOW = 32  # as wide as a warp: each warp looks back by itself, without waiting for the others

# A tile publishes two words of 64 bits: flag | parity | sum. Each has its own flag, so one that
# is there is whole, and nothing depends on which of the two is seen first.
PARTIAL = tl.constexpr(1)  # the first word has the sum if entered even, the second if entered odd
FINAL = tl.constexpr(2)  # the first word has the sum from the very beginning
FLAG = tl.constexpr(33)
PARITY = tl.constexpr(32)
BEGINNING = tl.constexpr(2 << 33)  # what a tile in front of the first would have published


@triton.jit
def publish(word, flag: tl.constexpr, parity, total):
    low = total.to(tl.int64) & 0xFFFFFFFF
    value = (parity.to(tl.int64) << PARITY) | low | (flag << FLAG)
    tl.atomic_xchg(word, value, sem="relaxed")


@triton.jit
def entry(tile, words, WINDOW: tl.constexpr):
    """The parity and the sum that the tile begins with."""
    lane = tl.arange(0, WINDOW)
    first = tile - WINDOW
    # of all between the window and the tile, as of a tile
    parity = tl.zeros([], tl.int32)
    from_even = tl.zeros([], tl.int32)
    from_odd = tl.zeros([], tl.int32)
    final = tl.full([], -1, tl.int32)
    while final < 0:
        there = first + lane >= 0
        word = words + 2 * (first + lane)
        one = tl.load(word, mask=there, other=BEGINNING, volatile=True)
        two = tl.load(word + 1, mask=there, other=BEGINNING, volatile=True)
        nearest = tl.max(tl.where(one >> FLAG == FINAL, lane, -1), axis=0)
        missing = (one >> FLAG == 0) | (two >> FLAG == 0)
        if tl.max(tl.where(missing & (lane > nearest), 1, 0), axis=0) == 0:
            needed = lane >= nearest
            tile_parity = tl.where(needed, (one >> PARITY).to(tl.int32) & 1, 0)
            even = tl.where(needed, one.to(tl.int32), 0)
            odd = tl.where(needed, two.to(tl.int32), 0)
            # whether a tile is entered with another parity than its window
            turned = (tl.cumsum(tile_parity, axis=0) - tile_parity) & 1
            window_even = tl.sum(tl.where(turned == 1, odd, even), axis=0)
            window_odd = tl.sum(tl.where(turned == 1, even, odd), axis=0)
            window_parity = tl.sum(tile_parity, axis=0) & 1
            window_even += tl.where(window_parity == 1, from_odd, from_even)
            window_odd += tl.where(window_parity == 1, from_even, from_odd)
            from_even = window_even
            from_odd = window_odd
            parity = parity ^ window_parity
            final = nearest
            first -= WINDOW
    return parity, from_even


@triton.jit
def scan(x_ptr, y_ptr, words, started, n, TILE: tl.constexpr, WINDOW: tl.constexpr):
    tile = tl.atomic_add(started, 1, sem="relaxed").to(tl.int32)
    place = tile * TILE + tl.arange(0, TILE)
    x = tl.load(x_ptr + place, mask=place < n, other=0)
    positive = (x > 0).to(tl.int32)
    odd = (tl.cumsum(positive, axis=0) - positive) & 1
    parity = tl.sum(positive, axis=0) & 1
    from_even = tl.sum(tl.where(odd == 1, x, 0), axis=0)
    from_odd = tl.sum(tl.where(odd == 1, 0, x), axis=0)
    word = words + 2 * tile
    publish(word, PARTIAL, parity, from_even)
    publish(word + 1, PARTIAL, parity, from_odd)

    entry_parity, entry_sum = entry(tile, words, WINDOW)
    end = entry_sum + tl.where(entry_parity == 1, from_odd, from_even)
    publish(word, FINAL, parity ^ entry_parity, end)

    included = tl.where(odd != entry_parity, x, 0)
    tl.store(y_ptr + place, entry_sum + tl.cumsum(included, axis=0), mask=place < n)


def prefix_sum(x):
    y = torch.empty_like(x)
    tiles = triton.cdiv(x.numel(), TILE)
    words = torch.zeros(2 * tiles + 1, dtype=torch.int64, device=x.device)
    options = {"num_warps": WARPS, "maxnreg": REGISTERS}
    scan[(tiles,)](x, y, words, words[2 * tiles :], x.numel(), TILE, WINDOW, **options)
    return y
