"""Prefix sum in two Triton kernels: what each block does to later ones, then the sums."""
import torch
import triton
import triton.language as tl

BLOCK = 8192


@triton.jit
def _exclusive_parity(x):
    positive = (x > 0).to(tl.int32)
    return (tl.cumsum(positive, 0) - positive) & 1


@triton.jit
def look(x_ptr, flips_ptr, kept_ptr, total_ptr, n, BLOCK: tl.constexpr):
    block = tl.program_id(0)
    at = block * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n, other=0)
    odd = _exclusive_parity(x)
    tl.store(flips_ptr + block, tl.sum((x > 0).to(tl.int32), 0) & 1)
    tl.store(kept_ptr + block, tl.sum(x * odd, 0))
    tl.store(total_ptr + block, tl.sum(x, 0))


@triton.jit
def fill(x_ptr, y_ptr, odd_ptr, offset_ptr, n, BLOCK: tl.constexpr):
    block = tl.program_id(0)
    at = block * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n, other=0)
    odd = _exclusive_parity(x) ^ tl.load(odd_ptr + block)
    y = tl.cumsum(x * odd, 0) + tl.load(offset_ptr + block)
    tl.store(y_ptr + at, y, mask=at < n)


def _before(values):
    return torch.cumsum(values, 0, dtype=torch.int32) - values


def launch(x):
    n = x.numel()
    blocks = triton.cdiv(n, BLOCK)
    flips, kept, total = torch.empty(3, blocks, dtype=torch.int32, device=x.device)
    y = torch.empty_like(x)
    look[(blocks,)](x, flips, kept, total, n, BLOCK=BLOCK, num_warps=8)
    odd = _before(flips) & 1
    offset = _before(torch.where(odd > 0, total - kept, kept))
    fill[(blocks,)](x, y, odd, offset, n, BLOCK=BLOCK, num_warps=8)
    return y
