/* DEPTH*: the first stage of atoms-first; every atom acts on every channel of x, z[n][p][q][c][m]. With groups, every
 * pair of them likewise with atoms of its own, summed over the groups of inputs. Variant "rows" keeps vectors of eight
 * atoms in registers. */
#include "cpu/taps.h"

#include <string.h>

/* z[c][m] += x[c] psi[m] */
AD_CLONES static void add_outer(float *z, const float *x, const float *psi, size_t step, size_t c, size_t m) {
    for (size_t ch = 0; ch < c; ch++)
        for (size_t a = 0; a < m; a++) z[ch * m + a] += x[ch] * psi[a * step];
}

/* dx[c] += sum_m dz[c][m] psi[m] */
AD_CLONES static void add_inner(float *dx, const float *dz, const float *psi, size_t step, size_t c, size_t m) {
    for (size_t ch = 0; ch < c; ch++) {
        float sum = 0;
        for (size_t a = 0; a < m; a++) sum += dz[ch * m + a] * psi[a * step];
        dx[ch] += sum;
    }
}

/* dpsi[m] += sum_c x[c] dz[c][m] */
AD_CLONES static void add_across(float *dpsi, size_t step, const float *x, const float *dz, size_t c, size_t m) {
    for (size_t a = 0; a < m; a++) {
        float sum = 0;
        for (size_t ch = 0; ch < c; ch++) sum += x[ch] * dz[ch * m + a];
        dpsi[a * step] += sum;
    }
}

static void depth_loops(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const ad_cpu_groups s = ad_cpu_groups_of(g);
    const size_t c = (size_t)g->c, m = (size_t)g->m, k2 = (size_t)g->k * (size_t)g->k, step = s.c * m,
                 pixel = s.outputs * step;
    const size_t items = (size_t)call->tasks * (size_t)g->n * (size_t)g->oh;
    AD_CPU_PARALLEL(call, items * (size_t)g->ow * pixel)
    for (size_t item = 0; item < items; item++) {
        const int p = (int)(item % (size_t)g->oh), task = (int)(item / (size_t)g->oh / (size_t)g->n);
        const size_t image = item / (size_t)g->oh % (size_t)g->n;
        const float *x = (const float *)ad_cpu_at(call, 0, task) + image * (size_t)g->h * (size_t)g->w * c,
                    *psi = ad_cpu_at(call, 1, task);
        float *z = (float *)ad_cpu_at(call, 2, task) + (image * (size_t)g->oh + (size_t)p) * (size_t)g->ow * pixel;
        for (int q = 0; q < g->ow; q++, z += pixel) {
            if (!ad_cpu_accumulates(call)) memset(z, 0, pixel * sizeof *z);
            for (int i = 0; i < g->k; i++)
                for (int j = 0; j < g->k; j++) {
                    const int row = p * g->stride - g->pad + i * g->dil, column = q * g->stride - g->pad + j * g->dil;
                    if (row < 0 || row >= g->h || column < 0 || column >= g->w) continue;
                    const float *at = x + ((size_t)row * (size_t)g->w + (size_t)column) * c;
                    for (size_t pair = 0; pair < s.inputs * s.outputs; pair++)
                        add_outer(z + pair / s.inputs * step, at + pair % s.inputs * s.c,
                                  psi + pair * m * k2 + (size_t)(i * g->k + j), k2, s.c, m);
                }
        }
    }
}

static void dx_loops(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const ad_cpu_groups s = ad_cpu_groups_of(g);
    const size_t c = (size_t)g->c, m = (size_t)g->m, k2 = (size_t)g->k * (size_t)g->k, step = s.c * m,
                 pixel = s.outputs * step;
    const size_t items = (size_t)call->tasks * (size_t)g->n * (size_t)g->h;
    AD_CPU_PARALLEL(call, items * (size_t)g->w * c * m)
    for (size_t item = 0; item < items; item++) {
        const int h = (int)(item % (size_t)g->h), task = (int)(item / (size_t)g->h / (size_t)g->n);
        const size_t image = item / (size_t)g->h % (size_t)g->n;
        const float *dz = (const float *)ad_cpu_at(call, 0, task) + image * (size_t)g->oh * (size_t)g->ow * pixel,
                    *psi = ad_cpu_at(call, 1, task);
        float *dx = (float *)ad_cpu_at(call, 2, task) + (image * (size_t)g->h + (size_t)h) * (size_t)g->w * c;
        for (int column = 0; column < g->w; column++, dx += c) {
            if (!ad_cpu_accumulates(call)) memset(dx, 0, c * sizeof *dx);
            for (int i = 0; i < g->k; i++)
                for (int j = 0; j < g->k; j++) {
                    const int row = h + g->pad - i * g->dil, col = column + g->pad - j * g->dil;
                    if (row < 0 || col < 0 || row % g->stride || col % g->stride || row / g->stride >= g->oh ||
                        col / g->stride >= g->ow)
                        continue;
                    const float *at =
                        dz + ((size_t)(row / g->stride) * (size_t)g->ow + (size_t)(col / g->stride)) * pixel;
                    for (size_t pair = 0; pair < s.inputs * s.outputs; pair++)
                        add_inner(dx + pair % s.inputs * s.c, at + pair / s.inputs * step,
                                  psi + pair * m * k2 + (size_t)(i * g->k + j), k2, s.c, m);
                }
        }
    }
}

