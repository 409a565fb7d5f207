/* MIX: mixtures of pictures with the next. One item per image. */
#include "cpu/cpu_internal.h"

#include <math.h>
#include <string.h>

AD_CLONES static void mix_block(float *y, const float *x, const float *next, float lambda, size_t count) {
    const float other = 1 - lambda;
    for (size_t i = 0; i < count; i++) y[i] = lambda * x[i] + other * next[i];
}

/* The first of `size` rows or columns that is not before `edge`. */
static size_t from_edge(float edge, int size) { return (size_t)AD_MIN(AD_MAX(ceilf(edge), 0), (float)size); }

static void run_mix(const ad_cpu_call *call) {
    const ad_op *op = call->op;
    const ad_geometry *g = &op->g;
    const size_t n = (size_t)g->n, c = (size_t)g->c, line = (size_t)g->w * c, picture = (size_t)g->h * line;
    const int32_t *counter = ad_cpu_at(call, 2, 0);
    const size_t round = counter ? (size_t)(counter[0] % AD_MAX(op->i[7], 1)) : 0;
    const float *mix = (const float *)ad_cpu_at(call, 1, 0) + round * AD_MIX_COLUMNS, lambda = mix[AD_MIX_LAMBDA];
    const size_t top = from_edge(mix[AD_MIX_TOP], g->h), bottom = from_edge(mix[AD_MIX_BOTTOM], g->h);
    const size_t left = c * from_edge(mix[AD_MIX_LEFT], g->w),
                 right = AD_MAX(left, c * from_edge(mix[AD_MIX_RIGHT], g->w));
    const size_t items = n * (size_t)call->tasks;
    AD_CPU_PARALLEL(call, items * picture)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / n);
        const float *all = ad_cpu_at(call, 0, task), *x = all + item % n * picture,
                    *next = all + (item + 1) % n * picture;
        float *y = (float *)ad_cpu_at(call, 3, task) + item % n * picture;
        for (size_t row = 0; row < (size_t)g->h; row++, x += line, next += line, y += line) {
            if (row < top || row >= bottom) {
                mix_block(y, x, next, lambda, line);
                continue;
            }
            mix_block(y, x, next, lambda, left);
            memcpy(y + left, next + left, (right - left) * sizeof *y);
            mix_block(y + right, x + right, next + right, lambda, line - right);
        }
    }
}

const ad_cpu_kernel ad_cpu_kernel_MIX = {.run = run_mix};
