/* CONV, CONV_DX, CONV_DW. */
#include "cpu/cpu_internal.h"

#include <string.h>

static void run_conv(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, o = (size_t)g->o, items = (size_t)call->op->tasks * (size_t)g->n * (size_t)g->oh;
    AD_CPU_PARALLEL(call, items * (size_t)g->ow * c * o)
    for (size_t item = 0; item < items; item++) {
        const int p = (int)(item % (size_t)g->oh), task = (int)(item / (size_t)g->oh / (size_t)g->n);
        const size_t image = item / (size_t)g->oh % (size_t)g->n;
        const float *x = (const float *)ad_cpu_at(call, 0, task) + image * (size_t)g->h * (size_t)g->w * c, *w = ad_cpu_at(call, 1, task);
        const float *bias = ad_cpu_at(call, 2, task);
        float *y = (float *)ad_cpu_at(call, 3, task) + (image * (size_t)g->oh + (size_t)p) * (size_t)g->ow * o;
        for (int q = 0; q < g->ow; q++, y += o) {
            for (size_t k = 0; k < o; k++) ad_cpu_put(&y[k], bias ? bias[k] : 0, ad_cpu_accumulates(call));
            for (int i = 0; i < g->k; i++)
                for (int j = 0; j < g->k; j++) {
                    const int row = p * g->stride - g->pad + i * g->dil, column = q * g->stride - g->pad + j * g->dil;
                    if (row < 0 || row >= g->h || column < 0 || column >= g->w) continue;
                    const float *at = x + ((size_t)row * (size_t)g->w + (size_t)column) * c, *tap = w + (size_t)(i * g->k + j) * c * o;
                    for (size_t ch = 0; ch < c; ch++) ad_cpu_add_scaled(y, tap + ch * o, at[ch], o);
                }
        }
    }
}

static void run_conv_dx(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, o = (size_t)g->o, items = (size_t)call->op->tasks * (size_t)g->n * (size_t)g->h;
    AD_CPU_PARALLEL(call, items * (size_t)g->w * c * o)
    for (size_t item = 0; item < items; item++) {
        const int h = (int)(item % (size_t)g->h), task = (int)(item / (size_t)g->h / (size_t)g->n);
        const size_t image = item / (size_t)g->h % (size_t)g->n;
        const float *dy = (const float *)ad_cpu_at(call, 0, task) + image * (size_t)g->oh * (size_t)g->ow * o, *w = ad_cpu_at(call, 1, task);
        float *dx = (float *)ad_cpu_at(call, 2, task) + (image * (size_t)g->h + (size_t)h) * (size_t)g->w * c;
        for (int column = 0; column < g->w; column++, dx += c) {
            if (!ad_cpu_accumulates(call)) memset(dx, 0, c * sizeof *dx);
            for (int i = 0; i < g->k; i++)
                for (int j = 0; j < g->k; j++) {
                    const int row = h + g->pad - i * g->dil, col = column + g->pad - j * g->dil;
                    if (row < 0 || col < 0 || row % g->stride || col % g->stride || row / g->stride >= g->oh || col / g->stride >= g->ow) continue;
                    const float *at = dy + ((size_t)(row / g->stride) * (size_t)g->ow + (size_t)(col / g->stride)) * o;
                    const float *tap = w + (size_t)(i * g->k + j) * c * o;
                    for (size_t ch = 0; ch < c; ch++) dx[ch] += ad_cpu_dot(tap + ch * o, at, o);
                }
        }
    }
}

static void run_conv_dw(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, o = (size_t)g->o, rows = (size_t)g->k * (size_t)g->k * c, items = (size_t)call->op->tasks * rows;
    AD_CPU_PARALLEL(call, items * (size_t)g->n * (size_t)g->oh * (size_t)g->ow * o)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / rows), tap = (int)(item % rows / c), i = tap / g->k, j = tap % g->k;
        const float *x = (const float *)ad_cpu_at(call, 0, task) + item % c, *dy = ad_cpu_at(call, 1, task);
        float *dw = (float *)ad_cpu_at(call, 2, task) + item % rows * o;
        if (!ad_cpu_accumulates(call)) memset(dw, 0, o * sizeof *dw);
        for (int image = 0; image < g->n; image++)
            for (int p = 0; p < g->oh; p++)
                for (int q = 0; q < g->ow; q++, dy += o) {
                    const int row = p * g->stride - g->pad + i * g->dil, column = q * g->stride - g->pad + j * g->dil;
                    if (row < 0 || row >= g->h || column < 0 || column >= g->w) continue;
                    ad_cpu_add_scaled(dw, dy, x[(((size_t)image * (size_t)g->h + (size_t)row) * (size_t)g->w + (size_t)column) * c], o);
                }
    }
}

const ad_cpu_kernel ad_cpu_kernel_CONV = {.run = run_conv};
const ad_cpu_kernel ad_cpu_kernel_CONV_DX = {.run = run_conv_dx};
const ad_cpu_kernel ad_cpu_kernel_CONV_DW = {.run = run_conv_dw};
