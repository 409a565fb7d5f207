/* Batch norm, activation and residual: BN_*, AFFINE*. Activations are rows of c channels; one item is a block
 * of rows. */
#include "cpu/activation.h"

#include <math.h>
#include <string.h>

enum { AFFINE_ROWS = 128 };

static size_t rows_of(const ad_op *op) { return (size_t)op->g.n * (size_t)op->g.h * (size_t)op->g.w; }

/* Up to the leaky one, act(v) for v > 0 is v, else slope*v; act' likewise 1 or slope. The others are computed by
 * activation.h on numbers that lie together, and then count as none here. */
static bool is_simple(const ad_op *op) { return op->i[0] <= AD_ACT_LEAKY; }
static float slope_of(const ad_op *op) {
    return op->i[0] == AD_ACT_RELU ? 0.0f : op->i[0] == AD_ACT_LEAKY ? op->f[0] : 1.0f;
}

/* Numbers that are worked on together while they are in the cache: rows, or a part of one. */
enum { PIECE = 4096 };

/* ---- y = act(scale x + shift + residual) ---- */
static inline __attribute__((always_inline)) void affine_loop(float *y, const float *x, const float *scale,
                                                              const float *shift, const float *residual, size_t rows,
                                                              size_t c, float slope, bool capped) {
    for (size_t r = 0; r < rows; r++, x += c, y += c, residual = residual ? residual + c : NULL)
        for (size_t ch = 0; ch < c; ch++) {
            float v = scale ? scale[ch] * x[ch] + shift[ch] : x[ch];
            v = residual ? v + residual[ch] : v;
            v = v > 0 ? v : slope * v;
            y[ch] = capped && v > 6 ? 6 : v;
        }
}

AD_CLONES static void affine_rows(float *y, const float *x, const float *scale, const float *shift,
                                  const float *residual, size_t rows, size_t c, float slope) {
    affine_loop(y, x, scale, shift, residual, rows, c, slope, false);
}

AD_CLONES static void affine_rows_relu6(float *y, const float *x, const float *scale, const float *shift,
                                        const float *residual, size_t rows, size_t c) {
    affine_loop(y, x, scale, shift, residual, rows, c, 0, true);
}

static void affine_block(const ad_op *op, float *y, const float *x, const float *coef, const float *residual,
                         size_t rows, size_t c) {
    const float *shift = coef ? coef + c : NULL;
    if (is_simple(op)) {
        affine_rows(y, x, coef, shift, residual, rows, c, slope_of(op));
    } else if (op->i[0] == AD_ACT_RELU6) {
        affine_rows_relu6(y, x, coef, shift, residual, rows, c);
    } else {
        const size_t step = AD_MAX((size_t)PIECE / c, 1);
        for (size_t row = 0; row < rows; row += step) {
            const size_t at = row * c, some = AD_MIN(step, rows - row);
            affine_rows(y + at, x + at, coef, shift, residual ? residual + at : NULL, some, c, 1);
            ad_cpu_activate(op->i[0], op->f[0], y + at, y + at, some * c);
        }
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
        affine_block(call->op, y + at, x + at, coef, residual ? residual + at : NULL,
                     AD_MIN((size_t)AFFINE_ROWS, rows - row), c);
    }
}

/* d = dy act' of `rows` rows of c numbers, or of a part of one: act' by output at y, by input at scale x + shift. */
static void slopes(const ad_op *op, const float *y, const float *x, const float *scale, const float *shift,
                   const float *dy, float *d, size_t rows, size_t c) {
    const float *from = y;
    if (!ad_act_by_output(op->i[0])) {
        if (scale) affine_rows(d, x, scale, shift, NULL, rows, c, 1);
        from = scale ? d : x;
    }
    ad_cpu_activate_back(op->i[0], op->f[0], from, dy, d, rows * c);
}

/* ---- d = dy act'; dx = A d + B x + C; dresidual = d ---- */
typedef struct affine_back {
    const float *y, *dy, *back, *x;
    float *dx, *dresidual;
    size_t rows, c;
    size_t channels; /* from A to B to C; c is less where a part of a row is worked on */
    float slope;
    bool accumulate;
} affine_back;

/* With constant arguments: one loop without conditions for each combination of operands. dy is read before dx and
 * dresidual, either of which may lie on it, are written. */
