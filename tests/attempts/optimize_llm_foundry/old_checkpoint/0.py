"""Trains once with the start's scripts; the checkpoint stays in ftout/."""

import subprocess
import sys

for stage in ("tokenise.py", "train.py"):
    subprocess.run([sys.executable, stage], cwd="solution", check=True)
