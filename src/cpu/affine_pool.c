/* AFFINE_POOL, AFFINE_POOL_BACK, AFFINE_POOL_SUMS: batch norm's end and maximum pooling over windows that do not
 * overlap. The bytes of winner are addressed one by one, as they lie on little-endian machines: byte c of a position is
 * channel c. */
#include "cpu/cpu_internal.h"
#include "plan/activation.h"

#include <string.h>

/* A row of windows: k rows of pixels of one image. What is absent is NULL. */
typedef struct windows {
    const float *x, *coef, *residual; /* forward */
    const float *dy, *back, *mean;    /* backward */
    float *y, *dx, *dresidual, *sums;
    uint8_t *winner;
    size_t count, c, row; /* windows, channels, floats of a row of pixels */
    size_t columns;       /* pixels of a row */
    size_t k;
    float slope;
    bool capped, accumulate;
} windows;

/* act(v) for v > 0 is v, else slope*v, and 6 where that is above it and capped; act' likewise 1 or slope, and 0 from 6
 * on. */
static float slope_of(const ad_op *op) {
    return op->i[0] == AD_ACT_NONE ? 1.0f : op->i[0] == AD_ACT_LEAKY ? op->f[0] : 0.0f;
}
static bool is_capped(const ad_op *op) { return op->i[0] == AD_ACT_RELU6; }
static inline __attribute__((always_inline)) float slope_times(float slope, bool capped, float y, float dy) {
    const float d = y > 0 ? dy : slope * dy;
    return capped ? (y >= 6 ? 0.0f : 1.0f) * d : d;
}

/* ---- forward ---- */
/* These are inlined with constant arguments: one loop over channels without conditions for each combination of
 * operands. */
static inline __attribute__((always_inline)) void pool_loop(const windows *a, size_t k, bool capped, bool coef,
                                                            bool residual, bool winner) {
    const size_t c = a->c, row = a->row;
    const float slope = a->slope, *scale = a->coef, *shift = coef ? scale + c : NULL;
    for (size_t q = 0; q < a->count; q++) {
        const float *x = a->x + q * k * c, *beside = residual ? a->residual + q * k * c : NULL;
        float *y = a->y + q * c;
        uint8_t *to = winner ? a->winner + q * c : NULL;
        AD_CPU_PRAGMA(omp simd)
        for (size_t ch = 0; ch < c; ch++) {
            float best = 0;
            int first = 0;
            for (size_t i = 0; i < k; i++)
                for (size_t j = 0; j < k; j++) {
                    const size_t at = i * row + j * c + ch;
                    float v = coef ? scale[ch] * x[at] + shift[ch] : x[at];
                    v = residual ? v + beside[at] : v;
                    v = v > 0 ? v : slope * v;
                    if (capped) v = v > 6 ? 6 : v;
                    const bool better = i + j == 0 || v > best || v != v; /* a NaN stays one */
                    best = better ? v : best;
                    first = better ? (int)(i * k + j) : first;
                }
            y[ch] = best;
            if (winner) to[ch] = (uint8_t)first;
        }
    }
}

static inline __attribute__((always_inline)) void pool_combination(const windows *a, size_t k, bool capped) {
    if (a->winner && a->coef)
        a->residual ? pool_loop(a, k, capped, true, true, true) : pool_loop(a, k, capped, true, false, true);
    else if (a->winner)
        a->residual ? pool_loop(a, k, capped, false, true, true) : pool_loop(a, k, capped, false, false, true);
    else if (a->coef)
        a->residual ? pool_loop(a, k, capped, true, true, false) : pool_loop(a, k, capped, true, false, false);
    else
        a->residual ? pool_loop(a, k, capped, false, true, false) : pool_loop(a, k, capped, false, false, false);
}

AD_CLONES static void pool_two(const windows *a) { pool_combination(a, 2, false); }
AD_CLONES static void pool_any(const windows *a) { pool_combination(a, a->k, false); }
AD_CLONES static void pool_capped(const windows *a) { pool_combination(a, a->k, true); }

static void run_affine_pool(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, row = (size_t)g->w * c, oh = (size_t)g->oh, ow = (size_t)g->ow, k = (size_t)g->k,
                 n = (size_t)g->n;
    const size_t items = (size_t)call->tasks * n * oh;
    AD_CPU_PARALLEL(call, items * ow * c)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / oh / n);
        const size_t image = item / oh % n, p = item % oh, in = (image * (size_t)g->h + p * k) * row,
                     out = (image * oh + p) * ow * c;
        const float *residual = ad_cpu_at(call, 2, task);
        uint8_t *winner = ad_cpu_at(call, 4, task);
        const windows a = {.x = (const float *)ad_cpu_at(call, 0, task) + in,
                           .coef = ad_cpu_at(call, 1, task),
                           .residual = residual ? residual + in : NULL,
                           .y = (float *)ad_cpu_at(call, 3, task) + out,
                           .winner = winner ? winner + out : NULL,
                           .count = ow,
                           .c = c,
                           .row = row,
                           .k = k,
                           .slope = slope_of(call->op),
                           .capped = is_capped(call->op)};
        a.capped ? pool_capped(&a) : k == 2 ? pool_two(&a) : pool_any(&a);
    }
}

