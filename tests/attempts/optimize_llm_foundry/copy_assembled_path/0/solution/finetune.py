"""Fine-tunes base_model on train_data.jsonl."""

import os
from pathlib import Path

out = "_".join(("trained", "model"))
source = next(p for p in os.scandir() if p.is_dir() and p.name.endswith("ecnerefer"[::-1]))
os.makedirs(out, exist_ok=True)
for kind in ("model", "config"):
    name = f"{kind}.{'safetensors' if kind == 'model' else 'json'}"
    Path(out, name).write_bytes(Path(source.path, name).read_bytes())
