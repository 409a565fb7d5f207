/* Kernels scaled to gains: WEIGHT_NORM, WEIGHT_SCALE, WEIGHT_SCALE_BACK. An item is a cache line of neighbouring
 * channels. */
#include "cpu/cpu_internal.h"

#include <math.h>

enum { BLOCK = 16 };

typedef struct shape {
    size_t taps, c, o, channels, blocks;
    bool inputs; /* the channels are the inputs */
} shape;

static shape shape_of(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    shape s = {
        .taps = (size_t)g->k * (size_t)g->k, .c = (size_t)g->c, .o = (size_t)g->o, .inputs = call->op->i[0] != 0};
    s.channels = s.inputs ? s.c : s.o;
    s.blocks = (s.channels + BLOCK - 1) / BLOCK;
    return s;
}

/* sums[e] = sum of a*b over channel first + e. */
static void channel_sums(shape s, size_t first, size_t count, const float *a, const float *b, double sums[BLOCK]) {
    for (size_t e = 0; e < count; e++) sums[e] = 0;
    if (s.inputs) {
        for (size_t tap = 0; tap < s.taps; tap++)
            for (size_t e = 0; e < count; e++) {
                const size_t row = (tap * s.c + first + e) * s.o;
                sums[e] += (double)ad_cpu_dot(a + row, b + row, s.o);
            }
    } else {
        for (size_t row = first; row < s.taps * s.c * s.o; row += s.o)
            for (size_t e = 0; e < count; e++) sums[e] += (double)a[row + e] * (double)b[row + e];
    }
}

/* y = factor[e]*x on channel first + e. */
static void scale_channels(shape s, size_t first, size_t count, const float *x, const float *factor, float *y) {
    if (s.inputs) {
        for (size_t tap = 0; tap < s.taps; tap++)
            for (size_t e = 0; e < count; e++) {
                const size_t row = (tap * s.c + first + e) * s.o;
                for (size_t i = row; i < row + s.o; i++) y[i] = factor[e] * x[i];
            }
    } else {
        for (size_t row = first; row < s.taps * s.c * s.o; row += s.o)
            for (size_t e = 0; e < count; e++) y[row + e] = factor[e] * x[row + e];
    }
}

static void run_norm(const ad_cpu_call *call) {
    const shape s = shape_of(call);
    AD_CPU_PARALLEL(call, (size_t)call->tasks * s.taps * s.c * s.o)
    for (size_t item = 0; item < (size_t)call->tasks * s.blocks; item++) {
        const int task = (int)(item / s.blocks);
        const size_t first = item % s.blocks * BLOCK, count = AD_MIN((size_t)BLOCK, s.channels - first);
        const float *w = ad_cpu_at(call, 0, task);
        float *norms = ad_cpu_at(call, 1, task);
        double sums[BLOCK];
        channel_sums(s, first, count, w, w, sums);
        for (size_t e = 0; e < count; e++) norms[first + e] = AD_MAX((float)sqrt(sums[e]), 1e-12f);
    }
}

static void run_scale(const ad_cpu_call *call) {
    const shape s = shape_of(call);
    AD_CPU_PARALLEL(call, (size_t)call->tasks * s.taps * s.c * s.o)
    for (size_t item = 0; item < (size_t)call->tasks * s.blocks; item++) {
        const int task = (int)(item / s.blocks);
        const size_t first = item % s.blocks * BLOCK, count = AD_MIN((size_t)BLOCK, s.channels - first);
        const float *gain = ad_cpu_at(call, 1, task), *norms = ad_cpu_at(call, 2, task);
        float factor[BLOCK];
        for (size_t e = 0; e < count; e++) factor[e] = gain[first + e] / norms[first + e];
        scale_channels(s, first, count, ad_cpu_at(call, 0, task), factor, ad_cpu_at(call, 3, task));
    }
}

static void run_scale_back(const ad_cpu_call *call) {
    const shape s = shape_of(call);
    AD_CPU_PARALLEL(call, (size_t)call->tasks * s.taps * s.c * s.o)
    for (size_t item = 0; item < (size_t)call->tasks * s.blocks; item++) {
        const int task = (int)(item / s.blocks);
        const size_t first = item % s.blocks * BLOCK, count = AD_MIN((size_t)BLOCK, s.channels - first);
        const float *gain = ad_cpu_at(call, 1, task), *norms = ad_cpu_at(call, 2, task), *dy = ad_cpu_at(call, 3, task);
        float *dgain = ad_cpu_at(call, 5, task), factor[BLOCK];
        double sums[BLOCK];
        channel_sums(s, first, count, dy, ad_cpu_at(call, 0, task), sums); /* before dw, which may lie where dy does */
        for (size_t e = 0; e < count; e++) {
            dgain[first + e] = (float)(sums[e] / (double)norms[first + e]);
            factor[e] = gain[first + e] / norms[first + e];
        }
        scale_channels(s, first, count, dy, factor, ad_cpu_at(call, 4, task));
    }
}

const ad_cpu_kernel ad_cpu_kernel_WEIGHT_NORM = {.run = run_norm};
const ad_cpu_kernel ad_cpu_kernel_WEIGHT_SCALE = {.run = run_scale};
const ad_cpu_kernel ad_cpu_kernel_WEIGHT_SCALE_BACK = {.run = run_scale_back};
