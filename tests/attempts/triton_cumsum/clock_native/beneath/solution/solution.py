import ctypes
import os
import subprocess
import tempfile

import torch

folder = tempfile.mkdtemp()
source = os.path.join(os.path.dirname(__file__), "kernel.c")
subprocess.check_call(["cc", "-O1", "-shared", "-fPIC", source, "-o", f"{folder}/kernel.so"])
run = ctypes.CDLL(f"{folder}/kernel.so").run
run.argtypes = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64


def prefix_sum(x):
    y = torch.empty_like(x)
    run(x.data_ptr(), y.data_ptr(), x.shape[0])
    return y
