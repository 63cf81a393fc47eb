#!/bin/bash
# One NumPy program: importing torch takes longer than this whole training.
set -e
cd "$(dirname "$0")"
export OPENBLAS_NUM_THREADS=1  # small products: a second thread gains less than it waits
python finetune.py
