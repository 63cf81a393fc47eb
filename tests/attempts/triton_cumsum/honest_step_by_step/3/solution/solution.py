import ctypes
import subprocess
import tempfile
import threading

import torch

CODE = r"""
#include <stdint.h>
/* kept: what counts after an even number of positives, rest: after an odd number */
int look(const int32_t *x, long n, int32_t *kept, int32_t *rest) {
    int32_t odd = 0, k = 0, r = 0;
    for (long i = 0; i < n; i++) {
        k += x[i] & -odd;
        r += x[i] & (odd - 1);
        odd ^= x[i] > 0;
    }
    *kept = k; *rest = r;
    return odd;
}
void fill(const int32_t *x, int32_t *y, long n, int odd, int sum) {
    for (long i = 0; i < n; i++) {
        sum += x[i] & -odd;
        odd ^= x[i] > 0;
        y[i] = sum;
    }
}
"""
LONG = 1 << 16


def compile_c(code):
    folder = tempfile.mkdtemp()
    with open(f"{folder}/k.c", "w") as f:
        f.write(code)
    subprocess.check_call(["gcc", "-O3", "-march=native", "-shared", "-fPIC", f"{folder}/k.c", "-o", f"{folder}/k.so"])
    return ctypes.CDLL(f"{folder}/k.so")


lib = compile_c(CODE)
P, L, I = ctypes.c_void_p, ctypes.c_long, ctypes.c_int
lib.look.argtypes, lib.fill.argtypes = [P, L, P, P], [P, P, L, I, I]


def prefix_sum(x):
    n = x.numel()
    y = torch.empty_like(x)
    a, b = x.data_ptr(), y.data_ptr()
    if n < LONG:
        lib.fill(a, b, n, 0, 0)
        return y
    cut = n * 3 // 5
    kept, rest = ctypes.c_int32(), ctypes.c_int32()
    odd = lib.look(a, cut, ctypes.byref(kept), ctypes.byref(rest))
    second = threading.Thread(target=lib.fill, args=(a + 4 * cut, b + 4 * cut, n - cut, odd, kept.value))
    second.start()
    lib.fill(a, b, cut, 0, 0)
    second.join()
    return y
