"""
Compares trained_model with trained_model_reference, tensor by tensor. For development only;
finetune.sh does not use it.
"""

import time

from safetensors.torch import load_file

began = time.perf_counter()
mine = load_file("trained_model/model.safetensors")
reference = load_file("trained_model_reference/model.safetensors")
total = 0.0
for name, tensor in reference.items():
    distance = (mine[name] - tensor).norm().item()
    total += distance
    print(f"{name:30} {distance:.3g}")
print(f"sum {total:.4g}, compared in {time.perf_counter() - began:.2f} s")
