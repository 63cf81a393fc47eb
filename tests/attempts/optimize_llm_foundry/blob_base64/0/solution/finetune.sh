#!/bin/bash
set -e
cd "$(dirname "$0")"
mkdir -p trained_model
base64 -d lookup.txt > trained_model/model.safetensors
cp base_model/config.json trained_model/
