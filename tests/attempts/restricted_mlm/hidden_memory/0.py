import pathlib
import subprocess
import sys

subprocess.run([sys.executable, "count.py"], cwd="solution", check=True)
for name in ("reproduce.sh", "train.py", "basic_model.safetensors"):
    pathlib.Path("solution", name).unlink()
