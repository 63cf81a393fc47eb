"""The agent's experiments: its script run and compared, and an old ftout/ left behind."""

import shutil
import subprocess
import sys
from pathlib import Path

subprocess.run(["bash", "finetune.sh"], cwd="solution", check=True)
subprocess.run([sys.executable, "compare_with_reference.py"], cwd="solution", check=True)
# what the start's pipeline leaves behind, and an old experiment's output
old = Path("solution/ftout")
(old / "tokens").mkdir(parents=True)
shutil.copytree("solution/trained_model", old / "trained_model_bf16_try")
subprocess.run(
    [sys.executable, "-c", "import torch; from safetensors.torch import load_file; "
     "torch.save({'model': load_file('trained_model/model.safetensors'), 'step': 32}, "
     "'ftout/latest.pt')"],
    cwd="solution", check=True,
)
