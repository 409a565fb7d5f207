/* DropBlock: DROP_MASK, one item per image; DROP_APPLY, one item per chunk of positions. */
#include "cpu/cpu_internal.h"

/* Clears the block with that first corner in one channel of an image. */
static void clear_block(float *mask, const ad_geometry *g, int side, size_t corner) {
    const size_t c = (size_t)g->c, line = (size_t)g->w * c;
    for (size_t row = 0; row < (size_t)side; row++)
        for (size_t column = 0; column < (size_t)side; column++) mask[corner + row * line + column * c] = 0;
}

static void run_drop_mask(const ad_cpu_call *call) {
    const ad_op *op = call->op;
    const ad_geometry *g = &op->g;
    const int side = op->i[0], rows = g->h - side + 1, columns = g->w - side + 1;
    const size_t n = (size_t)g->n, c = (size_t)g->c, picture = (size_t)g->h * (size_t)g->w * c;
    const int32_t now = ((const int32_t *)ad_cpu_at(call, 0, 0))[0];
    const uint64_t ramp = op->i[1] > 0 ? (uint64_t)op->i[1] : 1;
    const uint64_t chosen_below = ad_op_drop_chance(op) * (op->i[1] > 0 ? (uint64_t)AD_MIN(now, op->i[1]) : 1);
    const uint32_t key[2] = {(uint32_t)op->i[6], 0};
    AD_CPU_PARALLEL(call, (size_t)call->tasks * n * picture)
    for (size_t item = 0; item < (size_t)call->tasks * n; item++) {
        float *mask = (float *)ad_cpu_at(call, 1, (int)(item / n)) + item % n * picture;
        const uint32_t number = (uint32_t)((size_t)call->first * n + item);
        for (size_t e = 0; e < picture; e++) mask[e] = 1;
        for (int corner = 0; corner < rows * columns; corner++)
            for (size_t ch = 0; ch < c; ch += 4) {
                const uint32_t place = (uint32_t)((size_t)corner * (c / 4) + ch / 4);
                const size_t at = ((size_t)(corner / columns) * (size_t)g->w + (size_t)(corner % columns)) * c + ch;
                uint32_t words[4];
                ad_philox((const uint32_t[4]){place, (uint32_t)now, number, AD_STREAM_DROP}, key, words);
                for (size_t e = 0; e < 4; e++)
                    if ((words[e] >> 8) * ramp < chosen_below) clear_block(mask, g, side, at + e);
            }
    }
}

AD_CLONES static void apply_rows(float *y, const float *x, const float *mask, const float *mean, size_t rows,
                                 size_t c) {
    for (size_t at = 0; at < rows * c; at += c) {
        AD_CPU_PRAGMA(omp simd)
        for (size_t ch = 0; ch < c; ch++) y[at + ch] = x[at + ch] * mask[at + ch] / AD_MAX(mean[ch], 1e-6f);
    }
}

static void run_drop_apply(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t rows = (size_t)g->n * (size_t)g->h * (size_t)g->w, c = (size_t)g->c, size = ad_cpu_chunk_rows(rows),
                 chunks = ad_cpu_chunk_count(rows), items = chunks * (size_t)call->tasks;
    AD_CPU_PARALLEL(call, items * AD_MIN(size, rows) * c)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / chunks);
        const size_t first = item % chunks * size, at = first * c;
        const float *x = ad_cpu_at(call, 0, task), *mask = ad_cpu_at(call, 1, task), *mean = ad_cpu_at(call, 2, task);
        apply_rows((float *)ad_cpu_at(call, 3, task) + at, x + at, mask + at, mean, AD_MIN(size, rows - first), c);
    }
}

const ad_cpu_kernel ad_cpu_kernel_DROP_MASK = {.run = run_drop_mask};
const ad_cpu_kernel ad_cpu_kernel_DROP_APPLY = {.run = run_drop_apply};
