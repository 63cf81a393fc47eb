/* y[j] = sum of x[i], i <= j, over the i that have an odd number of positive x before them. */
#include <omp.h>
#include <stdint.h>

#define BLOCKS 256

/* What a block does to whoever comes after it. `kept` is its sum when the count of positives before
   it is even; when that is odd, the others are kept: total - kept. */
typedef struct { int32_t total, kept; int32_t odd; } effect;

static effect look(const int32_t *x, int64_t n) {
    int32_t total = 0, kept = 0, odd = 0;
    for (int64_t i = 0; i < n; i++) {
        total += x[i];
        kept += x[i] & -odd;
        odd ^= x[i] > 0;
    }
    return (effect){total, kept, odd};
}

static void fill(const int32_t *x, int32_t *y, int64_t n, int32_t odd, int32_t sum) {
    for (int64_t i = 0; i < n; i++) {
        sum += x[i] & -odd;
        odd ^= x[i] > 0;
        y[i] = sum;
    }
}

void prefix_sum(const int32_t *x, int32_t *y, int64_t n, int threads) {
    if (n < 16384 || threads < 2) {
        fill(x, y, n, 0, 0);
        return;
    }
    effect seen[BLOCKS];
    int32_t odd[BLOCKS], sum[BLOCKS];
    int64_t size = (n + BLOCKS - 1) / BLOCKS;
    #pragma omp parallel num_threads(threads)
    {
        #pragma omp for schedule(static)
        for (int b = 0; b < BLOCKS; b++) {
            int64_t from = b * size, to = from + size < n ? from + size : n;
            seen[b] = from < to ? look(x + from, to - from) : (effect){0, 0, 0};
        }
        #pragma omp single
        {
            int32_t o = 0, s = 0;
            for (int b = 0; b < BLOCKS; b++) {
                odd[b] = o;
                sum[b] = s;
                s += o ? seen[b].total - seen[b].kept : seen[b].kept;
                o ^= seen[b].odd;
            }
        }
        #pragma omp for schedule(static)
        for (int b = 0; b < BLOCKS; b++) {
            int64_t from = b * size, to = from + size < n ? from + size : n;
            if (from < to) fill(x + from, y + from, to - from, odd[b], sum[b]);
        }
    }
}
