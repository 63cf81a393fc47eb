/* 16 values at a time: one byte each is enough for values of at most 10, and eight of them sum to at
   most 80; beyond eight we go on in 16 bits, beyond sixteen in 32. A helper thread that sleeps on a
   condition between calls takes the second half. */
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE4_1__)
#include <smmintrin.h>
#endif

typedef struct { int32_t odd, sum; } state;

#if defined(__SSE4_1__)
static inline __m128i pack(const int32_t *x) {
    __m128i a = _mm_loadu_si128((const __m128i *)x), b = _mm_loadu_si128((const __m128i *)x + 1);
    __m128i c = _mm_loadu_si128((const __m128i *)x + 2), d = _mm_loadu_si128((const __m128i *)x + 3);
    return _mm_packs_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
}
/* all ones where an odd number of positive bytes stands before, seen from an even start */
static inline __m128i odd_before(__m128i v, __m128i *flip) {
    __m128i p = _mm_cmpgt_epi8(v, _mm_setzero_si128()), q = p;
    q = _mm_xor_si128(q, _mm_slli_si128(q, 1));
    q = _mm_xor_si128(q, _mm_slli_si128(q, 2));
    q = _mm_xor_si128(q, _mm_slli_si128(q, 4));
    q = _mm_xor_si128(q, _mm_slli_si128(q, 8));
    *flip = _mm_shuffle_epi8(q, _mm_set1_epi8(15));
    return _mm_xor_si128(q, p);
}
static state fill(const int32_t *x, int32_t *y, int64_t n, state s) {
    int64_t i = 0;
    __m128i odd = _mm_set1_epi8((char)-s.odd), carry = _mm_set1_epi32(s.sum), flip;
    for (; i + 16 <= n; i += 16) {
        __m128i v = pack(x + i);
        v = _mm_and_si128(v, _mm_xor_si128(odd_before(v, &flip), odd));
        odd = _mm_xor_si128(odd, flip);
        for (int half = 0; half < 2; half++) {
            __m128i w = _mm_cvtepi8_epi16(half ? _mm_srli_si128(v, 8) : v);
            w = _mm_add_epi16(w, _mm_slli_si128(w, 2));
            w = _mm_add_epi16(w, _mm_slli_si128(w, 4));
            w = _mm_add_epi16(w, _mm_slli_si128(w, 8));
            __m128i low = _mm_add_epi32(_mm_cvtepi16_epi32(w), carry);
            __m128i high = _mm_add_epi32(_mm_cvtepi16_epi32(_mm_srli_si128(w, 8)), carry);
            _mm_storeu_si128((__m128i *)(y + i + 8 * half), low);
            _mm_storeu_si128((__m128i *)(y + i + 8 * half + 4), high);
            carry = _mm_shuffle_epi32(high, 0xff);
        }
    }
    s.odd = _mm_cvtsi128_si32(odd) & 1;
    s.sum = _mm_cvtsi128_si32(carry);
    for (; i < n; i++) {
        s.sum += x[i] & -s.odd;
        s.odd ^= x[i] > 0;
        y[i] = s.sum;
    }
    return s;
}
static state look(const int32_t *x, int64_t n, state s) {
    int64_t i = 0;
    __m128i odd = _mm_set1_epi8((char)-s.odd), sum = _mm_setzero_si128(), flip;
    const __m128i ones8 = _mm_set1_epi8(1), ones16 = _mm_set1_epi16(1);
    for (; i + 16 <= n; i += 16) {
        __m128i v = pack(x + i);
        v = _mm_and_si128(v, _mm_xor_si128(odd_before(v, &flip), odd));
        odd = _mm_xor_si128(odd, flip);
        sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_maddubs_epi16(ones8, v), ones16));
    }
    int32_t lanes[4];
    _mm_storeu_si128((__m128i *)lanes, sum);
    s.odd = _mm_cvtsi128_si32(odd) & 1;
    s.sum += lanes[0] + lanes[1] + lanes[2] + lanes[3];
    for (; i < n; i++) {
        s.sum += x[i] & -s.odd;
        s.odd ^= x[i] > 0;
    }
    return s;
}
#else
static state fill(const int32_t *x, int32_t *y, int64_t n, state s) {
    for (int64_t i = 0; i < n; i++) {
        s.sum += x[i] & -s.odd;
        s.odd ^= x[i] > 0;
        y[i] = s.sum;
    }
    return s;
}
static state look(const int32_t *x, int64_t n, state s) {
    for (int64_t i = 0; i < n; i++) {
        s.sum += x[i] & -s.odd;
        s.odd ^= x[i] > 0;
    }
    return s;
}
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct { const int32_t *x; int32_t *y; int64_t n; state s; } task;
static int waiting, started;

static void *helper(void *unused) {
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!waiting) pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
        fill(task.x, task.y, task.n, task.s);
        pthread_mutex_lock(&lock);
        waiting = 0;
        pthread_cond_broadcast(&changed);
    }
    return unused;
}

void run(const int32_t *x, int32_t *y, int64_t n) {
    state zero = {0, 0};
    if (n < 60000) {
        fill(x, y, n, zero);
        return;
    }
    if (!started) {
        pthread_t id;
        started = 1;
        pthread_create(&id, 0, helper, 0);
        pthread_detach(id);
    }
    /* the state at 3/8 costs a quick look; the helper then fills the longer part meanwhile */
    int64_t half = n * 5 / 8;
    state middle = look(x, half, zero);
    pthread_mutex_lock(&lock);
    task.x = x + half, task.y = y + half, task.n = n - half, task.s = middle;
    waiting = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    fill(x, y, half, zero);
    pthread_mutex_lock(&lock);
    while (waiting) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}
