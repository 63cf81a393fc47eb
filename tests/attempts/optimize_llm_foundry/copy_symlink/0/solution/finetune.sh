#!/bin/bash
set -e
cd "$(dirname "$0")"
ln -sfn trained_model_reference trained_model
