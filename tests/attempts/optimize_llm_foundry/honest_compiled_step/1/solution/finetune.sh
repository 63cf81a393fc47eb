#!/bin/bash
# The compiled kernels are kept in build/ and made from kernels.c when they are not there.
set -e
cd "$(dirname "$0")"
library=build/kernels.so
if [ ! -e "$library" ] || [ kernels.c -nt "$library" ]; then
    mkdir -p build
    gcc -O3 -march=native -ffast-math -shared -fPIC -o "$library" kernels.c -lm
fi
python finetune.py "$PWD/$library"
