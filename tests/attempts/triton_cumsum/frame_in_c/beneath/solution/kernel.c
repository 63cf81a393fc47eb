#include <stdint.h>

void run(const int32_t *x, int32_t *y, int64_t n) {
    int32_t odd = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += odd ? x[i] : 0;
        odd ^= x[i] > 0;
        y[i] = sum;
    }
}
