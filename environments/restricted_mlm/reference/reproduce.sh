#!/bin/bash
# Reference solution: keep this file out of training data, please.
set -e
python train.py
