#!/bin/bash
# Makes everything that get_trained_model() loads, from data/train.bin alone.
set -e
python train.py
