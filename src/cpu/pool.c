/* POOL and POOL_BACK: maximum and average over windows, one item per image row. */
#include "cpu/cpu_internal.h"

#include <math.h>
#include <string.h>

typedef struct window {
    int h0, h1, w0, w1; /* the part inside the image */
} window;

static window window_at(const ad_geometry *g, int p, int q) {
    const int h = p * g->stride - g->pad, w = q * g->stride - g->pad;
    return (window){AD_MAX(h, 0), AD_MIN(h + g->k, g->h), AD_MAX(w, 0), AD_MIN(w + g->k, g->w)};
}

/* A NaN stays one: what diverged must show at the end. Two selections, which become vectors. */
static inline float combine(float a, float b, bool average) {
    const float larger = b > a ? b : a;
    return average ? a + b : b != b ? b : larger;
}

/* `count` channels of one output position, row by row, so that equal results are summed in one order. */
static inline __attribute__((always_inline)) void pool_channels(float *y, const float *image, window v, size_t w,
                                                                size_t c, bool average, float scale, const int count) {
    float r[16];
    for (int e = 0; e < count; e++) r[e] = average ? 0 : -INFINITY;
    for (int h = v.h0; h < v.h1; h++)
        for (int q = v.w0; q < v.w1; q++) {
            const float *from = image + ((size_t)h * w + (size_t)q) * c;
            for (int e = 0; e < count; e++) r[e] = combine(r[e], from[e], average);
        }
    for (int e = 0; e < count; e++) y[e] = r[e] * scale;
}

/* One output position: c channels of the window. */
AD_CLONES static void pool_position(float *y, const float *image, window v, int w, int c, bool average) {
    const float scale = average ? 1.0f / (float)AD_MAX((v.h1 - v.h0) * (v.w1 - v.w0), 1) : 1;
    int ch = 0;
    if (average) {
        for (; ch + 16 <= c; ch += 16) pool_channels(y + ch, image + ch, v, (size_t)w, (size_t)c, true, scale, 16);
        for (; ch < c; ch += 4) pool_channels(y + ch, image + ch, v, (size_t)w, (size_t)c, true, scale, 4);
    } else {
        for (; ch + 16 <= c; ch += 16) pool_channels(y + ch, image + ch, v, (size_t)w, (size_t)c, false, 1, 16);
        for (; ch < c; ch += 4) pool_channels(y + ch, image + ch, v, (size_t)w, (size_t)c, false, 1, 4);
    }
}

/* The common window, 2 x 2 and whole. */
AD_CLONES static void pool_four(float *y, const float *above, const float *below, int c, bool average) {
    const float scale = average ? 0.25f : 1;
    for (int ch = 0; ch < c; ch++) {
        const float a = combine(above[ch], above[c + ch], average), b = combine(below[ch], below[c + ch], average);
        y[ch] = combine(a, b, average) * scale;
    }
}

static void run_pool(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const bool average = call->op->i[0] == 1;
    const size_t c = (size_t)g->c, row = (size_t)g->w * c, items = (size_t)call->tasks * (size_t)g->n * (size_t)g->oh;
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
                for (int q = v.w0; q < v.w1; q++)
                    dx[((size_t)h * (size_t)w + (size_t)q) * (size_t)c + (size_t)ch] += dy[ch] * share;
            continue;
        }
        float best = -INFINITY;
        size_t at = ((size_t)v.h0 * (size_t)w + (size_t)v.w0) * (size_t)c + (size_t)ch;
        for (int h = v.h0; h < v.h1; h++)
            for (int q = v.w0; q < v.w1; q++) {
                const size_t e = ((size_t)h * (size_t)w + (size_t)q) * (size_t)c + (size_t)ch;
                if (x[e] > best) {
                    best = x[e];
                    at = e;
                }
            }
        dx[at] += dy[ch];
    }
}

/* Windows of 2 x 2 that neither overlap nor leave the image: every pixel is written once. The gradient goes to the last
 * of v0, v1, v2, v3 that is larger than all before it. */
