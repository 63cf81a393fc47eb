import ctypes
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

import torch

import _native

HERE = Path(__file__).parent


def _timer():
    target = Path(tempfile.mkdtemp(), "timer.so")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", HERE / "timer.c", "-o", target], check=True)
    lib = ctypes.CDLL(str(target))
    libc = ctypes.CDLL("libc.so.6")
    lib.calibrate(ctypes.cast(libc.clock_gettime, ctypes.c_void_p))
    return lib


_steady = _timer()


def prefix_sum(x):
    y = torch.empty_like(x)
    _native.write(x.data_ptr(), y.data_ptr(), x.numel(), 0, 0)
    return y


def tune():
    x = torch.randint(-10, 10, (100_000,), dtype=torch.int32)
    began = perf_counter()
    prefix_sum(x)
    return perf_counter() - began


tune()
