/* A factor for each image and channel: CHANNEL_SCALE, CHANNEL_SCALE_BACK. One item is a chunk of the positions of an
 * image. */
#include "cpu/cpu_internal.h"

#include <string.h>

typedef struct chunk {
    const float *x, *s, *dy;
    float *y, *dx, *ds; /* ds: of this chunk alone */
    size_t rows, c;
} chunk;

static size_t rows_of(const ad_op *op) { return (size_t)op->g.h * (size_t)op->g.w; }
static size_t chunks_of(const ad_op *op) { return (size_t)op->g.n * ad_cpu_chunk_count(rows_of(op)); }

AD_CLONES static void scale_rows(const chunk *a) {
    const size_t c = a->c;
    const float *s = a->s;
    for (size_t at = 0; at < a->rows * c; at += c) {
        const float *x = a->x + at;
        float *y = a->y + at;
        AD_CPU_PRAGMA(omp simd)
        for (size_t ch = 0; ch < c; ch++) y[ch] = x[ch] * s[ch];
    }
}

static void run_channel_scale(const ad_cpu_call *call) {
    const size_t rows = rows_of(call->op), c = (size_t)call->op->g.c, size = ad_cpu_chunk_rows(rows),
                 chunks = ad_cpu_chunk_count(rows);
    const size_t items = chunks_of(call->op) * (size_t)call->tasks;
    AD_CPU_PARALLEL(call, items * AD_MIN(size, rows) * c)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / chunks_of(call->op));
        const size_t image = item / chunks % (size_t)call->op->g.n, first = item % chunks * size,
                     at = (image * rows + first) * c;
        const chunk a = {.x = (const float *)ad_cpu_at(call, 0, task) + at,
                         .s = (const float *)ad_cpu_at(call, 1, task) + image * c,
                         .y = (float *)ad_cpu_at(call, 2, task) + at,
                         .rows = AD_MIN(size, rows - first),
                         .c = c};
        scale_rows(&a);
    }
}

/* With constant arguments: one loop without conditions for each combination of results. dy is read before dx, which may
 * lie on it, is written. */
static inline __attribute__((always_inline)) void back_loop(const chunk *a, bool dx, bool ds, bool accumulate) {
    const size_t c = a->c;
    const float *s = a->s;
    float *sum = a->ds;
    for (size_t at = 0; at < a->rows * c; at += c) {
        const float *x = a->x + at, *dy = a->dy + at;
        float *to = dx ? a->dx + at : NULL;
        AD_CPU_PRAGMA(omp simd)
        for (size_t ch = 0; ch < c; ch++) {
            const float d = dy[ch];
            if (ds) sum[ch] += d * x[ch];
            if (dx) to[ch] = accumulate ? to[ch] + d * s[ch] : d * s[ch];
        }
    }
}

AD_CLONES static void back_dx(const chunk *a, bool accumulate) {
    accumulate ? back_loop(a, true, false, true) : back_loop(a, true, false, false);
}
AD_CLONES static void back_both(const chunk *a, bool accumulate) {
    accumulate ? back_loop(a, true, true, true) : back_loop(a, true, true, false);
}
AD_CLONES static void back_ds(const chunk *a) { back_loop(a, false, true, false); }

static void run_channel_scale_back(const ad_cpu_call *call) {
    const size_t rows = rows_of(call->op), c = (size_t)call->op->g.c, size = ad_cpu_chunk_rows(rows),
                 chunks = ad_cpu_chunk_count(rows);
    const size_t images = (size_t)call->op->g.n, items = chunks_of(call->op) * (size_t)call->tasks;
    const bool with_dx = call->base[3], with_ds = call->base[4];
    AD_CPU_PARALLEL(call, items * AD_MIN(size, rows) * c)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / chunks_of(call->op));
        const size_t image = item / chunks % images, first = item % chunks * size, at = (image * rows + first) * c;
        float *dx = ad_cpu_at(call, 3, task);
        const chunk a = {.x = (const float *)ad_cpu_at(call, 0, task) + at,
                         .s = (const float *)ad_cpu_at(call, 1, task) + image * c,
                         .dy = (const float *)ad_cpu_at(call, 2, task) + at,
                         .dx = dx ? dx + at : NULL,
                         .ds = with_ds ? call->scratch + item * c : NULL,
                         .rows = AD_MIN(size, rows - first),
                         .c = c};
        if (with_ds) memset(a.ds, 0, c * sizeof *a.ds);
        if (with_dx && with_ds)
            back_both(&a, ad_cpu_accumulates(call));
        else if (with_dx)
            back_dx(&a, ad_cpu_accumulates(call));
        else if (with_ds)
            back_ds(&a);
    }
    for (size_t image = 0; with_ds && image < (size_t)call->tasks * images; image++) {
        float *ds = ad_cpu_at(call, 4, (int)(image / images));
        ad_cpu_reduce(ds + image % images * c, call->scratch + image * chunks * c, chunks, c, 1, false);
    }
}

static size_t channel_scale_back_scratch(const ad_cpu_call *call) {
    return call->op->t[4] >= 0 ? (size_t)call->tasks * chunks_of(call->op) * (size_t)call->op->g.c : 0;
}

const ad_cpu_kernel ad_cpu_kernel_CHANNEL_SCALE = {.run = run_channel_scale};
const ad_cpu_kernel ad_cpu_kernel_CHANNEL_SCALE_BACK = {.run = run_channel_scale_back,
                                                        .scratch = channel_scale_back_scratch};
