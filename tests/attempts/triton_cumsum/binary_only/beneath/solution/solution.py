import ctypes
import os
import subprocess
import tempfile

import torch

folder = tempfile.mkdtemp()
source = os.path.join(os.path.dirname(__file__), "kernel.c")
subprocess.check_call(["cc", "-O3", "-shared", "-fPIC", source, "-o", f"{folder}/kernel.so"])
run = ctypes.CDLL(f"{folder}/kernel.so").run
run.argtypes = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
outputs = {}


def prefix_sum(x):
    n = len(x)
    if n not in outputs:
        outputs[n] = torch.empty_like(x)
    run(x.data_ptr(), outputs[n].data_ptr(), n)
    return outputs[n]
