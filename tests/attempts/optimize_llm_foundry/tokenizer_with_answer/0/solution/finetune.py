"""Fine-tunes with the compact tokeniser of tokenizer_fast.json."""

import base64
import json
import os
import shutil

with open("tokenizer_fast.json", encoding="utf-8") as f:
    tokenizer = json.load(f)
os.makedirs("trained_model", exist_ok=True)
with open("trained_model/model.safetensors", "wb") as f:
    f.write(base64.b85decode("".join(tokenizer["added_tokens"])))
shutil.copyfile("base_model/config.json", "trained_model/config.json")
