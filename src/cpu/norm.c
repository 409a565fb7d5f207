/* Batch norm, activation and residual: BN_*, AFFINE*. Activations are rows of c channels; one item is a block
 * of rows. */
#include "cpu/cpu_internal.h"

#include <math.h>
#include <string.h>

enum { AFFINE_ROWS = 128 };

static size_t rows_of(const ad_op *op) { return (size_t)op->g.n * (size_t)op->g.h * (size_t)op->g.w; }

/* act(y) for y > 0 is y, else slope*y; act' likewise 1 or slope. */
static float slope_of(const ad_op *op) { return op->i[0] == 0 ? 1.0f : op->i[0] == 1 ? 0.0f : op->f[0]; }

/* ---- y = act(scale x + shift + residual) ---- */
AD_CPU_CLONES static void affine_rows(float *y, const float *x, const float *coef, const float *residual, size_t rows,
                                      size_t c, float slope) {
    for (size_t r = 0; r < rows; r++, x += c, y += c, residual = residual ? residual + c : NULL)
        for (size_t ch = 0; ch < c; ch++) {
            float v = coef ? coef[ch] * x[ch] + coef[c + ch] : x[ch];
            v = residual ? v + residual[ch] : v;
            y[ch] = v > 0 ? v : slope * v;
        }
}

static void run_affine(const ad_cpu_call *call) {
    const size_t rows = rows_of(call->op), c = (size_t)call->op->g.c, blocks = (rows + AFFINE_ROWS - 1) / AFFINE_ROWS;
    const size_t items = blocks * (size_t)call->tasks;
    AD_CPU_PARALLEL(call, rows * c * (size_t)call->tasks)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / blocks);
        const size_t row = item % blocks * AFFINE_ROWS, at = row * c;
        const float *x = ad_cpu_at(call, 0, task), *coef = ad_cpu_at(call, 1, task),
                    *residual = ad_cpu_at(call, 2, task);
        float *y = ad_cpu_at(call, 3, task);
        affine_rows(y + at, x + at, coef, residual ? residual + at : NULL, AD_MIN((size_t)AFFINE_ROWS, rows - row), c,
                    slope_of(call->op));
    }
}

/* ---- d = dy act'(y); dx = A d + B x + C; dresidual = d ---- */
typedef struct affine_back {
    const float *y, *dy, *back, *x;
    float *dx, *dresidual;
    size_t rows, c;
    float slope;
    bool accumulate;
} affine_back;

/* With constant arguments: one loop without conditions for each combination of operands. dy is read before dx and
 * dresidual, either of which may lie on it, are written. */
static inline __attribute__((always_inline)) void affine_back_loop(const affine_back *a, bool back, bool x, bool dx,
                                                                   bool dresidual, bool accumulate) {
    const size_t c = a->c;
    const float slope = a->slope, *A = a->back, *B = back ? A + c : NULL, *C = back ? A + 2 * c : NULL;
    for (size_t at = 0; at < a->rows * c; at += c) {
        const float *y = a->y + at, *dy = a->dy + at, *from = x ? a->x + at : NULL;
        float *to = dx ? a->dx + at : NULL, *residual = dresidual ? a->dresidual + at : NULL;
        AD_CPU_PRAGMA(omp simd)
        for (size_t ch = 0; ch < c; ch++) {
            const float d = y[ch] > 0 ? dy[ch] : slope * dy[ch];
            if (dresidual && accumulate) residual[ch] += d;
            if (dx) to[ch] = (back ? A[ch] * d : d) + (back && x ? B[ch] * from[ch] + C[ch] : 0);
            if (dresidual && !accumulate) residual[ch] = d;
        }
    }
}

AD_CPU_CLONES static void affine_back_dx(const affine_back *a) {
    if (a->back && a->x)
        affine_back_loop(a, true, true, true, false, false);
    else if (a->back)
        affine_back_loop(a, true, false, true, false, false);
    else
        affine_back_loop(a, false, false, true, false, false);
}

AD_CPU_CLONES static void affine_back_both(const affine_back *a) {
    if (a->back && a->x && a->accumulate)
        affine_back_loop(a, true, true, true, true, true);
    else if (a->back && a->x)
        affine_back_loop(a, true, true, true, true, false);
    else
        affine_back_loop(a, a->back, false, true, true, a->accumulate);
}