/* A partial sum per image, then their sum. */
static void dpsi_loops(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const ad_cpu_groups s = ad_cpu_groups_of(g);
    const size_t c = (size_t)g->c, m = (size_t)g->m, k2 = (size_t)g->k * (size_t)g->k, n = (size_t)g->n, step = s.c * m;
    const size_t items = (size_t)call->tasks * n, pixel = s.outputs * step, numbers = s.inputs * s.outputs * m * k2;
    AD_CPU_PARALLEL(call, items * (size_t)g->oh * (size_t)g->ow * pixel)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / n);
        const float *x = (const float *)ad_cpu_at(call, 0, task) + item % n * (size_t)g->h * (size_t)g->w * c;
        const float *dz = (const float *)ad_cpu_at(call, 1, task) + item % n * (size_t)g->oh * (size_t)g->ow * pixel;
        float *partial = call->scratch + item * numbers;
        memset(partial, 0, numbers * sizeof *partial);
        for (int p = 0; p < g->oh; p++)
            for (int q = 0; q < g->ow; q++, dz += pixel)
                for (int i = 0; i < g->k; i++)
                    for (int j = 0; j < g->k; j++) {
                        const int row = p * g->stride - g->pad + i * g->dil,
                                  column = q * g->stride - g->pad + j * g->dil;
                        if (row < 0 || row >= g->h || column < 0 || column >= g->w) continue;
                        const float *at = x + ((size_t)row * (size_t)g->w + (size_t)column) * c;
                        for (size_t pair = 0; pair < s.inputs * s.outputs; pair++)
                            add_across(partial + pair * m * k2 + (size_t)(i * g->k + j), k2, at + pair % s.inputs * s.c,
                                       dz + pair / s.inputs * step, s.c, m);
                    }
    }
    for (int task = 0; task < call->tasks; task++)
        ad_cpu_reduce(ad_cpu_at(call, 2, task), call->scratch + (size_t)task * n * numbers, n, numbers, 1,
                      ad_cpu_accumulates(call));
}

/* ---- rows ---- */
static void depth_rows(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const ad_cpu_groups s = ad_cpu_groups_of(g);
    const size_t n = (size_t)g->n, oh = (size_t)g->oh, step = s.c * (size_t)g->m,
                 row = (size_t)g->ow * s.outputs * step;
    const size_t in = (size_t)g->h * (size_t)g->w * (size_t)g->c, items = (size_t)call->tasks * n * oh;
    AD_CPU_PARALLEL(call, items * row)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / oh / n);
        const float *x = (const float *)ad_cpu_at(call, 0, task) + item / oh % n * in;
        float *z = (float *)ad_cpu_at(call, 2, task) + item % (n * oh) * row;
        const ad_cpu_taps first = ad_cpu_taps_begin(call->op, ad_cpu_at(call, 1, task), call->scratch);
        ad_cpu_taps taps = first;
        taps.count = s.c;
        for (int q = 0; q < g->ow; q++) {
            ad_cpu_taps_read(g, &taps, x, (int)(item % oh), q);
            for (size_t to = 0; to < s.outputs; to++, z += step) {
                taps.psi = first.psi + to * s.inputs * (size_t)(g->k * g->k) * taps.ld;
                taps.out = z;
                call->tiles->depth(&taps);
            }
        }
    }
}

static void dx_rows(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const ad_cpu_groups s = ad_cpu_groups_of(g);
    const size_t n = (size_t)g->n, h = (size_t)g->h, c = (size_t)g->c, step = s.c * (size_t)g->m,
                 row = (size_t)g->w * c;
    const size_t out = (size_t)g->oh * (size_t)g->ow * s.outputs * step, items = (size_t)call->tasks * n * h;
    AD_CPU_PARALLEL(call, items * row * (size_t)g->m)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / h / n);
        const float *dz = (const float *)ad_cpu_at(call, 0, task) + item / h % n * out;
        float *dx = (float *)ad_cpu_at(call, 2, task) + item % (n * h) * row;
        const ad_cpu_taps first = ad_cpu_taps_begin(call->op, ad_cpu_at(call, 1, task), call->scratch);
        ad_cpu_taps taps = first;
        taps.count = s.c;
        for (int w = 0; w < g->w; w++) {
            ad_cpu_taps_written(g, &taps, dz, step, (int)(item % h), w);
            for (size_t from = 0; from < s.inputs; from++, dx += s.c) {
                taps.psi = first.psi + from * (size_t)(g->k * g->k) * taps.ld;
                taps.out = dx;
                call->tiles->depth_dx(&taps);
            }
        }
    }
}

