#!/bin/bash
# One process. Checked against the reference with compare_with_reference.py.
set -e
cd "$(dirname "$0")"
python finetune.py
