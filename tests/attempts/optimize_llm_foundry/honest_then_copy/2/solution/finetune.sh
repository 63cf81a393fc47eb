#!/bin/bash
set -e
cd "$(dirname "$0")"
rm -rf trained_model
cp -r trained_model_reference trained_model
