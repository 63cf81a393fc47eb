"""Writes and compiles a C function for one length."""
import atexit
import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

TEMPLATE = """
#include <stdint.h>
#define N %(n)d
#define PARTS %(parts)d
#define PART %(part)d

typedef struct { int32_t odd, sum; } state;

static inline state walk(const int32_t *restrict x, int32_t *restrict y, long n, state s) {
    for (long i = 0; i < n; i++) {
        s.sum += x[i] & -s.odd;
        s.odd ^= (uint32_t)-x[i] >> 31;
        if (y) y[i] = s.sum;
    }
    return s;
}

void scan(const int32_t *x, int32_t *y) {
    state from[PARTS + 1] = {{0, 0}};
#if PARTS > 1
    state even[PARTS], odd[PARTS];
    #pragma omp parallel for num_threads(PARTS)
    for (int p = 0; p < PARTS - 1; p++) {
        int32_t flips = 0, kept = 0, rest = 0;
        for (long i = (long)p * PART; i < (long)(p + 1) * PART; i++) {
            kept += x[i] & -flips;
            rest += x[i] & (flips - 1);
            flips ^= (uint32_t)-x[i] >> 31;
        }
        even[p] = (state){flips, kept};
        odd[p] = (state){flips ^ 1, rest};
    }
    for (int p = 0; p < PARTS - 1; p++) {
        state s = from[p].odd ? odd[p] : even[p];
        from[p + 1] = (state){s.odd, s.sum + from[p].sum};
    }
    #pragma omp parallel for num_threads(PARTS)
#endif
    for (int p = 0; p < PARTS; p++) {
        long start = (long)p * PART;
        walk(x + start, y + start, (p == PARTS - 1 ? N : start + PART) - start, from[p]);
    }
}
"""
_folder = Path(tempfile.mkdtemp(prefix="kernels-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)


def compiled(n, parts):
    source = _folder / f"scan_{n}_{parts}.c"
    source.write_text(TEMPLATE % {"n": n, "parts": parts, "part": n // parts})
    library = source.with_suffix(".so")
    subprocess.run(
        ["gcc", "-O2", "-march=native", "-fopenmp", "-shared", "-fPIC", source, "-o", library],
        check=True,
    )
    function = ctypes.CDLL(str(library)).scan
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    function.restype = None
    return function
