"""Builds scan_op.cpp, about ten seconds. `python build.py` does it ahead of time."""
import hashlib
import os
import subprocess
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "scan_op.cpp"


def library():
    name = hashlib.sha256(SOURCE.read_bytes() + torch.__version__.encode()).hexdigest()[:16]
    built = HERE / f"scan_op-{name}.so"
    if not built.exists():
        root = Path(torch.__file__).parent
        fresh = built.with_suffix(f".{os.getpid()}")
        subprocess.run(
            ["g++", "-O3", "-march=native", "-std=c++20", "-shared", "-fPIC", "-fopenmp", "-DAT_PARALLEL_OPENMP=1",
             f"-I{root}/include", f"-I{root}/include/torch/csrc/api/include", str(SOURCE),
             "-o", str(fresh), f"-L{root}/lib", "-lc10", "-ltorch_cpu", f"-Wl,-rpath,{root}/lib"],
            check=True,
        )
        fresh.replace(built)
    return built


if __name__ == "__main__":
    print(library())