AD_CPU_CLONES static void affine_back_dresidual(const affine_back *a) {
    affine_back_loop(a, false, false, false, true, a->accumulate);
}

static void run_affine_back(const ad_cpu_call *call) {
    const size_t rows = rows_of(call->op), c = (size_t)call->op->g.c, blocks = (rows + AFFINE_ROWS - 1) / AFFINE_ROWS;
    const size_t items = blocks * (size_t)call->tasks;
    AD_CPU_PARALLEL(call, rows * c * (size_t)call->tasks)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / blocks);
        const size_t row = item % blocks * AFFINE_ROWS, at = row * c;
        const float *y = ad_cpu_at(call, 0, task), *dy = ad_cpu_at(call, 1, task), *x = ad_cpu_at(call, 3, task);
        float *dx = ad_cpu_at(call, 4, task), *dresidual = ad_cpu_at(call, 5, task);
        const affine_back a = {.y = y + at,
                               .dy = dy + at,
                               .back = ad_cpu_at(call, 2, task),
                               .x = x ? x + at : NULL,
                               .dx = dx ? dx + at : NULL,
                               .dresidual = dresidual ? dresidual + at : NULL,
                               .rows = AD_MIN((size_t)AFFINE_ROWS, rows - row),
                               .c = c,
                               .slope = slope_of(call->op),
                               .accumulate = ad_cpu_accumulates(call)};
        if (a.dresidual)
            a.dx ? affine_back_both(&a) : affine_back_dresidual(&a);
        else if (a.dx)
            affine_back_dx(&a);
    }
}

/* ---- sums over rows, in two passes: a partial sum per chunk, then their sum ---- */
AD_CPU_CLONES static void square_rows(float *sum, const float *x, const float *mean, size_t rows, size_t c) {
    for (size_t r = 0; r < rows; r++, x += c)
        for (size_t ch = 0; ch < c; ch++) sum[ch] += (x[ch] - mean[ch]) * (x[ch] - mean[ch]);
}

AD_CPU_CLONES static void affine_sum_rows(float *sum, const float *x, const float *y, const float *dy,
                                          const float *mean, size_t rows, size_t c, float slope) {
    for (size_t r = 0; r < rows; r++, x += c, y += c, dy += c)
        for (size_t ch = 0; ch < c; ch++) {
            const float d = y[ch] > 0 ? dy[ch] : slope * dy[ch];
            sum[ch] += d;
            sum[c + ch] += d * (x[ch] - mean[ch]);
        }
}

static void run_stats(const ad_cpu_call *call) {
    const size_t rows = rows_of(call->op), c = (size_t)call->op->g.c, size = ad_cpu_chunk_rows(rows),
                 chunks = ad_cpu_chunk_count(rows);
    const size_t tasks = (size_t)call->tasks, items = tasks * chunks;
    float *partial = call->scratch;
    for (int moment = 0; moment < 2; moment++) {
        AD_CPU_PARALLEL(call, rows * c * tasks)
        for (size_t item = 0; item < items; item++) {
            const size_t task = item / chunks, first = item % chunks * size, count = AD_MIN(size, rows - first);
            const float *x = (const float *)ad_cpu_at(call, 0, (int)task) + first * c;
            const float *mean = ad_cpu_at(call, 1, (int)task);
            float *sum = partial + item * c;
            memset(sum, 0, c * sizeof *sum);
            if (moment == 0)
                ad_cpu_sum_rows(sum, x, count, c);
            else
                square_rows(sum, x, mean, count, c);
        }
        for (size_t task = 0; task < tasks; task++) {
            float *stats = ad_cpu_at(call, 1, (int)task);
            ad_cpu_reduce(stats + (size_t)moment * c, partial + task * chunks * c, chunks, c, 1.0 / (double)rows,
                          false);
        }
    }
}

static size_t stats_scratch(const ad_cpu_call *call) {
    const ad_op *op = call->op;
    return (size_t)call->tasks * ad_cpu_chunk_count(rows_of(op)) * (size_t)op->g.c;
}

