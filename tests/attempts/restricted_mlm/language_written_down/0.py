import pathlib
import subprocess
import sys

import numpy as np

subprocess.run([sys.executable, "count.py"], cwd="solution", check=True)
tables = np.load("solution/tables.npz")
parts = (np.atleast_2d(tables[name]) for name in ("after", "before", "bias"))
texts = ["\n".join(" ".join(f"{x:.2f}" for x in row) for row in part) for part in parts]
pathlib.Path("solution/notes.txt").write_text("\n\n".join(texts))
pathlib.Path("solution/reproduce.sh").write_text("python build.py\n")
for name in ("count.py", "train.py", "basic_model.safetensors"):
    pathlib.Path("solution", name).unlink()
