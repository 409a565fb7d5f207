/* Whole-tensor operations: ADD, BLEND, FILL, COPY, ADVANCE; and what other kernels are made of. */
#include "cpu/cpu_internal.h"

#include <string.h>

/* Numbers per item: 64 KiB of each operand. */
enum { BLOCK = 16384 };

AD_CLONES float ad_cpu_dot(const float *a, const float *b, size_t count) {
    enum { LANES = 16 };
    float sum[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t e = 0; e < LANES; e++) sum[e] += a[i + e] * b[i + e];
    for (; i < count; i++) sum[i % LANES] += a[i] * b[i];
    for (size_t width = LANES / 2; width > 0; width /= 2)
        for (size_t e = 0; e < width; e++) sum[e] += sum[e + width];
    return sum[0];
}

AD_CLONES void ad_cpu_add_scaled(float *y, const float *x, float scale, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] += scale * x[i];
}

AD_CLONES void ad_cpu_sum_rows(float *sum, const float *x, size_t rows, size_t c) {
    for (size_t r = 0; r < rows; r++, x += c)
        for (size_t ch = 0; ch < c; ch++) sum[ch] += x[ch];
}

void ad_cpu_reduce(float *y, const float *partial, size_t chunks, size_t count, double scale, bool accumulate) {
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (size_t chunk = 0; chunk < chunks; chunk++) sum += (double)partial[chunk * count + i];
        ad_cpu_put(&y[i], (float)(sum * scale), accumulate);
    }
}

AD_CLONES static void add_block(float *y, const float *a, const float *b, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] = a[i] + b[i];
}

AD_CLONES static void subtract_block(float *y, const float *a, const float *b, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] = a[i] - b[i];
}

AD_CLONES static void blend_block(float *y, const float *x, float kept, size_t count) {
    const float fresh = 1 - kept;
    for (size_t i = 0; i < count; i++) y[i] = kept * y[i] + fresh * x[i];
}

AD_CLONES static void fill_block(float *x, float value, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = value;
}

static size_t block_count(const ad_cpu_call *call) { return ((size_t)call->op->g.c + BLOCK - 1) / BLOCK; }

static void run_add(const ad_cpu_call *call) {
    const size_t count = (size_t)call->op->g.c, blocks = block_count(call), items = blocks * (size_t)call->tasks;
    AD_CPU_PARALLEL(call, items * BLOCK)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / blocks);
        const size_t at = item % blocks * BLOCK;
        const float *a = ad_cpu_at(call, 0, task), *b = ad_cpu_at(call, 1, task);
        float *y = ad_cpu_at(call, 2, task);
        (call->op->i[0] ? subtract_block : add_block)(y + at, a + at, b + at, AD_MIN((size_t)BLOCK, count - at));
    }
}

static void run_blend(const ad_cpu_call *call) {
    const size_t count = (size_t)call->op->g.c, blocks = block_count(call), items = blocks * (size_t)call->tasks;
    AD_CPU_PARALLEL(call, items * BLOCK)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / blocks);
        const size_t at = item % blocks * BLOCK;
        const float *x = ad_cpu_at(call, 0, task);
        float *y = ad_cpu_at(call, 1, task);
        blend_block(y + at, x + at, call->op->f[0], AD_MIN((size_t)BLOCK, count - at));
    }
}

static void run_copy(const ad_cpu_call *call) {
    const size_t count = (size_t)call->op->g.c, blocks = block_count(call), items = blocks * (size_t)call->tasks;
    AD_CPU_PARALLEL(call, items * BLOCK)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / blocks);
        const size_t at = item % blocks * BLOCK;
        const float *x = (const float *)ad_cpu_at(call, 0, task) + call->op->i[0];
        float *y = ad_cpu_at(call, 1, task);
        memcpy(y + at, x + at, AD_MIN((size_t)BLOCK, count - at) * sizeof *y);
    }
}

static void run_fill(const ad_cpu_call *call) {
    const size_t count = (size_t)call->op->g.c, blocks = block_count(call), items = blocks * (size_t)call->tasks;
    AD_CPU_PARALLEL(call, items * BLOCK)
    for (size_t item = 0; item < items; item++) {
        float *x = ad_cpu_at(call, 0, (int)(item / blocks));
        const size_t at = item % blocks * BLOCK;
        const size_t here = AD_MIN((size_t)BLOCK, count - at), other = (size_t)call->op->i[0];
        fill_block(x + at, call->op->f[0], here);
        if (other > at && other <= at + here) x[other - 1] = call->op->f[1];
    }
}

static void run_advance(const ad_cpu_call *call) { ++*(int32_t *)ad_cpu_at(call, 0, 0); }

const ad_cpu_kernel ad_cpu_kernel_ADD = {.run = run_add};
const ad_cpu_kernel ad_cpu_kernel_BLEND = {.run = run_blend};
const ad_cpu_kernel ad_cpu_kernel_COPY = {.run = run_copy};
const ad_cpu_kernel ad_cpu_kernel_FILL = {.run = run_fill};
const ad_cpu_kernel ad_cpu_kernel_ADVANCE = {.run = run_advance};
