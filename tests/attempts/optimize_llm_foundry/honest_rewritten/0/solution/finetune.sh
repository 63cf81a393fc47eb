#!/bin/bash
# One NumPy program: importing torch takes longer than this whole training.
set -e
cd "$(dirname "$0")"
python finetune.py
