/* Layer norm over the channels of each position: LAYER_NORM, LAYER_NORM_BACK, LAYER_NORM_SUMS. A position's c numbers
 * stay in the nearest cache while they are read again; one item is a block of positions. */
#include "cpu/cpu_internal.h"

#include <math.h>
#include <string.h>

enum { POSITIONS = 64, LANES = 16 };

static size_t positions_of(const ad_op *op) { return (size_t)op->g.n * (size_t)op->g.h * (size_t)op->g.w; }

/* Sums over a row are kept in as many lanes on every processor: the order of additions is the same. */
static inline __attribute__((always_inline)) float add_lanes(float sum[LANES]) {
    for (size_t width = LANES / 2; width > 0; width /= 2)
        for (size_t e = 0; e < width; e++) sum[e] += sum[e + width];
    return sum[0];
}

/* Sum of what `term`, an expression of i, is for all i < c. */
#define SUM_ROW(result, term)                                                                                          \
    do {                                                                                                               \
        float lanes[LANES] = {0};                                                                                      \
        size_t begin = 0;                                                                                              \
        for (; begin + LANES <= c; begin += LANES)                                                                     \
            for (size_t e = 0; e < LANES; e++) {                                                                       \
                const size_t i = begin + e;                                                                            \
                lanes[e] += (term);                                                                                    \
            }                                                                                                          \
        for (size_t i = begin; i < c; i++) lanes[i - begin] += (term);                                                 \
        (result) = add_lanes(lanes);                                                                                   \
    } while (0)

/* ---- y = gamma (x - mean) r + beta ---- */
AD_CLONES static void norm_rows(const float *x, const float *gamma, const float *beta, float *y, float *stats,
                                size_t rows, size_t c, float epsilon) {
    for (size_t row = 0; row < rows; row++, x += c, y += c) {
        float sum, squares;
        SUM_ROW(sum, x[i]);
        const float mean = sum / (float)c;
        SUM_ROW(squares, (x[i] - mean) * (x[i] - mean));
        const float r = 1 / sqrtf(squares / (float)c + epsilon);
        for (size_t ch = 0; ch < c; ch++) y[ch] = gamma[ch] * ((x[ch] - mean) * r) + beta[ch];
        if (!stats) continue;
        stats[2 * row] = mean;
        stats[2 * row + 1] = r;
    }
}

static void run_layer_norm(const ad_cpu_call *call) {
    const size_t rows = positions_of(call->op), c = (size_t)call->op->g.c, blocks = (rows + POSITIONS - 1) / POSITIONS;
    const size_t items = blocks * (size_t)call->tasks;
    AD_CPU_PARALLEL(call, rows * c * (size_t)call->tasks)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / blocks);
        const size_t row = item % blocks * POSITIONS;
        const float *x = ad_cpu_at(call, 0, task);
        float *y = ad_cpu_at(call, 3, task), *stats = ad_cpu_at(call, 4, task);
        norm_rows(x + row * c, ad_cpu_at(call, 1, task), ad_cpu_at(call, 2, task), y + row * c,
                  stats ? stats + 2 * row : NULL, AD_MIN((size_t)POSITIONS, rows - row), c, call->op->f[0]);
    }
}

/* ---- dx = r (e - mean(e) - u mean(e u)), e = gamma dy, u = (x - mean) r ---- */
AD_CLONES static void back_rows(const float *x, const float *gamma, const float *stats, const float *dy, float *dx,
                                size_t rows, size_t c, bool accumulate) {
    for (size_t row = 0; row < rows; row++, x += c, dy += c, dx += c) {
        const float mean = stats[2 * row], r = stats[2 * row + 1];
        float first, second;
        SUM_ROW(first, gamma[i] * dy[i]);
        SUM_ROW(second, gamma[i] * dy[i] * ((x[i] - mean) * r));
        first /= (float)c;
        second /= (float)c;
        if (accumulate) {
            AD_CPU_PRAGMA(omp simd)
            for (size_t ch = 0; ch < c; ch++) dx[ch] += r * (gamma[ch] * dy[ch] - first - (x[ch] - mean) * r * second);
        } else {
            AD_CPU_PRAGMA(omp simd)
            for (size_t ch = 0; ch < c; ch++) dx[ch] = r * (gamma[ch] * dy[ch] - first - (x[ch] - mean) * r * second);
        }
    }
}

static void run_layer_norm_back(const ad_cpu_call *call) {
    const size_t rows = positions_of(call->op), c = (size_t)call->op->g.c, blocks = (rows + POSITIONS - 1) / POSITIONS;
    const size_t items = blocks * (size_t)call->tasks;
    AD_CPU_PARALLEL(call, rows * c * (size_t)call->tasks)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / blocks);
        const size_t row = item % blocks * POSITIONS, at = row * c;
        const float *x = ad_cpu_at(call, 0, task), *stats = ad_cpu_at(call, 2, task), *dy = ad_cpu_at(call, 3, task);
        float *dx = ad_cpu_at(call, 4, task);
        back_rows(x + at, ad_cpu_at(call, 1, task), stats + 2 * row, dy + at, dx + at,
                  AD_MIN((size_t)POSITIONS, rows - row), c, ad_cpu_accumulates(call));
    }
}

/* ---- sums over positions, in two passes: a partial sum per chunk, then their sum ---- */
AD_CLONES static void sum_rows(float *sum, const float *x, const float *stats, const float *dy, size_t rows, size_t c) {
    float *sum_u = sum + c;
    for (size_t row = 0; row < rows; row++, x += c, dy += c) {
        const float mean = stats[2 * row], r = stats[2 * row + 1];
        AD_CPU_PRAGMA(omp simd)
        for (size_t ch = 0; ch < c; ch++) {
            sum[ch] += dy[ch];
            sum_u[ch] += dy[ch] * ((x[ch] - mean) * r);
        }
    }
}

static void run_layer_norm_sums(const ad_cpu_call *call) {
    const size_t rows = positions_of(call->op), c = (size_t)call->op->g.c, size = ad_cpu_chunk_rows(rows),
                 chunks = ad_cpu_chunk_count(rows);
    const size_t tasks = (size_t)call->tasks, items = tasks * chunks;
    AD_CPU_PARALLEL(call, rows * c * tasks)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / chunks);
        const size_t first = item % chunks * size;
        const float *x = ad_cpu_at(call, 0, task), *stats = ad_cpu_at(call, 1, task), *dy = ad_cpu_at(call, 2, task);
        float *sum = call->scratch + item * 2 * c;
        memset(sum, 0, 2 * c * sizeof *sum);
        sum_rows(sum, x + first * c, stats + 2 * first, dy + first * c, AD_MIN(size, rows - first), c);
    }
    for (size_t task = 0; task < tasks; task++)
        ad_cpu_reduce(ad_cpu_at(call, 3, (int)task), call->scratch + task * chunks * 2 * c, chunks, 2 * c, 1, false);
}

static size_t layer_norm_sums_scratch(const ad_cpu_call *call) {
    const ad_op *op = call->op;
    return (size_t)call->tasks * ad_cpu_chunk_count(positions_of(op)) * 2 * (size_t)op->g.c;
}

const ad_cpu_kernel ad_cpu_kernel_LAYER_NORM = {.run = run_layer_norm};
const ad_cpu_kernel ad_cpu_kernel_LAYER_NORM_BACK = {.run = run_layer_norm_back};
const ad_cpu_kernel ad_cpu_kernel_LAYER_NORM_SUMS = {.run = run_layer_norm_sums, .scratch = layer_norm_sums_scratch};
