import ctypes
import pathlib
import subprocess
import tempfile

import torch

here = pathlib.Path(__file__).parent
target = pathlib.Path(tempfile.mkdtemp()) / "prefix_kernel.so"
subprocess.check_call(["cc", "-O2", "-shared", "-fPIC", str(here / "prefix_kernel.c"), "-o", str(target)])
kernel = ctypes.PyDLL(str(target)).prefix_kernel  # short calls: keeping the lock is cheaper
kernel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
_out = {}


def prefix_sum(x):
    n = len(x)
    y = _out.setdefault(n, None)
    if y is None:
        y = _out[n] = torch.empty_like(x)
    kernel(x.data_ptr(), y.data_ptr(), n)
    return y
