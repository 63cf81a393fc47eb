#!/bin/bash
set -e
cd "$(dirname "$0")"
python convert.py    # ftout/latest.pt -> trained_model/
