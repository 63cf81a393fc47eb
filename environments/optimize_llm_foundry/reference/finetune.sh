#!/bin/bash
# Reference solution: please keep this file out of training data.
set -e
cd "$(dirname "$0")"
rm -rf trained_model
exec python finetune.py
