import ctypes
import os
import subprocess
import tempfile

import torch

here = os.path.dirname(os.path.abspath(__file__))
library = os.path.join(tempfile.mkdtemp(), "scan.so")
subprocess.check_call(["cc", "-O3", "-shared", "-fPIC", os.path.join(here, "scan.c"), "-o", library])
scan = ctypes.CDLL(library).scan
scan.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]


def prefix_sum(x):
    y = torch.empty_like(x)
    size = x.numel() * x.element_size()
    scan(x.data_ptr(), y.data_ptr(), size * size)
    return y