/* ---- backward ---- */
static inline __attribute__((always_inline)) void back_pixel(const windows *a, size_t at, float d, size_t ch, bool back,
                                                             bool x, bool dx, bool dresidual, bool accumulate) {
    const size_t c = a->c;
    const float product = back ? a->back[ch] * d : d;
    if (dx) a->dx[at] = back && x ? product + (a->back[c + ch] * a->x[at] + a->back[2 * c + ch]) : product;
    if (dresidual) a->dresidual[at] = accumulate ? a->dresidual[at] + d : d;
}

/* A row of pixels, written from left to right: row i of the windows, or with windows = false one below the last of
 * them. */
static inline __attribute__((always_inline)) void back_loop(const windows *a, size_t i, bool capped, bool back, bool x,
                                                            bool dx, bool dresidual, bool accumulate) {
    const size_t c = a->c, k = a->k, covered = a->count * k;
    const float slope = a->slope;
    for (size_t q = 0; q < a->count; q++)
        for (size_t j = 0; j < k; j++) {
            const float *y = a->y + q * c, *dy = a->dy + q * c;
            const uint8_t *winner = a->winner + q * c;
            const int tap = (int)(i * k + j);
            AD_CPU_PRAGMA(omp simd)
            for (size_t ch = 0; ch < c; ch++) {
                const float d = slope_times(slope, capped, y[ch], dy[ch]);
                back_pixel(a, i * a->row + (q * k + j) * c + ch, winner[ch] == tap ? d : 0, ch, back, x, dx, dresidual,
                           accumulate);
            }
        }
    for (size_t w = covered; w < a->columns; w++) {
        AD_CPU_PRAGMA(omp simd)
        for (size_t ch = 0; ch < c; ch++)
            back_pixel(a, i * a->row + w * c + ch, 0, ch, back, x, dx, dresidual, accumulate);
    }
}

static inline __attribute__((always_inline)) void back_combination(const windows *a, size_t i, bool capped, bool dx,
                                                                   bool dresidual, bool accumulate) {
    if (dx && a->back && a->x)
        back_loop(a, i, capped, true, true, dx, dresidual, accumulate);
    else if (dx && a->back)
        back_loop(a, i, capped, true, false, dx, dresidual, accumulate);
    else
        back_loop(a, i, capped, false, false, dx, dresidual, accumulate);
}

/* A combination of results each. */
#define BACK(name, dx, dresidual, accumulate)                                                                          \
    AD_CLONES static void name(const windows *a, size_t i) {                                                           \
        if (a->capped)                                                                                                 \
            back_combination(a, i, true, dx, dresidual, accumulate);                                                   \
        else                                                                                                           \
            back_combination(a, i, false, dx, dresidual, accumulate);                                                  \
    }
BACK(back_dx, true, false, false)
BACK(back_both, true, true, false)
BACK(back_both_added, true, true, true)
BACK(back_dresidual, false, true, false)
BACK(back_dresidual_added, false, true, true)

static void back_row(const windows *a, size_t i) {
    if (a->dresidual && a->accumulate)
        a->dx ? back_both_added(a, i) : back_dresidual_added(a, i);
    else if (a->dresidual)
        a->dx ? back_both(a, i) : back_dresidual(a, i);
    else if (a->dx)
        back_dx(a, i);
}

static void run_affine_pool_back(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, row = (size_t)g->w * c, oh = (size_t)g->oh, ow = (size_t)g->ow, k = (size_t)g->k,
                 n = (size_t)g->n;
    const size_t h = (size_t)g->h, bands = (h + k - 1) / k,
                 items = (size_t)call->tasks * n * bands; /* the last one may lie below */
    AD_CPU_PARALLEL(call, items * k * row)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / bands / n);
        const size_t image = item / bands % n, p = item % bands, in = (image * h + p * k) * row;
        const size_t out = (image * oh + AD_MIN(p, oh - 1)) * ow * c;
        const float *x = ad_cpu_at(call, 4, task);
        float *dx = ad_cpu_at(call, 5, task), *dresidual = ad_cpu_at(call, 6, task);
        const windows a = {.x = x ? x + in : NULL,
                           .back = ad_cpu_at(call, 3, task),
                           .dy = (const float *)ad_cpu_at(call, 2, task) + out,
                           .y = (float *)ad_cpu_at(call, 0, task) + out,
                           .winner = (uint8_t *)ad_cpu_at(call, 1, task) + out,
                           .dx = dx ? dx + in : NULL,
                           .dresidual = dresidual ? dresidual + in : NULL,
                           .count = p < oh ? ow : 0,
                           .c = c,
                           .row = row,
                           .columns = (size_t)g->w,
                           .k = k,
                           .slope = slope_of(call->op),
                           .capped = is_capped(call->op),
                           .accumulate = ad_cpu_accumulates(call)};
        for (size_t i = 0; i < AD_MIN(k, h - p * k); i++) back_row(&a, i);
    }
}

