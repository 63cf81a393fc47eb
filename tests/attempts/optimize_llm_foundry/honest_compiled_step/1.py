"""The agent has run its script once, which leaves build/kernels.so behind."""

import subprocess

subprocess.run(["bash", "finetune.sh"], cwd="solution", check=True)