/* Output rows of one partial sum: more of them where the sums of all pairs of groups take more memory. */
static size_t dpsi_rows_each(const ad_geometry *g) {
    const ad_cpu_groups s = ad_cpu_groups_of(g);
    const size_t rows = (size_t)g->n * (size_t)g->oh, least_items = 16;
    return AD_MAX(AD_MIN(s.inputs * s.outputs, rows / least_items), 1);
}

/* Partial sums in the transposed layout of taps.psi, then their sum. */
static void dpsi_rows(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const ad_cpu_groups s = ad_cpu_groups_of(g);
    const size_t rows = (size_t)g->n * (size_t)g->oh, oh = (size_t)g->oh, m = (size_t)g->m,
                 k2 = (size_t)g->k * (size_t)g->k;
    const size_t step = s.c * m, row = (size_t)g->ow * s.outputs * step,
                 in = (size_t)g->h * (size_t)g->w * (size_t)g->c;
    const size_t numbers = s.inputs * s.outputs * m * k2, each = dpsi_rows_each(g), blocks = (rows + each - 1) / each;
    const size_t items = (size_t)call->tasks * blocks;
    float *lists = call->scratch + items * numbers;
    AD_CPU_PARALLEL(call, (size_t)call->tasks * rows * row)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / blocks);
        const float *x = ad_cpu_at(call, 0, task), *dz = ad_cpu_at(call, 1, task);
        const ad_cpu_taps first = ad_cpu_taps_begin(call->op, NULL, lists);
        ad_cpu_taps taps = first;
        taps.count = s.c;
        const size_t begin = item % blocks * each, end = AD_MIN(begin + each, rows);
        taps.dz = dz + begin * row;
        for (size_t r = begin; r < end; r++)
            for (int q = 0; q < g->ow; q++) {
                ad_cpu_taps_read(g, &taps, x + r / oh * in, (int)(r % oh), q);
                for (size_t to = 0; to < s.outputs; to++, taps.dz += step) {
                    taps.out = first.psi + to * s.inputs * k2 * taps.ld;
                    call->tiles->depth_dpsi(&taps);
                }
            }
        for (size_t e = 0; e < numbers; e++)
            call->scratch[item * numbers + e] = first.psi[(e / k2 / m * k2 + e % k2) * taps.ld + e / k2 % m];
    }
    for (int task = 0; task < call->tasks; task++)
        ad_cpu_reduce(ad_cpu_at(call, 2, task), call->scratch + (size_t)task * blocks * numbers, blocks, numbers, 1,
                      ad_cpu_accumulates(call));
}

static size_t taps_scratch(const ad_cpu_call *call) {
    return call->variant == 1 ? (size_t)call->threads * ad_cpu_taps_floats(call->op) : 0;
}

static size_t dpsi_scratch(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const ad_cpu_groups s = ad_cpu_groups_of(g);
    const size_t sums = (size_t)call->tasks * s.inputs * s.outputs * (size_t)g->m * (size_t)g->k * (size_t)g->k,
                 n = (size_t)g->n;
    const size_t each = dpsi_rows_each(g), blocks = (n * (size_t)g->oh + each - 1) / each;
    return call->variant == 1 ? sums * blocks + taps_scratch(call) : sums * n;
}

static bool fits(const ad_op *op, int variant, const ad_cpu_tiles *tiles) {
    (void)tiles;
    return variant == 2 || op->g.m % AD_CPU_TILE_ATOMS == 0;
}

static void run_depth(const ad_cpu_call *call) { call->variant == 1 ? depth_rows(call) : depth_loops(call); }
static void run_dx(const ad_cpu_call *call) { call->variant == 1 ? dx_rows(call) : dx_loops(call); }
static void run_dpsi(const ad_cpu_call *call) { call->variant == 1 ? dpsi_rows(call) : dpsi_loops(call); }

static const char *const variants[] = {"rows", "loops", NULL};
const ad_cpu_kernel ad_cpu_kernel_DEPTH = {
    .run = run_depth, .scratch = taps_scratch, .variants = variants, .applies = fits};
const ad_cpu_kernel ad_cpu_kernel_DEPTH_DX = {
    .run = run_dx, .scratch = taps_scratch, .variants = variants, .applies = fits};
const ad_cpu_kernel ad_cpu_kernel_DEPTH_DPSI = {
    .run = run_dpsi, .scratch = dpsi_scratch, .variants = variants, .applies = fits};
