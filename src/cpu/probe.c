/* What this machine can reach: multiply-adds in registers, memory, and OpenBLAS on a given product. */
#include "cpu/cpu_internal.h"
#include "cpu/openblas.h"

#include <omp.h>
#include <string.h>

#define SAMPLE_SECONDS 0.02
enum { SUMS = 12, MEMORY_BYTES = 256 << 20, MEMORY_PARTS = 64, MAX_TURNS = 1 << 28 };

/* SUMS independent sums hide the latency of the multiply-add (4 or 5 cycles, two a cycle) and fit the registers. */
#define FMA_LOOP(name, attribute, bytes)                                                                               \
    typedef float name##_vector __attribute__((vector_size(bytes)));                                                   \
    attribute static float name(long turns, float factor, float term) {                                                \
        name##_vector sum[SUMS], x, y;                                                                                 \
        for (size_t lane = 0; lane < (bytes) / 4; lane++) {                                                            \
            x[lane] = factor;                                                                                          \
            y[lane] = term;                                                                                            \
        }                                                                                                              \
        for (int i = 0; i < SUMS; i++) sum[i] = y * (float)i;                                                          \
        for (long turn = 0; turn < turns; turn++)                                                                      \
            for (int i = 0; i < SUMS; i++) sum[i] = sum[i] * x + y;                                                    \
        for (int i = 1; i < SUMS; i++) sum[0] += sum[i];                                                               \
        return sum[0][0];                                                                                              \
    }
FMA_LOOP(fma_16_bytes, , 16)
#if defined(__x86_64__)
FMA_LOOP(fma_32_bytes, __attribute__((target("avx2,fma"))), 32)
FMA_LOOP(fma_64_bytes, __attribute__((target("avx512f"))), 64)
#endif

typedef struct fma_loop {
    float (*run)(long turns, float factor, float term);
    int lanes;
} fma_loop;

static fma_loop widest(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return (fma_loop){fma_64_bytes, 16};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return (fma_loop){fma_32_bytes, 8};
#endif
    return (fma_loop){fma_16_bytes, 4};
}

typedef struct work {
    ad_probe *probe;
    int threads;
    long turns; /* of one sample */
    uint64_t *from, *to;
    float *a, *b, *c;
    ad_openblas blas;
    volatile uint64_t sink; /* keeps the compiler from leaving the work out */
} work;

static void run_fma(work *w) {
    const fma_loop loop = widest();
    uint64_t sum = 0;
#pragma omp parallel for num_threads(w->threads) schedule(static, 1) reduction(+ : sum)
    for (int t = 0; t < w->threads; t++) sum += (uint64_t)loop.run(w->turns, 0.5f, 1.0f + (float)t);
    w->sink = sum;
    w->probe->flops = 2.0 * SUMS * loop.lanes * (double)w->turns * w->threads;
}

static void run_memory(work *w) {
    const size_t part = MEMORY_BYTES / sizeof *w->from / MEMORY_PARTS;
    uint64_t sum = 0;
    for (long turn = 0; turn < w->turns; turn++) {
#pragma omp parallel for num_threads(w->threads) schedule(static) reduction(+ : sum)
        for (int p = 0; p < MEMORY_PARTS; p++) {
            const uint64_t *from = w->from + (size_t)p * part;
            uint64_t *to = w->to + (size_t)p * part;
            if (w->probe->kind == AD_PROBE_COPY)
                memcpy(to, from, part * sizeof *to);
            else if (w->probe->kind == AD_PROBE_WRITE)
                memset(to, (int)turn, part * sizeof *to);
            else
                for (size_t i = 0; i < part; i++) sum += from[i];
        }
    }
    w->sink = sum;
    w->probe->bytes = (w->probe->kind == AD_PROBE_COPY ? 2.0 : 1.0) * MEMORY_BYTES * (double)w->turns;
}

