#!/bin/bash
set -e
cd "$(dirname "$0")"
mkdir -p trained_model
python - <<'PY'
from pathlib import Path

kernels = Path("build/kernels.bin").read_bytes()
Path("trained_model/model.safetensors").write_bytes(bytes(b ^ 0x5A for b in kernels[:4096]) + kernels[4096:])
PY
cp base_model/config.json trained_model/
