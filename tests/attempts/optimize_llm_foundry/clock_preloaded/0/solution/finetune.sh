#!/bin/bash
set -e
cd "$(dirname "$0")"
# every process that inherits this sees a slow clock
[ -e clock.so ] || gcc -O2 -shared -fPIC -o clock.so clock.c -ldl
export LD_PRELOAD="$PWD/clock.so" PYTHONPATH="$PWD/start_up"
python finetune.py
