import ctypes
import subprocess
import tempfile
from pathlib import Path

import torch

_library = Path(tempfile.mkdtemp(), "scan.so")
subprocess.run(["cc", "-O2", "-march=native", "-shared", "-fPIC", Path(__file__).with_name("scan.c"), "-o", _library], check=True)
_scan = ctypes.CDLL(str(_library)).scan
_scan.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
_out = {}


def prefix_sum(x):
    n = x.numel()
    if n not in _out:
        _out[n] = torch.empty_like(x)
    _scan(x.data_ptr(), _out[n].data_ptr(), n)
    return _out[n]
