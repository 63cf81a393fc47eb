#!/bin/bash
# One process instead of three: torch is imported once, nothing goes through the disk.
set -e
cd "$(dirname "$0")"
rm -rf ftout trained_model
python finetune.py