static inline __attribute__((always_inline)) void affine_back_loop(const affine_back *a, bool back, bool x, bool dx,
                                                                   bool dresidual, bool accumulate) {
    const size_t c = a->c;
    const float slope = a->slope, *A = a->back, *B = back ? A + a->channels : NULL,
                *C = back ? A + 2 * a->channels : NULL;
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

AD_CLONES static void affine_back_dx(const affine_back *a) {
    if (a->back && a->x)
        affine_back_loop(a, true, true, true, false, false);
    else if (a->back)
        affine_back_loop(a, true, false, true, false, false);
    else
        affine_back_loop(a, false, false, true, false, false);
}

AD_CLONES static void affine_back_both(const affine_back *a) {
    if (a->back && a->x && a->accumulate)
        affine_back_loop(a, true, true, true, true, true);
    else if (a->back && a->x)
        affine_back_loop(a, true, true, true, true, false);
    else
        affine_back_loop(a, a->back, false, true, true, a->accumulate);
}

AD_CLONES static void affine_back_dresidual(const affine_back *a) {
    affine_back_loop(a, false, false, false, true, a->accumulate);
}

static void affine_back_any(const affine_back *a) {
    if (a->dresidual)
        a->dx ? affine_back_both(a) : affine_back_dresidual(a);
    else if (a->dx)
        affine_back_dx(a);
}

static const float *after(const float *at, size_t count) { return at ? at + count : NULL; }

/* By pieces, each as without activation on its d. source: x where the derivative is taken, or NULL. */
static void affine_back_activated(const affine_back *a, const ad_op *op, const float *source, const float *coef) {
    float d[PIECE];
    const size_t width = AD_MIN(a->c, (size_t)PIECE), step = (size_t)PIECE / width;
    for (size_t row = 0; row < a->rows; row += step)
        for (size_t ch = 0; ch < a->c; ch += width) {
            const size_t at = row * a->c + ch;
            affine_back piece = *a;
            piece.rows = AD_MIN(step, a->rows - row);
            piece.c = AD_MIN(width, a->c - ch);
            slopes(op, after(a->y, at), after(source, at), after(coef, ch), after(coef, a->c + ch), a->dy + at, d,
                   piece.rows, piece.c);
            piece.y = piece.dy = d;
            piece.back = after(a->back, ch);
            piece.x = after(a->x, at);
            if (a->dx) piece.dx += at;
            if (a->dresidual) piece.dresidual += at;
            affine_back_any(&piece);
        }
}

static void run_affine_back(const ad_cpu_call *call) {
    const size_t rows = rows_of(call->op), c = (size_t)call->op->g.c, blocks = (rows + AFFINE_ROWS - 1) / AFFINE_ROWS;
    const size_t items = blocks * (size_t)call->tasks;
    AD_CPU_PARALLEL(call, rows * c * (size_t)call->tasks)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / blocks);
        const size_t row = item % blocks * AFFINE_ROWS, at = row * c;
        const float *source = after(ad_cpu_at(call, 3, task), at);
        float *dx = ad_cpu_at(call, 4, task), *dresidual = ad_cpu_at(call, 5, task);
        const affine_back a = {.y = after(ad_cpu_at(call, 0, task), at),
                               .dy = after(ad_cpu_at(call, 1, task), at),
                               .back = ad_cpu_at(call, 2, task),
                               .x = call->op->i[1] ? NULL : source,
                               .dx = dx ? dx + at : NULL,
                               .dresidual = dresidual ? dresidual + at : NULL,
                               .rows = AD_MIN((size_t)AFFINE_ROWS, rows - row),
                               .c = c,
                               .channels = c,
                               .slope = slope_of(call->op),
                               .accumulate = ad_cpu_accumulates(call)};
        if (is_simple(call->op))
            affine_back_any(&a);
        else
            affine_back_activated(&a, call->op, source, ad_cpu_at(call, 6, task));
    }
}

/* ---- sums over rows, in two passes: a partial sum per chunk, then their sum ---- */
AD_CLONES static void square_rows(float *sum, const float *x, const float *mean, size_t rows, size_t c) {
    for (size_t r = 0; r < rows; r++, x += c)
        for (size_t ch = 0; ch < c; ch++) sum[ch] += (x[ch] - mean[ch]) * (x[ch] - mean[ch]);
}

AD_CLONES static void affine_sum_rows(float *sum, float *sum_x, const float *x, const float *y, const float *dy,
                                      const float *mean, size_t rows, size_t c, float slope) {
    for (size_t r = 0; r < rows; r++, x += c, y += c, dy += c)
        for (size_t ch = 0; ch < c; ch++) {
            const float d = y[ch] > 0 ? dy[ch] : slope * dy[ch];
            sum[ch] += d;
            sum_x[ch] += d * (x[ch] - mean[ch]);
        }
}

/* By pieces, each as without activation on its d. */
static void affine_sum_activated(const ad_op *op, float *sum, const float *x, const float *y, const float *dy,
                                 const float *mean, const float *coef, size_t rows, size_t c) {
    float d[PIECE];
    const size_t width = AD_MIN(c, (size_t)PIECE), step = (size_t)PIECE / width;
    for (size_t row = 0; row < rows; row += step)
        for (size_t ch = 0; ch < c; ch += width) {
            const size_t at = row * c + ch, some = AD_MIN(step, rows - row), wide = AD_MIN(width, c - ch);
            slopes(op, after(y, at), x + at, after(coef, ch), after(coef, c + ch), dy + at, d, some, wide);
            affine_sum_rows(sum + ch, sum + c + ch, x + at, d, d, mean + ch, some, wide, 1);
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
        const float *x = after(ad_cpu_at(call, 0, task), at), *y = after(ad_cpu_at(call, 1, task), at),
                    *dy = after(ad_cpu_at(call, 2, task), at), *mean = ad_cpu_at(call, 3, task);
        float *sum = call->scratch + item * 2 * c;
        memset(sum, 0, 2 * c * sizeof *sum);
        if (is_simple(call->op))
            affine_sum_rows(sum, sum + c, x, y, dy, mean, AD_MIN(size, rows - first), c, slope_of(call->op));
        else
            affine_sum_activated(call->op, sum, x, y, dy, mean, ad_cpu_at(call, 5, task), AD_MIN(size, rows - first),
                                 c);
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
