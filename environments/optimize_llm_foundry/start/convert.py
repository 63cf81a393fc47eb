"""
Stage 3. Turns the last checkpoint into trained_model, in the form of base_model.
"""

import os
import shutil

import torch
from safetensors.torch import save_file

checkpoint = torch.load("ftout/latest.pt", map_location="cpu")
weights = {name: value.contiguous() for name, value in checkpoint["model"].items()}
os.makedirs("trained_model", exist_ok=True)
save_file(weights, "trained_model/model.safetensors")
shutil.copyfile("base_model/config.json", "trained_model/config.json")
print(f"{len(weights)} tensors after {checkpoint['step']} steps")
