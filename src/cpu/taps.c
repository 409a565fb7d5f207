#include "cpu/taps.h"

#include <omp.h>

static size_t round_up(size_t count, size_t to) { return (count + to - 1) / to * to; }

/* psi as [outputs][inputs][k*k][ld], the addresses, the tap numbers: floats of each, whole cache lines. */
typedef struct layout {
    size_t ld, pairs, psi, at, index;
} layout;

static layout layout_of(const ad_op *op) {
    const size_t k2 = (size_t)op->g.k * (size_t)op->g.k, ld = round_up((size_t)op->g.m, AD_CPU_TILE_ATOMS);
    const ad_cpu_groups s = ad_cpu_groups_of(&op->g);
    const size_t pairs = s.inputs * s.outputs, taps = k2 * AD_MAX(s.inputs, s.outputs);
    return (layout){ld, pairs, round_up(pairs * k2 * ld, 16), round_up(taps * sizeof(float *) / sizeof(float), 16),
                    round_up(taps, 16)};
}

size_t ad_cpu_taps_floats(const ad_op *op) {
    const layout l = layout_of(op);
    return l.psi + l.at + l.index;
}

ad_cpu_taps ad_cpu_taps_begin(const ad_op *op, const float *psi, float *scratch) {
    const layout l = layout_of(op);
    const size_t k2 = (size_t)op->g.k * (size_t)op->g.k, m = (size_t)op->g.m;
    float *own = scratch + (size_t)omp_get_thread_num() * ad_cpu_taps_floats(op);
    for (size_t row = 0; row < l.pairs * k2; row++)
        for (size_t a = 0; a < l.ld; a++)
            own[row * l.ld + a] = psi && a < m ? psi[(row / k2 * m + a) * k2 + row % k2] : 0;
    return (ad_cpu_taps){.at = (const float **)(own + l.psi),
                         .index = (int *)(own + l.psi + l.at),
                         .psi = own,
                         .m = m,
                         .ld = l.ld,
                         .accumulate = op->flags & AD_ACCUMULATE};
}

void ad_cpu_taps_read(const ad_geometry *g, ad_cpu_taps *taps, const float *image, int p, int q) {
    const ad_cpu_groups s = ad_cpu_groups_of(g);
    taps->taps = 0;
    for (int i = 0; i < g->k; i++) {
        const int row = p * g->stride - g->pad + i * g->dil;
        if (row < 0 || row >= g->h) continue;
        for (int j = 0; j < g->k; j++) {
            const int column = q * g->stride - g->pad + j * g->dil;
            if (column < 0 || column >= g->w) continue;
            const float *at = image + ((size_t)row * (size_t)g->w + (size_t)column) * (size_t)g->c;
            for (size_t from = 0; from < s.inputs; from++) {
                taps->at[taps->taps] = at + from * s.c;
                taps->index[taps->taps++] = (int)from * g->k * g->k + i * g->k + j;
            }
        }
    }
}

/* The output that reads `at` with tap `tap`, or -1. */
static int output_of(const ad_geometry *g, int at, int tap, int outputs) {
    const int from = at + g->pad - tap * g->dil;
    return from >= 0 && from % g->stride == 0 && from / g->stride < outputs ? from / g->stride : -1;
}

void ad_cpu_taps_written(const ad_geometry *g, ad_cpu_taps *taps, const float *outputs, size_t step, int h, int w) {
    const ad_cpu_groups s = ad_cpu_groups_of(g);
    taps->taps = 0;
    for (int j = 0; j < g->k; j++) {
        const int q = output_of(g, w, j, g->ow);
        if (q < 0) continue;
        for (int i = 0; i < g->k; i++) {
            const int p = output_of(g, h, i, g->oh);
            if (p < 0) continue;
            const float *at = outputs + ((size_t)p * (size_t)g->ow + (size_t)q) * s.outputs * step;
            for (size_t to = 0; to < s.outputs; to++) {
                taps->at[taps->taps] = at + to * step;
                taps->index[taps->taps++] = (int)(to * s.inputs) * g->k * g->k + i * g->k + j;
            }
        }
    }
}