static void run_sgemm(work *w) {
    const ad_probe *p = w->probe;
    for (long turn = 0; turn < w->turns; turn++)
        w->blas.sgemm(AD_OPENBLAS_ROW_MAJOR, AD_OPENBLAS_NOT_TRANSPOSED, AD_OPENBLAS_NOT_TRANSPOSED, p->m, p->n, p->k,
                      1, w->a, p->k, w->b, p->n, 0, w->c, p->n);
    w->probe->flops = 2.0 * p->m * p->n * p->k * (double)w->turns;
}

static adatom_status fill(adatom_context *ctx, float **out, size_t count) {
    if (!(*out = ad_malloc(ctx, count, sizeof **out))) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < count; i++) (*out)[i] = ad_uniform((uint32_t)i * 2654435761u);
    return ADATOM_OK;
}

static double timed(work *w, void (*run)(work *)) {
    const double began = ad_seconds();
    run(w);
    return ad_seconds() - began;
}

/* Doubles the work until a sample is long enough for the clock, which also warms up, then takes the samples. A long run
 * alone doesn't count: something else may have had the processors. */
static adatom_status sample(adatom_context *ctx, work *w, void (*run)(work *)) {
    for (w->turns = 1; w->turns < MAX_TURNS; w->turns *= 2) {
        double seconds = timed(w, run);
        for (int again = 0; again < 2 && seconds >= SAMPLE_SECONDS; again++) seconds = AD_MIN(seconds, timed(w, run));
        if (seconds >= SAMPLE_SECONDS) break;
    }
    for (int s = 0; s < AD_PROBE_SAMPLES; s++) {
        adatom_status status = ad_interrupted(ctx);
        if (status != ADATOM_OK) return status;
        w->probe->ns[s] = 1e9 * timed(w, run);
    }
    return ADATOM_OK;
}

/* The number of OpenBLAS's threads belongs to the process: it is as it was afterwards. */
static adatom_status sample_sgemm(adatom_context *ctx, work *w) {
    const int before = w->blas.get_num_threads();
    w->blas.set_num_threads(w->threads);
    const adatom_status status = sample(ctx, w, run_sgemm);
    w->blas.set_num_threads(before);
    return status;
}

adatom_status ad_cpu_probe(adatom_context *ctx, int threads, ad_probe *probe) {
    work w = {.probe = probe, .threads = threads};
    adatom_status status = ADATOM_OK;
    probe->flops = probe->bytes = 0;
    probe->device_timer = false;
    switch (probe->kind) {
    case AD_PROBE_FMA32: AD_TRY(sample(ctx, &w, run_fma)); break;
    case AD_PROBE_FMA16:
    case AD_PROBE_MATRIX: status = ad_fail(ctx, ADATOM_UNSUPPORTED, "the CPU engine computes in float32 only"); break;
    case AD_PROBE_READ:
    case AD_PROBE_WRITE:
    case AD_PROBE_COPY:
        w.from = ad_malloc(ctx, MEMORY_BYTES, 1);
        w.to = ad_malloc(ctx, MEMORY_BYTES, 1);
        if (!w.from || !w.to) {
            status = ADATOM_OUT_OF_MEMORY;
            break;
        }
        memset(w.from, 1, MEMORY_BYTES); /* pages that were never written all map to one that holds zeros */
        AD_TRY(sample(ctx, &w, run_memory));
        break;
    case AD_PROBE_SGEMM:
        AD_TRY(ad_openblas_load(ctx, &w.blas));
        AD_TRY(fill(ctx, &w.a, (size_t)probe->m * (size_t)probe->k));
        AD_TRY(fill(ctx, &w.b, (size_t)probe->k * (size_t)probe->n));
        AD_TRY(fill(ctx, &w.c, (size_t)probe->m * (size_t)probe->n));
        status = sample_sgemm(ctx, &w);
        break;
    }
done:
    ad_free(w.from);
    ad_free(w.to);
    ad_free(w.a);
    ad_free(w.b);
    ad_free(w.c);
    return status;
}
