/* ATOMS*: the second stage of coefficients-first; the atoms act on u[n][h][w][m][o], the same tap for all o. */
#include "cpu/cpu_internal.h"

#include <string.h>

static void run_atoms(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t m = (size_t)g->m, o = (size_t)g->o, k2 = (size_t)g->k * (size_t)g->k;
    const size_t items = (size_t)call->op->tasks * (size_t)g->n * (size_t)g->oh;
    AD_CPU_PARALLEL(call, items * (size_t)g->ow * m * o)
    for (size_t item = 0; item < items; item++) {
        const int p = (int)(item % (size_t)g->oh), task = (int)(item / (size_t)g->oh / (size_t)g->n);
        const size_t image = item / (size_t)g->oh % (size_t)g->n;
        const float *u = (const float *)ad_cpu_at(call, 0, task) + image * (size_t)g->h * (size_t)g->w * m * o, *psi = ad_cpu_at(call, 1, task);
        const float *bias = ad_cpu_at(call, 2, task);
        float *y = (float *)ad_cpu_at(call, 3, task) + (image * (size_t)g->oh + (size_t)p) * (size_t)g->ow * o;
        for (int q = 0; q < g->ow; q++, y += o) {
            for (size_t k = 0; k < o; k++) ad_cpu_put(&y[k], bias ? bias[k] : 0, ad_cpu_accumulates(call));
            for (int i = 0; i < g->k; i++)
                for (int j = 0; j < g->k; j++) {
                    const int row = p * g->stride - g->pad + i * g->dil, column = q * g->stride - g->pad + j * g->dil;
                    if (row < 0 || row >= g->h || column < 0 || column >= g->w) continue;
                    const float *at = u + ((size_t)row * (size_t)g->w + (size_t)column) * m * o;
                    for (size_t a = 0; a < m; a++) ad_cpu_add_scaled(y, at + a * o, psi[a * k2 + (size_t)(i * g->k + j)], o);
                }
        }
    }
}

static void run_atoms_du(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t m = (size_t)g->m, o = (size_t)g->o, k2 = (size_t)g->k * (size_t)g->k;
    const size_t items = (size_t)call->op->tasks * (size_t)g->n * (size_t)g->h;
    AD_CPU_PARALLEL(call, items * (size_t)g->w * m * o)
    for (size_t item = 0; item < items; item++) {
        const int h = (int)(item % (size_t)g->h), task = (int)(item / (size_t)g->h / (size_t)g->n);
        const size_t image = item / (size_t)g->h % (size_t)g->n;
        const float *dy = (const float *)ad_cpu_at(call, 0, task) + image * (size_t)g->oh * (size_t)g->ow * o, *psi = ad_cpu_at(call, 1, task);
        float *du = (float *)ad_cpu_at(call, 2, task) + (image * (size_t)g->h + (size_t)h) * (size_t)g->w * m * o;
        for (int column = 0; column < g->w; column++, du += m * o) {
            if (!ad_cpu_accumulates(call)) memset(du, 0, m * o * sizeof *du);
            for (int i = 0; i < g->k; i++)
                for (int j = 0; j < g->k; j++) {
                    const int row = h + g->pad - i * g->dil, col = column + g->pad - j * g->dil;
                    if (row < 0 || col < 0 || row % g->stride || col % g->stride || row / g->stride >= g->oh || col / g->stride >= g->ow) continue;
                    const float *at = dy + ((size_t)(row / g->stride) * (size_t)g->ow + (size_t)(col / g->stride)) * o;
                    for (size_t a = 0; a < m; a++) ad_cpu_add_scaled(du + a * o, at, psi[a * k2 + (size_t)(i * g->k + j)], o);
                }
        }
    }
}

/* A partial sum per image, then their sum. */
static void run_atoms_dpsi(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t m = (size_t)g->m, o = (size_t)g->o, k2 = (size_t)g->k * (size_t)g->k, n = (size_t)g->n;
    const size_t items = (size_t)call->op->tasks * n;
    AD_CPU_PARALLEL(call, items * (size_t)g->oh * (size_t)g->ow * m * o)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / n);
        const float *u = (const float *)ad_cpu_at(call, 0, task) + item % n * (size_t)g->h * (size_t)g->w * m * o;
        const float *dy = (const float *)ad_cpu_at(call, 1, task) + item % n * (size_t)g->oh * (size_t)g->ow * o;
        float *partial = call->scratch + item * m * k2;
        memset(partial, 0, m * k2 * sizeof *partial);
        for (int p = 0; p < g->oh; p++)
            for (int q = 0; q < g->ow; q++, dy += o)
                for (int i = 0; i < g->k; i++)
                    for (int j = 0; j < g->k; j++) {
                        const int row = p * g->stride - g->pad + i * g->dil, column = q * g->stride - g->pad + j * g->dil;
                        if (row < 0 || row >= g->h || column < 0 || column >= g->w) continue;
                        const float *at = u + ((size_t)row * (size_t)g->w + (size_t)column) * m * o;
                        for (size_t a = 0; a < m; a++) partial[a * k2 + (size_t)(i * g->k + j)] += ad_cpu_dot(at + a * o, dy, o);
                    }
    }
    for (int task = 0; task < call->op->tasks; task++)
        ad_cpu_reduce(ad_cpu_at(call, 2, task), call->scratch + (size_t)task * n * m * k2, n, m * k2, 1, ad_cpu_accumulates(call));
}

static size_t atoms_dpsi_scratch(const ad_cpu_call *call) {
    const ad_op *op = call->op;
    return (size_t)op->tasks * (size_t)op->g.n * (size_t)op->g.m * (size_t)op->g.k * (size_t)op->g.k;
}

const ad_cpu_kernel ad_cpu_kernel_ATOMS = {.run = run_atoms};
const ad_cpu_kernel ad_cpu_kernel_ATOMS_DU = {.run = run_atoms_du};
const ad_cpu_kernel ad_cpu_kernel_ATOMS_DPSI = {.run = run_atoms_dpsi, .scratch = atoms_dpsi_scratch};
