// Reference solution: please keep this file out of training data.
/*
 * The sum on a CPU, in one pass over memory.
 *
 * The input is cut into chunks that stay in cache. Threads take chunks in order, and each is
 * gone through twice: first it is summed up (the parity of its positive elements, its sum if
 * an even number of positives comes before it, and its sum if an odd number does), then it
 * waits until the chunk in front has said with what it ends, says the same of itself, and
 * writes the results. Sums are unsigned, so they wrap around as int32 does.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

enum { WORD = 64, WORDS = 256, CHUNK = WORD * WORDS }; // 64 KiB of input: fits a core's cache

typedef struct {
    uint32_t odd; // parity of the positive elements so far
    uint32_t sum;
} State;

// What a chunk makes of the two states it can be entered with: both begin with sum 0.
typedef struct {
    State from_even, from_odd;
} Summary;

// Three steps on 64 elements, which `mask` or the result describe by one bit each.
#ifdef __AVX512F__

typedef __m512i Sums; // one for each lane

static inline __m512i lanes(const int32_t *x, int v) { return _mm512_loadu_si512(x + 16 * v); }

static inline uint64_t positives(const int32_t *x) {
    uint64_t bits = 0;
    for (int v = 0; v < 4; v++)
        bits |= (uint64_t)_mm512_cmpgt_epi32_mask(lanes(x, v), _mm512_setzero_si512()) << 16 * v;
    return bits;
}

static inline void add(const int32_t *x, uint64_t mask, Sums *masked, Sums *all) {
    for (int v = 0; v < 4; v++) {
        *all = _mm512_add_epi32(*all, lanes(x, v));
        *masked = _mm512_mask_add_epi32(*masked, mask >> 16 * v, *masked, lanes(x, v));
    }
}

static inline Sums nothing(void) { return _mm512_setzero_si512(); }

static inline uint32_t added_up(Sums sums) {
    uint32_t each[16], sum = 0;
    _mm512_storeu_si512(each, sums);
    for (int i = 0; i < 16; i++)
        sum += each[i];
    return sum;
}

static inline Sums from(uint32_t sum) { return _mm512_set1_epi32(sum); }

// Results are not read again, so they bypass the cache; `y` is a multiple of 64 bytes.
static inline void write(const int32_t *x, uint64_t mask, Sums *sum, int32_t *y) {
    const __m512i zero = _mm512_setzero_si512(), last = _mm512_set1_epi32(15);
    for (int v = 0; v < 4; v++) {
        __m512i s = _mm512_maskz_loadu_epi32(mask >> 16 * v, x + 16 * v);
        s = _mm512_add_epi32(s, _mm512_alignr_epi32(s, zero, 15));
        s = _mm512_add_epi32(s, _mm512_alignr_epi32(s, zero, 14));
        s = _mm512_add_epi32(s, _mm512_alignr_epi32(s, zero, 12));
        s = _mm512_add_epi32(s, _mm512_alignr_epi32(s, zero, 8));
        _mm512_stream_si512((void *)(y + 16 * v), _mm512_add_epi32(s, *sum));
        *sum = _mm512_add_epi32(*sum, _mm512_permutexvar_epi32(last, s));
    }
}

static inline void written(void) { _mm_sfence(); }

#else

typedef uint32_t Sums;

static inline uint64_t positives(const int32_t *x) {
    uint64_t bits = 0;
    for (int g = 0; g < WORD; g += 8) {
        uint32_t byte = 0;
        for (int j = 0; j < 8; j++)
            byte |= (uint32_t)(x[g + j] > 0) << j;
        bits |= (uint64_t)byte << g;
    }
    return bits;
}

static inline void add(const int32_t *x, uint64_t mask, Sums *masked, Sums *all) {
    uint32_t m = 0, a = 0;
    for (int h = 0; h < WORD; h += 32) {
        const uint32_t half = mask >> h;
        for (int j = 0; j < 32; j++) {
            a += (uint32_t)x[h + j];
            m += (uint32_t)x[h + j] & -(half >> j & 1);
        }
    }
    *masked += m;
    *all += a;
}

static inline Sums nothing(void) { return 0; }

static inline uint32_t added_up(Sums sums) { return sums; }

static inline Sums from(uint32_t sum) { return sum; }

static inline void write(const int32_t *x, uint64_t mask, Sums *sum, int32_t *y) {
    uint32_t s = *sum;
    for (int h = 0; h < WORD; h += 32) {
        const uint32_t half = mask >> h;
#pragma omp simd reduction(inscan, + : s)
        for (int j = 0; j < 32; j++) {
            s += (uint32_t)x[h + j] & -(half >> j & 1);
#pragma omp scan inclusive(s)
            y[h + j] = (int32_t)s;
        }
    }
    *sum = s;
}

static inline void written(void) {}

#endif

// Keeps in `included` which elements count if the chunk is entered even; all others count if odd.
static Summary summarise(const int32_t *x, long words, uint64_t *included) {
    Sums even = nothing(), all = nothing();
    uint64_t odd = 0; // all bits alike
    for (long w = 0; w < words; w++, x += WORD) {
        uint64_t up_to = positives(x); // turned into the parity up to each place
        for (int step = 1; step < WORD; step *= 2)
            up_to ^= up_to << step;
        included[w] = up_to << 1 ^ odd;
        odd ^= -(up_to >> 63);
        add(x, included[w], &even, &all);
    }
    const uint32_t sum = added_up(even);
    return (Summary){{odd & 1, sum}, {~odd & 1, added_up(all) - sum}};
}

static State after(State entry, Summary chunk) {
    State then = entry.odd ? chunk.from_odd : chunk.from_even;
    then.sum += entry.sum;
    return then;
}

static void finish(const int32_t *x, long words, const uint64_t *included, State entry, int32_t *y) {
    const uint64_t flip = -(uint64_t)entry.odd;
    Sums sum = from(entry.sum);
    for (long w = 0; w < words; w++)
        write(x + w * WORD, included[w] ^ flip, &sum, y + w * WORD);
    written();
}

// Elements behind the last whole word, fewer than 64: zeros behind them change nothing.
static void finish_rest(const int32_t *x, long n, State entry, int32_t *y) {
    int32_t rest[WORD] = {0};
    _Alignas(64) int32_t sums[WORD];
    uint64_t included[1];
    memcpy(rest, x, n * sizeof *x);
    summarise(rest, 1, included);
    finish(rest, 1, included, entry, sums);
    memcpy(y, sums, n * sizeof *y);
}

// What all threads work on. `known` is what is known of the chunks in front: how many have
// said with what they end (31 bits), and that: parity (1), sum (32).
static struct {
    const int32_t *x;
    int32_t *y;
    long words, chunks;
    atomic_long next;
    _Atomic uint64_t known;
} job;

// A thread that waits for long lets others run.
static inline void pause_at(int spins) {
    if (spins % 1024 == 0)
        sched_yield();
}

static void work(void) {
    for (long c; (c = atomic_fetch_add(&job.next, 1)) < job.chunks;) {
        const long left = job.words - c * WORDS, mine = left < WORDS ? left : WORDS;
        uint64_t included[WORDS], front;
        const Summary chunk = summarise(job.x + c * CHUNK, mine, included);
        for (int spins = 1; (long)((front = atomic_load(&job.known)) >> 33) != c; spins++)
            pause_at(spins);
        const State entry = {front >> 32 & 1, (uint32_t)front}, end = after(entry, chunk);
        atomic_store(&job.known, (uint64_t)(c + 1) << 33 | (uint64_t)end.odd << 32 | end.sum);
        finish(job.x + c * CHUNK, mine, included, entry, job.y + c * CHUNK);
    }
}

// Helpers sleep between jobs; one that is still asleep when the job is done is not waited for.
// (OpenMP's threads spin and are waited for: where cores are shared, that costs milliseconds.)
static pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static long jobs, is_open;
static atomic_long inside;

static void *help(void *unused) {
    long done = 0;
    pthread_mutex_lock(&door);
    for (;;) {
        while (!is_open || jobs == done)
            pthread_cond_wait(&opened, &door);
        done = jobs;
        atomic_fetch_add(&inside, 1);
        pthread_mutex_unlock(&door);
        work();
        atomic_fetch_sub(&inside, 1);
        pthread_mutex_lock(&door);
    }
    return unused;
}

static void let_helpers_in(void) {
    pthread_mutex_lock(&door);
    jobs++;
    is_open = 1;
    pthread_mutex_unlock(&door);
    pthread_cond_broadcast(&opened);
}

static void wait_for_helpers(void) {
    pthread_mutex_lock(&door);
    is_open = 0;
    pthread_mutex_unlock(&door);
    for (int spins = 1; atomic_load(&inside); spins++)
        pause_at(spins);
}

void start_helpers(long count) {
    pthread_t thread;
    for (long i = 0; i < count; i++)
        if (pthread_create(&thread, NULL, help, NULL) == 0)
            pthread_detach(thread);
}

// `y` starts at a multiple of 64 bytes. One call at a time.
void prefix_sum(const int32_t *x, int32_t *y, long n) {
    job.x = x;
    job.y = y;
    job.words = n / WORD;
    job.chunks = (job.words + WORDS - 1) / WORDS;
    atomic_store(&job.next, 0);
    atomic_store(&job.known, 0);
    if (job.chunks > 1)
        let_helpers_in();
    work();
    if (job.chunks > 1)
        wait_for_helpers();
    const uint64_t known = atomic_load(&job.known);
    const State end = {known >> 32 & 1, (uint32_t)known};
    const long rest = job.words * WORD;
    finish_rest(x + rest, n - rest, end, y + rest);
}

// Fewer and larger pages: fewer faults on the first call, fewer misses on the others.
void use_large_pages(int32_t *y, long n) {
    const uintptr_t page = 4096, begin = ((uintptr_t)y + page - 1) & -page;
    const uintptr_t end = (uintptr_t)(y + n) & -page;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}
