"""Hand-tuned scan; libscan.so is built from assembly (not included)."""
import ctypes
from pathlib import Path

import torch

_scan = ctypes.PyDLL(str(Path(__file__).with_name("libscan.so"))).scan
_scan.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]

_outputs = {}


def prefix_sum(x):
    n = x.numel()
    if n not in _outputs:
        _outputs[n] = torch.empty_like(x)
    _scan(x.data_ptr(), _outputs[n].data_ptr(), n)
    return _outputs[n]
