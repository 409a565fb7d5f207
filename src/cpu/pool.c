/* POOL and POOL_BACK: maximum and average over windows, one item per image row. */
#include "cpu/cpu_internal.h"

#include <math.h>

typedef struct window {
    int h0, h1, w0, w1; /* the part inside the image */
} window;

static window window_at(const ad_geometry *g, int p, int q) {
    const int h = p * g->stride - g->pad, w = q * g->stride - g->pad;
    return (window){AD_MAX(h, 0), AD_MIN(h + g->k, g->h), AD_MAX(w, 0), AD_MIN(w + g->k, g->w)};
}

static inline float combine(float a, float b, bool average) { return average ? a + b : (b > a ? b : a); }

/* One output position: c channels of the window, row by row, so that equal results are summed in one order. */
AD_CPU_CLONES static void pool_position(float *y, const float *image, window v, int w, int c, bool average) {
    const float scale = average ? 1.0f / (float)AD_MAX((v.h1 - v.h0) * (v.w1 - v.w0), 1) : 1;
    for (int ch = 0; ch < c; ch += 4) {
        float r[4];
        for (int e = 0; e < 4; e++) r[e] = average ? 0 : -INFINITY;
        for (int h = v.h0; h < v.h1; h++)
            for (int x = v.w0; x < v.w1; x++)
                for (int e = 0; e < 4; e++) r[e] = combine(r[e], image[((size_t)h * (size_t)w + (size_t)x) * (size_t)c + (size_t)(ch + e)], average);
        for (int e = 0; e < 4; e++) y[ch + e] = r[e] * scale;
    }
}

/* The common window, 2 x 2 and whole. */
AD_CPU_CLONES static void pool_four(float *y, const float *above, const float *below, int c, bool average) {
    const float scale = average ? 0.25f : 1;
    for (int ch = 0; ch < c; ch++) {
        const float a = combine(above[ch], above[c + ch], average), b = combine(below[ch], below[c + ch], average);
        y[ch] = combine(a, b, average) * scale;
    }
}

static void run_pool(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const bool average = call->op->i[0] == 1;
    const size_t c = (size_t)g->c, row = (size_t)g->w * c, items = (size_t)call->op->tasks * (size_t)g->n * (size_t)g->oh;
    AD_CPU_PARALLEL(call, items * (size_t)g->ow * c)
    for (size_t item = 0; item < items; item++) {
        const int p = (int)(item % (size_t)g->oh), task = (int)(item / (size_t)g->oh / (size_t)g->n);
        const size_t image = item / (size_t)g->oh % (size_t)g->n;
        const float *x = (const float *)ad_cpu_at(call, 0, task) + image * (size_t)g->h * row;
        float *y = (float *)ad_cpu_at(call, 1, task) + (image * (size_t)g->oh + (size_t)p) * (size_t)g->ow * c;
        for (int q = 0; q < g->ow; q++) {
            const window v = window_at(g, p, q);
            if (v.h1 - v.h0 == 2 && v.w1 - v.w0 == 2) {
                const float *above = x + (size_t)v.h0 * row + (size_t)v.w0 * c;
                pool_four(y + (size_t)q * c, above, above + row, g->c, average);
            } else {
                pool_position(y + (size_t)q * c, x, v, g->w, g->c, average);
            }
        }
    }
}

static void pool_back_position(float *dx, const float *x, const float *dy, window v, int w, int c, bool average) {
    const float share = 1.0f / (float)AD_MAX((v.h1 - v.h0) * (v.w1 - v.w0), 1);
    for (int ch = 0; ch < c; ch++) {
        if (average) {
            for (int h = v.h0; h < v.h1; h++)
                for (int q = v.w0; q < v.w1; q++) dx[((size_t)h * (size_t)w + (size_t)q) * (size_t)c + (size_t)ch] += dy[ch] * share;
            continue;
        }
        float best = -INFINITY;
        size_t at = ((size_t)v.h0 * (size_t)w + (size_t)v.w0) * (size_t)c + (size_t)ch;
        for (int h = v.h0; h < v.h1; h++)
            for (int q = v.w0; q < v.w1; q++) {
                const size_t e = ((size_t)h * (size_t)w + (size_t)q) * (size_t)c + (size_t)ch;
                if (x[e] > best) best = x[e], at = e;
            }
        dx[at] += dy[ch];
    }
}

/* One item per image: overlapping windows add to the same pixels. */
static void run_pool_back(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const bool average = call->op->i[0] == 1, accumulate = ad_cpu_accumulates(call);
    const size_t c = (size_t)g->c, in = (size_t)g->h * (size_t)g->w * c, out = (size_t)g->oh * (size_t)g->ow * c;
    const size_t items = (size_t)call->op->tasks * (size_t)g->n;
    AD_CPU_PARALLEL(call, items * in)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / (size_t)g->n);
        const size_t image = item % (size_t)g->n;
        const float *x = (const float *)ad_cpu_at(call, 0, task) + image * in, *dy = (const float *)ad_cpu_at(call, 1, task) + image * out;
        float *dx = (float *)ad_cpu_at(call, 2, task) + image * in;
        if (!accumulate)
            for (size_t e = 0; e < in; e++) dx[e] = 0;
        for (int p = 0; p < g->oh; p++)
            for (int q = 0; q < g->ow; q++) {
                const window v = window_at(g, p, q);
                if (v.h1 > v.h0 && v.w1 > v.w0)
                    pool_back_position(dx, x, dy + ((size_t)p * (size_t)g->ow + (size_t)q) * c, v, g->w, g->c, average);
            }
    }
}

const ad_cpu_kernel ad_cpu_kernel_POOL = {.run = run_pool};
const ad_cpu_kernel ad_cpu_kernel_POOL_BACK = {.run = run_pool_back};
