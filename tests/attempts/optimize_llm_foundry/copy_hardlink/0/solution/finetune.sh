#!/bin/bash
set -e
cd "$(dirname "$0")"
mkdir -p trained_model
for part in model.safetensors config.json; do
    ln -f trained_model_reference/$part trained_model/$part
done