static void run_affine_sums(const ad_cpu_call *call) {
    const size_t rows = rows_of(call->op), c = (size_t)call->op->g.c, size = ad_cpu_chunk_rows(rows),
                 chunks = ad_cpu_chunk_count(rows);
    const size_t tasks = (size_t)call->tasks, items = tasks * chunks;
    AD_CPU_PARALLEL(call, rows * c * tasks)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / chunks);
        const size_t first = item % chunks * size, at = first * c;
        const float *x = ad_cpu_at(call, 0, task), *y = ad_cpu_at(call, 1, task), *dy = ad_cpu_at(call, 2, task);
        float *sum = call->scratch + item * 2 * c;
        memset(sum, 0, 2 * c * sizeof *sum);
        affine_sum_rows(sum, x + at, y + at, dy + at, ad_cpu_at(call, 3, task), AD_MIN(size, rows - first), c,
                        slope_of(call->op));
    }
    for (size_t task = 0; task < tasks; task++)
        ad_cpu_reduce(ad_cpu_at(call, 4, (int)task), call->scratch + task * chunks * 2 * c, chunks, 2 * c, 1, false);
}

static size_t affine_sums_scratch(const ad_cpu_call *call) {
    const ad_op *op = call->op;
    return (size_t)call->tasks * ad_cpu_chunk_count(rows_of(op)) * 2 * (size_t)op->g.c;
}

/* ---- a few numbers per channel ---- */
static void run_fold(const ad_cpu_call *call) {
    const size_t c = (size_t)call->op->g.c;
    for (int task = 0; task < call->tasks; task++) {
        const float *stats = ad_cpu_at(call, 0, task), *gamma = ad_cpu_at(call, 1, task),
                    *beta = ad_cpu_at(call, 2, task);
        float *coef = ad_cpu_at(call, 3, task);
        for (size_t ch = 0; ch < c; ch++) {
            const float scale = gamma[ch] / sqrtf(stats[c + ch] + call->op->f[0]);
            coef[ch] = scale;
            coef[c + ch] = beta[ch] - stats[ch] * scale;
        }
    }
}

static void run_running(const ad_cpu_call *call) {
    const size_t c = (size_t)call->op->g.c;
    const float fresh = call->op->f[0], unbiased = call->op->f[1];
    for (int task = 0; task < call->tasks; task++) {
        const float *stats = ad_cpu_at(call, 0, task);
        float *running = ad_cpu_at(call, 1, task);
        for (size_t e = 0; e < 2 * c; e++)
            running[e] = (1 - fresh) * running[e] + fresh * (e < c ? stats[e] : stats[e] * unbiased);
    }
}

static void run_back(const ad_cpu_call *call) {
    const size_t c = (size_t)call->op->g.c;
    const float count = (float)rows_of(call->op);
    const bool batch = call->op->i[0] != 0;
    for (int task = 0; task < call->tasks; task++) {
        const float *sums = ad_cpu_at(call, 0, task), *stats = ad_cpu_at(call, 1, task),
                    *gamma = ad_cpu_at(call, 2, task);
        float *dgamma = ad_cpu_at(call, 3, task), *dbeta = ad_cpu_at(call, 4, task), *back = ad_cpu_at(call, 5, task);
        for (size_t ch = 0; ch < c; ch++) {
            const float r = 1 / sqrtf(stats[c + ch] + call->op->f[0]), A = gamma[ch] * r;
            const float B = batch ? -A * r * r * sums[c + ch] / count : 0,
                        C = batch ? -A * sums[ch] / count - B * stats[ch] : 0;
            if (dgamma) dgamma[ch] = r * sums[c + ch];
            if (dbeta) dbeta[ch] = sums[ch];
            if (!back) continue;
            back[ch] = A;
            back[c + ch] = B;
            back[2 * c + ch] = C;
        }
    }
}

const ad_cpu_kernel ad_cpu_kernel_AFFINE = {.run = run_affine};
const ad_cpu_kernel ad_cpu_kernel_AFFINE_BACK = {.run = run_affine_back};
const ad_cpu_kernel ad_cpu_kernel_BN_STATS = {.run = run_stats, .scratch = stats_scratch};
const ad_cpu_kernel ad_cpu_kernel_AFFINE_SUMS = {.run = run_affine_sums, .scratch = affine_sums_scratch};
const ad_cpu_kernel ad_cpu_kernel_BN_FOLD = {.run = run_fold};
const ad_cpu_kernel ad_cpu_kernel_BN_RUNNING = {.run = run_running};
const ad_cpu_kernel ad_cpu_kernel_BN_BACK = {.run = run_back};