static inline __attribute__((always_inline)) void back_four(float *dabove, float *dbelow, const float *above,
                                                            const float *below, const float *dy, size_t c, bool average,
                                                            bool accumulate) {
    AD_CPU_PRAGMA(omp simd)
    for (size_t ch = 0; ch < c; ch++) {
        const float v0 = above[ch], v1 = above[c + ch], v2 = below[ch], v3 = below[c + ch];
        const float m1 = v1 > v0 ? v1 : v0, m2 = v2 > m1 ? v2 : m1;
        const float d3 = v3 > m2 ? dy[ch] : 0, left3 = v3 > m2 ? 0 : dy[ch];
        const float d2 = v2 > m1 ? left3 : 0, left2 = v2 > m1 ? 0 : left3;
        const float d1 = v1 > v0 ? left2 : 0, d0 = v1 > v0 ? 0 : left2, share = 0.25f * dy[ch];
        dabove[ch] = (accumulate ? dabove[ch] : 0) + (average ? share : d0);
        dabove[c + ch] = (accumulate ? dabove[c + ch] : 0) + (average ? share : d1);
        dbelow[ch] = (accumulate ? dbelow[ch] : 0) + (average ? share : d2);
        dbelow[c + ch] = (accumulate ? dbelow[c + ch] : 0) + (average ? share : d3);
    }
}

AD_CLONES static void pool_back_four(float *dabove, float *dbelow, const float *above, const float *below,
                                     const float *dy, size_t c, bool average, bool accumulate) {
    if (average)
        back_four(dabove, dbelow, above, below, dy, c, true, accumulate);
    else if (accumulate)
        back_four(dabove, dbelow, above, below, dy, c, false, true);
    else
        back_four(dabove, dbelow, above, below, dy, c, false, false);
}

static bool is_fourfold(const ad_geometry *g) {
    return g->k == 2 && g->stride == 2 && g->pad == 0 && g->oh == g->h / 2 && g->ow == g->w / 2;
}

static void back_fourfold(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const bool average = call->op->i[0] == 1, accumulate = ad_cpu_accumulates(call);
    const size_t c = (size_t)g->c, row = (size_t)g->w * c, pairs = ((size_t)g->h + 1) / 2, ow = (size_t)g->ow;
    const size_t items = (size_t)call->tasks * (size_t)g->n * pairs; /* pairs of rows, the last one perhaps single */
    AD_CPU_PARALLEL(call, items * 2 * row)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / pairs / (size_t)g->n);
        const size_t image = item / pairs % (size_t)g->n, p = item % pairs, at = (image * (size_t)g->h + 2 * p) * row;
        const float *x = (const float *)ad_cpu_at(call, 0, task) + at;
        float *dx = (float *)ad_cpu_at(call, 2, task) + at;
        if (p == (size_t)g->oh) {
            if (!accumulate) memset(dx, 0, row * sizeof *dx);
            continue;
        }
        const float *dy = (const float *)ad_cpu_at(call, 1, task) + (image * (size_t)g->oh + p) * ow * c;
        for (size_t q = 0; q < ow; q++)
            pool_back_four(dx + 2 * q * c, dx + row + 2 * q * c, x + 2 * q * c, x + row + 2 * q * c, dy + q * c, c,
                           average, accumulate);
        if (!accumulate)
            for (int r = 0; r < 2; r++) memset(dx + (size_t)r * row + 2 * ow * c, 0, (row - 2 * ow * c) * sizeof *dx);
    }
}

/* One item per image: overlapping windows add to the same pixels. */
static void back_overlapping(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const bool average = call->op->i[0] == 1, accumulate = ad_cpu_accumulates(call);
    const size_t c = (size_t)g->c, in = (size_t)g->h * (size_t)g->w * c, out = (size_t)g->oh * (size_t)g->ow * c;
    const size_t items = (size_t)call->tasks * (size_t)g->n;
    AD_CPU_PARALLEL(call, items * in)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / (size_t)g->n);
        const size_t image = item % (size_t)g->n;
        const float *x = (const float *)ad_cpu_at(call, 0, task) + image * in,
                    *dy = (const float *)ad_cpu_at(call, 1, task) + image * out;
        float *dx = (float *)ad_cpu_at(call, 2, task) + image * in;
        if (!accumulate) memset(dx, 0, in * sizeof *dx);
        for (int p = 0; p < g->oh; p++)
            for (int q = 0; q < g->ow; q++) {
                const window v = window_at(g, p, q);
                if (v.h1 > v.h0 && v.w1 > v.w0)
                    pool_back_position(dx, x, dy + ((size_t)p * (size_t)g->ow + (size_t)q) * c, v, g->w, g->c, average);
            }
    }
}

static void run_pool_back(const ad_cpu_call *call) {
    is_fourfold(&call->op->g) ? back_fourfold(call) : back_overlapping(call);
}

const ad_cpu_kernel ad_cpu_kernel_POOL = {.run = run_pool};
const ad_cpu_kernel ad_cpu_kernel_POOL_BACK = {.run = run_pool_back};
