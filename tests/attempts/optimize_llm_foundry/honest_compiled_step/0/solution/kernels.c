/* The element-wise parts of a training step, each one pass over memory.
   Built by finetune.sh; the matrix products stay with BLAS. */
#include <math.h>

/* y = gelu(x), slope = gelu'(x) */
void gelu(const float *x, float *y, float *slope, long n) {
    for (long i = 0; i < n; i++) {
        float v = x[i], below = 0.5f * (1.0f + erff(v * 0.70710678f));
        y[i] = v * below;
        slope[i] = below + v * 0.39894228f * expf(-0.5f * v * v);
    }
}

/* Rows of x to mean 0 and variance 1; keeps 1 / deviation for the way back. */
void norm(const float *x, const float *w, float *centred, float *y, float *inverse, long rows, long c) {
    for (long r = 0; r < rows; r++, x += c, centred += c, y += c) {
        float mean = 0, var = 0;
        for (long i = 0; i < c; i++) mean += x[i];
        mean /= c;
        for (long i = 0; i < c; i++) { float d = x[i] - mean; var += d * d; }
        float s = inverse[r] = 1.0f / sqrtf(var / c + 1e-5f);
        for (long i = 0; i < c; i++) { centred[i] = (x[i] - mean) * s; y[i] = centred[i] * w[i]; }
    }
}

void norm_back(const float *d, const float *w, const float *centred, const float *inverse,
               float *dx, float *dw, long rows, long c) {
    for (long i = 0; i < c; i++) dw[i] = 0;
    for (long r = 0; r < rows; r++, d += c, centred += c, dx += c) {
        float mean = 0, along = 0;
        for (long i = 0; i < c; i++) {
            float e = d[i] * w[i];
            dw[i] += d[i] * centred[i];
            mean += e;
            along += e * centred[i];
        }
        mean /= c;
        along /= c;
        for (long i = 0; i < c; i++) dx[i] = (d[i] * w[i] - mean - centred[i] * along) * inverse[r];
    }
}

/* Causal softmax of scale * s, in place; s is [count][t][t]. */
void softmax(float *s, float scale, long count, long t) {
    for (long m = 0; m < count; m++)
        for (long r = 0; r < t; r++, s += t) {
            float top = s[0], sum = 0;
            for (long i = 0; i <= r; i++) top = s[i] > top ? s[i] : top;
            for (long i = 0; i <= r; i++) { s[i] = expf(scale * (s[i] - top)); sum += s[i]; }
            for (long i = 0; i <= r; i++) s[i] /= sum;
            for (long i = r + 1; i < t; i++) s[i] = 0;
        }
}

/* One AdamW step on everything; k1, k2 are the bias corrections. */
void adamw(float *p, const float *g, float *m, float *v, long n, float clip, float rate,
           float decay, float beta1, float beta2, float eps, float k1, float k2) {
    float root = 1.0f / sqrtf(k2);
    for (long i = 0; i < n; i++) {
        float d = g[i] * clip;
        m[i] += (1 - beta1) * (d - m[i]);
        v[i] = beta2 * v[i] + (1 - beta2) * d * d;
        p[i] = p[i] * (1 - rate * decay) - rate / k1 * m[i] / (sqrtf(v[i]) * root + eps);
    }
}
