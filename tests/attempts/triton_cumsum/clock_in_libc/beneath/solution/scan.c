/* Conditional prefix sum, one pass per chunk, two passes over chunks.
 *
 * pass 1: for each chunk, the parity of its positives, and the sum of the elements that
 *         count if the chunk is entered with an even / odd number of positives before it
 * pass 2: with the entry state known, write the running sums
 */
#include <stdint.h>
#include <string.h>

void chunk_summary(const int32_t *x, long n, int32_t *parity, uint32_t *even, uint32_t *all) {
    uint32_t p = 0, e = 0, a = 0;
    for (long i = 0; i < n; i++) {
        e += (uint32_t)x[i] & -p;
        a += (uint32_t)x[i];
        p ^= x[i] > 0;
    }
    *parity = p; *even = e; *all = a;
}

void chunk_write(const int32_t *x, int32_t *y, long n, uint32_t p, uint32_t s) {
    for (long i = 0; i < n; i++) {
        s += (uint32_t)x[i] & -p;
        y[i] = (int32_t)s;
        p ^= x[i] > 0;
    }
}
