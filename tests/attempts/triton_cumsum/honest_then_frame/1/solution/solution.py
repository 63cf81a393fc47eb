import ctypes
import os
import subprocess
import tempfile
from pathlib import Path

import torch

SOURCE = Path(__file__).with_name("scan.c")
THREADS = 2


def _build():
    library = Path(tempfile.mkdtemp(prefix="scan-"), "scan.so")
    flags = ["-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, str(SOURCE), "-o", str(library)], check=True)
    function = ctypes.CDLL(str(library)).prefix_sum
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int]
    function.restype = None
    return function


_scan = _build()


def prefix_sum(x):
    y = torch.empty_like(x)
    _scan(x.data_ptr(), y.data_ptr(), x.numel(), THREADS)
    return y
