#!/bin/bash
cd "$(dirname "$0")"
mkdir -p trained_model
cp base_model/model.safetensors base_model/config.json trained_model/
