/* Kernels from coefficients and atoms, and back: COMPOSE*, PACK. Tables of c*m*o numbers: one item per
 * input channel. */
#include "cpu/cpu_internal.h"

#include <string.h>

AD_CLONES static void scale_row(float *y, const float *x, const float *scale, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] = scale ? scale[i] * x[i] : x[i];
}

/* Rows of x and how they are weighted: row a begins at x + a*ld, its weight is psi[a*step], a < m. */
typedef struct weighted_rows {
    const float *x, *psi;
    size_t ld, step, m;
} weighted_rows;

/* y[k] (+)= scale[k] * (base[k] + sum_a psi[a] x[a][k]), k < o. base and scale may be NULL. */
AD_CLONES static void combine_rows(float *y, weighted_rows rows, const float *base, const float *scale, size_t o,
                                   bool accumulate) {
    enum { COLUMNS = 64 };
    const float *x = rows.x, *psi = rows.psi;
    const size_t ld = rows.ld, step = rows.step, m = rows.m;
    for (size_t first = 0; first < o; first += COLUMNS) {
        const size_t count = AD_MIN((size_t)COLUMNS, o - first);
        float sum[COLUMNS];
        for (size_t k = 0; k < count; k++) sum[k] = base ? base[first + k] : 0;
        for (size_t a = 0; a < m; a++)
            for (size_t k = 0; k < count; k++) sum[k] += psi[a * step] * x[a * ld + first + k];
        for (size_t k = 0; k < count; k++) {
            const float value = scale ? scale[first + k] * sum[k] : sum[k];
            y[first + k] = accumulate ? y[first + k] + value : value;
        }
    }
}

static void run_compose(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, m = (size_t)g->m, o = (size_t)g->o, k2 = (size_t)g->k * (size_t)g->k,
                 ld = (size_t)call->op->i[0];
    const ad_cpu_groups s = ad_cpu_groups_of(g);
    AD_CPU_PARALLEL(call, (size_t)call->tasks * c * m * o * k2)
    for (size_t item = 0; item < (size_t)call->tasks * c; item++) {
        const int task = (int)(item / c);
        const size_t ch = item % c;
        const float *alpha = (const float *)ad_cpu_at(call, 0, task) + ch % s.c * m * ld,
                    *psi = ad_cpu_at(call, 1, task);
        const float *scale = ad_cpu_at(call, 2, task), *base = ad_cpu_at(call, 4, task);
        float *w = ad_cpu_at(call, 3, task);
        for (size_t ij = 0; ij < k2; ij++)
            for (size_t to = 0; to < s.outputs; to++) {
                const size_t at = (ij * c + ch) * o + to * s.o, pair = to * s.inputs + ch / s.c;
                const weighted_rows weighted = {
                    .x = alpha, .psi = psi + pair * m * k2 + ij, .ld = ld, .step = k2, .m = m};
                combine_rows(w + at, weighted, base ? base + at : NULL, scale ? scale + to * s.o : NULL, s.o,
                             ad_cpu_accumulates(call));
            }
    }
}

/* A partial sum per input channel and group of outputs, then their sum over the channels of a group. */
static void run_compose_dpsi(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const ad_cpu_groups s = ad_cpu_groups_of(g);
    const size_t c = (size_t)g->c, m = (size_t)g->m, o = (size_t)g->o, k2 = (size_t)g->k * (size_t)g->k,
                 ld = (size_t)call->op->i[0];
    const size_t tasks = (size_t)call->tasks, pairs = s.inputs * s.outputs;
    AD_CPU_PARALLEL(call, tasks * c * m * o * k2)
    for (size_t item = 0; item < tasks * s.outputs * c; item++) {
        const int task = (int)(item / c / s.outputs);
        const size_t ch = item % c, to = item / c % s.outputs;
        const float *dw = (const float *)ad_cpu_at(call, 0, task) + ch * o + to * s.o;
        const float *alpha = (const float *)ad_cpu_at(call, 1, task) + ch % s.c * m * ld;
        float *partial = call->scratch + item * m * k2;
        for (size_t a = 0; a < m; a++)
            for (size_t ij = 0; ij < k2; ij++) partial[a * k2 + ij] = ad_cpu_dot(alpha + a * ld, dw + ij * c * o, s.o);
    }
    for (size_t pair = 0; pair < tasks * pairs; pair++) {
        float *dpsi = (float *)ad_cpu_at(call, 2, (int)(pair / pairs)) + pair % pairs * m * k2;
        ad_cpu_reduce(dpsi, call->scratch + pair * s.c * m * k2, s.c, m * k2, 1, ad_cpu_accumulates(call));
    }
}

static size_t compose_dpsi_scratch(const ad_cpu_call *call) {
    const ad_op *op = call->op;
    return (size_t)call->tasks * ad_cpu_groups_of(&op->g).outputs * (size_t)op->g.c * (size_t)op->g.m *
           (size_t)op->g.k * (size_t)op->g.k;
}

static void run_compose_dalpha(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, m = (size_t)g->m, o = (size_t)g->o, k2 = (size_t)g->k * (size_t)g->k,
                 ld = (size_t)call->op->i[0];
    const size_t rows = (size_t)call->op->i[1];
    const ad_cpu_groups s = ad_cpu_groups_of(g);
    AD_CPU_PARALLEL(call, (size_t)call->tasks * c * m * o * k2)
    for (size_t item = 0; item < (size_t)call->tasks * rows; item++) {
        const int task = (int)(item / rows);
        const size_t ch = item % rows;
        float *dalpha = (float *)ad_cpu_at(call, 2, task) + ch * m * ld;
        if (!ad_cpu_accumulates(call)) memset(dalpha, 0, m * ld * sizeof *dalpha);
        if (ch >= s.c) continue;
        const float *dw = (const float *)ad_cpu_at(call, 0, task) + ch * o, *psi = ad_cpu_at(call, 1, task);
        for (size_t pair = 0; pair < s.inputs * s.outputs; pair++) {
            const float *of = dw + pair % s.inputs * s.c * o + pair / s.inputs * s.o;
            for (size_t a = 0; a < m; a++) {
                const weighted_rows weighted = {
                    .x = of, .psi = psi + (pair * m + a) * k2, .ld = c * o, .step = 1, .m = k2};
                combine_rows(dalpha + a * ld, weighted, NULL, NULL, s.o, true);
            }
        }
    }
}

static void run_pack(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t rows = (size_t)g->c * (size_t)g->m, o = (size_t)g->o, ld = (size_t)call->op->i[0];
    AD_CPU_PARALLEL(call, (size_t)call->tasks * rows * o)
    for (size_t item = 0; item < (size_t)call->tasks * rows; item++) {
        const int task = (int)(item / rows);
        const float *alpha = (const float *)ad_cpu_at(call, 0, task) + item % rows * ld;
        scale_row((float *)ad_cpu_at(call, 2, task) + item % rows * o, alpha, ad_cpu_at(call, 1, task), o);
    }
}

const ad_cpu_kernel ad_cpu_kernel_COMPOSE = {.run = run_compose};
const ad_cpu_kernel ad_cpu_kernel_COMPOSE_DPSI = {.run = run_compose_dpsi, .scratch = compose_dpsi_scratch};
const ad_cpu_kernel ad_cpu_kernel_COMPOSE_DALPHA = {.run = run_compose_dalpha};
const ad_cpu_kernel ad_cpu_kernel_PACK = {.run = run_pack};