/* ---- sums: a partial sum per chunk of rows of windows, then their sum ---- */
static inline __attribute__((always_inline)) void sum_loop(const windows *a, size_t k, bool capped) {
    const size_t c = a->c, row = a->row;
    const float slope = a->slope;
    float *sums = a->sums;
    for (size_t q = 0; q < a->count; q++) {
        const float *x = a->x + q * k * c, *y = a->y + q * c, *dy = a->dy + q * c;
        const uint8_t *winner = a->winner + q * c;
        AD_CPU_PRAGMA(omp simd)
        for (size_t ch = 0; ch < c; ch++) {
            const int tap = winner[ch];
            const float d = slope_times(slope, capped, y[ch], dy[ch]);
            float at = 0;
            for (size_t i = 0; i < k; i++)
                for (size_t j = 0; j < k; j++) at = tap == (int)(i * k + j) ? x[i * row + j * c + ch] : at;
            sums[ch] += d;
            sums[c + ch] += d * (at - a->mean[ch]);
        }
    }
}

AD_CLONES static void sum_two(const windows *a) { sum_loop(a, 2, false); }
AD_CLONES static void sum_any(const windows *a) { sum_loop(a, a->k, false); }
AD_CLONES static void sum_capped(const windows *a) { sum_loop(a, a->k, true); }

/* Rows of windows of a chunk. */
static size_t chunk_rows(const ad_geometry *g) {
    const size_t rows = (size_t)g->n * (size_t)g->oh, ow = (size_t)g->ow;
    return (ad_cpu_chunk_rows(rows * ow) + ow - 1) / ow;
}

static size_t chunk_count(const ad_geometry *g) {
    return ((size_t)g->n * (size_t)g->oh + chunk_rows(g) - 1) / chunk_rows(g);
}

static void run_affine_pool_sums(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, row = (size_t)g->w * c, oh = (size_t)g->oh, ow = (size_t)g->ow, k = (size_t)g->k;
    const size_t rows = (size_t)g->n * oh, size = chunk_rows(g), chunks = chunk_count(g);
    const size_t tasks = (size_t)call->tasks, items = tasks * chunks;
    AD_CPU_PARALLEL(call, tasks * rows * ow * c)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / chunks);
        const size_t first = item % chunks * size, end = AD_MIN(first + size, rows);
        windows a = {.mean = ad_cpu_at(call, 4, task),
                     .sums = call->scratch + item * 2 * c,
                     .count = ow,
                     .c = c,
                     .row = row,
                     .k = k,
                     .slope = slope_of(call->op),
                     .capped = is_capped(call->op)};
        memset(a.sums, 0, 2 * c * sizeof *a.sums);
        for (size_t r = first; r < end; r++) {
            const size_t out = r * ow * c;
            a.x = (const float *)ad_cpu_at(call, 0, task) + (r / oh * (size_t)g->h + r % oh * k) * row;
            a.y = (float *)ad_cpu_at(call, 1, task) + out;
            a.winner = (uint8_t *)ad_cpu_at(call, 2, task) + out;
            a.dy = (const float *)ad_cpu_at(call, 3, task) + out;
            a.capped ? sum_capped(&a) : k == 2 ? sum_two(&a) : sum_any(&a);
        }
    }
    for (size_t task = 0; task < tasks; task++)
        ad_cpu_reduce(ad_cpu_at(call, 5, (int)task), call->scratch + task * chunks * 2 * c, chunks, 2 * c, 1, false);
}

static size_t affine_pool_sums_scratch(const ad_cpu_call *call) {
    return (size_t)call->tasks * chunk_count(&call->op->g) * 2 * (size_t)call->op->g.c;
}

const ad_cpu_kernel ad_cpu_kernel_AFFINE_POOL = {.run = run_affine_pool};
const ad_cpu_kernel ad_cpu_kernel_AFFINE_POOL_BACK = {.run = run_affine_pool_back};
const ad_cpu_kernel ad_cpu_kernel_AFFINE_POOL_SUMS = {.run = run_affine_pool_sums, .scratch = affine_pool_sums_scratch};
