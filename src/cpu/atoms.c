/* ATOMS*: the second stage of coefficients-first; the atoms act on u[n][h][w][m][o], the same tap for all o.
 * Variant "rows" holds the common geometry, 3 x 3 at stride 1, in registers; u is read once from memory. */
#include "base/half.h"
#include "cpu/taps.h"

#include <omp.h>
#include <string.h>

/* The m*o numbers of u at p, in float32; room: for so many. */
AD_CLONES static const float *floats(const void *p, bool half, float *room, size_t count) {
    if (!half) return p;
    const uint16_t *halves = p;
    for (size_t i = 0; i < count; i++) room[i] = ad_half_to_float(halves[i]);
    return room;
}

static void atoms_loops(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t m = (size_t)g->m, o = (size_t)g->o, k2 = (size_t)g->k * (size_t)g->k;
    const size_t items = (size_t)call->tasks * (size_t)g->n * (size_t)g->oh;
    AD_CPU_PARALLEL(call, items * (size_t)g->ow * m * o)
    for (size_t item = 0; item < items; item++) {
        const int p = (int)(item % (size_t)g->oh), task = (int)(item / (size_t)g->oh / (size_t)g->n);
        const size_t image = item / (size_t)g->oh % (size_t)g->n;
        const float *psi = ad_cpu_at(call, 1, task), *bias = ad_cpu_at(call, 2, task);
        float *room = call->scratch + (size_t)omp_get_thread_num() * m * o;
        float *y = (float *)ad_cpu_at(call, 3, task) + (image * (size_t)g->oh + (size_t)p) * (size_t)g->ow * o;
        for (int q = 0; q < g->ow; q++, y += o) {
            for (size_t k = 0; k < o; k++) ad_cpu_put(&y[k], bias ? bias[k] : 0, ad_cpu_accumulates(call));
            for (int i = 0; i < g->k; i++)
                for (int j = 0; j < g->k; j++) {
                    const int row = p * g->stride - g->pad + i * g->dil, column = q * g->stride - g->pad + j * g->dil;
                    if (row < 0 || row >= g->h || column < 0 || column >= g->w) continue;
                    const size_t pixel = (image * (size_t)g->h + (size_t)row) * (size_t)g->w + (size_t)column;
                    const float *at = floats(ad_cpu_number(call, 0, task, pixel * m * o), call->half[0], room, m * o);
                    for (size_t a = 0; a < m; a++)
                        ad_cpu_add_scaled(y, at + a * o, psi[a * k2 + (size_t)(i * g->k + j)], o);
                }
        }
    }
}

static void du_loops(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t m = (size_t)g->m, o = (size_t)g->o, k2 = (size_t)g->k * (size_t)g->k;
    const size_t items = (size_t)call->tasks * (size_t)g->n * (size_t)g->h;
    AD_CPU_PARALLEL(call, items * (size_t)g->w * m * o)
    for (size_t item = 0; item < items; item++) {
        const int h = (int)(item % (size_t)g->h), task = (int)(item / (size_t)g->h / (size_t)g->n);
        const size_t image = item / (size_t)g->h % (size_t)g->n;
        const float *dy = (const float *)ad_cpu_at(call, 0, task) + image * (size_t)g->oh * (size_t)g->ow * o,
                    *psi = ad_cpu_at(call, 1, task);
        float *du = (float *)ad_cpu_at(call, 2, task) + (image * (size_t)g->h + (size_t)h) * (size_t)g->w * m * o;
        for (int column = 0; column < g->w; column++, du += m * o) {
            if (!ad_cpu_accumulates(call)) memset(du, 0, m * o * sizeof *du);
            for (int i = 0; i < g->k; i++)
                for (int j = 0; j < g->k; j++) {
                    const int row = h + g->pad - i * g->dil, col = column + g->pad - j * g->dil;
                    if (row < 0 || col < 0 || row % g->stride || col % g->stride || row / g->stride >= g->oh ||
                        col / g->stride >= g->ow)
                        continue;
                    const float *at = dy + ((size_t)(row / g->stride) * (size_t)g->ow + (size_t)(col / g->stride)) * o;
                    for (size_t a = 0; a < m; a++)
                        ad_cpu_add_scaled(du + a * o, at, psi[a * k2 + (size_t)(i * g->k + j)], o);
                }
        }
    }
}

/* A partial sum per image, then their sum. */
static void dpsi_loops(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t m = (size_t)g->m, o = (size_t)g->o, k2 = (size_t)g->k * (size_t)g->k, n = (size_t)g->n;
    const size_t items = (size_t)call->tasks * n;
    float *rooms = call->scratch + items * m * k2;
    AD_CPU_PARALLEL(call, items * (size_t)g->oh * (size_t)g->ow * m * o)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / n);
        const float *dy = (const float *)ad_cpu_at(call, 1, task) + item % n * (size_t)g->oh * (size_t)g->ow * o;
        float *partial = call->scratch + item * m * k2, *room = rooms + (size_t)omp_get_thread_num() * m * o;
        memset(partial, 0, m * k2 * sizeof *partial);
        for (int p = 0; p < g->oh; p++)
            for (int q = 0; q < g->ow; q++, dy += o)
                for (int i = 0; i < g->k; i++)
                    for (int j = 0; j < g->k; j++) {
                        const int row = p * g->stride - g->pad + i * g->dil,
                                  column = q * g->stride - g->pad + j * g->dil;
                        if (row < 0 || row >= g->h || column < 0 || column >= g->w) continue;
                        const size_t pixel = (item % n * (size_t)g->h + (size_t)row) * (size_t)g->w + (size_t)column;
                        const float *at =
                            floats(ad_cpu_number(call, 0, task, pixel * m * o), call->half[0], room, m * o);
                        for (size_t a = 0; a < m; a++)
                            partial[a * k2 + (size_t)(i * g->k + j)] += ad_cpu_dot(at + a * o, dy, o);
                    }
    }
    for (int task = 0; task < call->tasks; task++)
        ad_cpu_reduce(ad_cpu_at(call, 2, task), call->scratch + (size_t)task * n * m * k2, n, m * k2, 1,
                      ad_cpu_accumulates(call));
}

/* ---- rows ---- */
enum { BLOCK_ROWS = 8, ATOMS_ROWS = 16 };

/* What row h of u adds to the output rows [first, end) of an image. */
static void atoms_row(const ad_cpu_call *call, const char *u, const float *psi, const float *zeros, float *y, int h,
                      int first, int end) {
    enum { COLUMNS = AD_CPU_TILE_ROWS + 2 };
    const ad_geometry *g = &call->op->g;
    const size_t o = (size_t)g->o, step = (size_t)g->m * o * ad_cpu_bytes(call->half[0]), line = (size_t)g->w * step;
    const size_t row = (size_t)g->ow * o;
    const int tap = AD_MAX(h + g->pad - (end - 1), 0),
              last = AD_MIN(h + g->pad - first, 2); /* tap rows that meet it there */
    ad_cpu_atoms tile = {
        .psi = psi + 3 * tap, .lines = (size_t)(last - tap + 1), .m = (size_t)g->m, .o = o, .half = call->half[0]};
    const char *at = u + (size_t)h * line, *next = u + (size_t)AD_MIN(h + 1, g->h - 1) * line;
    for (int q = 0; q < g->ow; q += AD_CPU_TILE_ROWS) {
        for (int t = 0; t < COLUMNS; t++) {
            const int column = q - g->pad + t;
            tile.at[t] = column >= 0 && column < g->w ? at + (size_t)column * step : (const char *)zeros;
        }
        tile.next = next + (size_t)AD_MIN(q, g->w - 1) * step;
        tile.rows = (size_t)AD_MIN(g->ow - q, AD_CPU_TILE_ROWS);
        for (size_t l = 0; l < tile.lines; l++)
            tile.out[l] = y + (size_t)(h + g->pad - tap - (int)l) * row + (size_t)q * o;
        call->tiles->atoms(&tile);
    }
}

/* Where the sums of an output row start. */
static void start_row(float *y, const float *bias, size_t columns, size_t o, bool accumulate) {
    for (size_t q = 0; q < columns; q++, y += o)
        for (size_t k = 0; k < o; k++) ad_cpu_put(&y[k], bias ? bias[k] : 0, accumulate);
}

static void atoms_rows(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t n = (size_t)g->n, step = (size_t)g->m * (size_t)g->o, in = (size_t)g->h * (size_t)g->w * step;
    const size_t row = (size_t)g->ow * (size_t)g->o, blocks = ((size_t)g->oh + ATOMS_ROWS - 1) / ATOMS_ROWS;
    memset(call->scratch, 0, step * sizeof(float));
    AD_CPU_PARALLEL(call, (size_t)call->tasks * n * in)
    for (size_t item = 0; item < (size_t)call->tasks * n * blocks; item++) {
        const int task = (int)(item / blocks / n), first = (int)(item % blocks) * ATOMS_ROWS,
                  end = AD_MIN(first + ATOMS_ROWS, g->oh);
        const size_t image = item / blocks % n;
        const char *u = ad_cpu_number(call, 0, task, image * in);
        float *y = (float *)ad_cpu_at(call, 3, task) + image * (size_t)g->oh * row;
        for (int p = first; p < end; p++)
            start_row(y + (size_t)p * row, ad_cpu_at(call, 2, task), (size_t)g->ow, (size_t)g->o,
                      ad_cpu_accumulates(call));
        for (int h = AD_MAX(first - g->pad, 0); h < AD_MIN(end - g->pad + 2, g->h); h++)
            atoms_row(call, u, ad_cpu_at(call, 1, task), call->scratch, y, h, first, end);
    }
}

/* Zeros for a position outside the image, or what `floats` needs. */
static size_t atoms_scratch(const ad_cpu_call *call) {
    const size_t position = (size_t)call->op->g.m * (size_t)call->op->g.o;
    return call->variant == 1 ? position : call->half[0] ? (size_t)call->threads * position : 0;
}

static void du_rows(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t n = (size_t)g->n, h = (size_t)g->h, step = (size_t)g->m * (size_t)g->o, row = (size_t)g->w * step;
    const size_t out = (size_t)g->oh * (size_t)g->ow * (size_t)g->o, items = (size_t)call->tasks * n * h;
    AD_CPU_PARALLEL(call, items * row)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / h / n);
        const float *dy = (const float *)ad_cpu_at(call, 0, task) + item / h % n * out;
        float *du = (float *)ad_cpu_at(call, 2, task) + item % (n * h) * row;
        ad_cpu_taps taps = ad_cpu_taps_begin(call->op, ad_cpu_at(call, 1, task), call->scratch);
        taps.count = (size_t)g->o;
        for (int w = 0; w < g->w; w++) {
            ad_cpu_taps_written(g, &taps, dy, (size_t)g->o, (int)(item % h), w);
            taps.out = du + (size_t)w * step;
            call->tiles->atoms_du(&taps);
        }
    }
}

static size_t du_scratch(const ad_cpu_call *call) {
    return call->variant == 1 ? (size_t)call->threads * ad_cpu_taps_floats(call->op) : 0;
}

/* Row p of dy as the row of u below it meets it, w + 2 positions: zeros outside the image. */
static void pad_row(const ad_geometry *g, const float *dy, int p, float *to) {
    const size_t o = (size_t)g->o, all = (size_t)g->w + 2, before = (size_t)AD_MAX(2 - g->pad, 0),
                 skipped = (size_t)AD_MAX(g->pad - 2, 0);
    if (p < 0 || p >= g->oh) {
        memset(to, 0, all * o * sizeof *to);
        return;
    }
    const size_t count = AD_MIN((size_t)g->ow - skipped, all - before);
    memset(to, 0, before * o * sizeof *to);
    memcpy(to + before * o, dy + ((size_t)p * (size_t)g->ow + skipped) * o, count * o * sizeof *to);
    memset(to + (before + count) * o, 0, (all - before - count) * o * sizeof *to);
}

static size_t padded_floats(const ad_op *op) { return ((size_t)op->g.w + 2) * (size_t)op->g.o; }

/* Rows [first, end) of u; room: the sums by lane and three rows of dy. */
static void dpsi_block(const ad_cpu_call *call, const char *u, const float *dy, int first, int end, float *room,
                       float *partial) {
    const ad_geometry *g = &call->op->g;
    const size_t m = (size_t)g->m, o = (size_t)g->o, vector = call->tiles->vector;
    const size_t line = (size_t)g->w * m * o * ad_cpu_bytes(call->half[0]);
    float *sums = room, *rows = room + m * 9 * vector;
    ad_cpu_correlation tile = {.w = (size_t)g->w, .m = m, .o = o, .sum = sums, .half = call->half[0]};
    memset(sums, 0, m * 9 * vector * sizeof *sums);
    for (int h = first; h < end; h++) {
        for (int i = 0; i < 3; i++) { /* row p stays in place p mod 3 until the last row of u has met it */
            const int p = h + g->pad - i;
            float *padded = rows + (size_t)((p + 3) % 3) * padded_floats(call->op);
            if (i == 0 || h == first) pad_row(g, dy, p, padded);
            tile.dy[i] = padded;
        }
        tile.u = u + (size_t)h * line;
        tile.next = u + (size_t)AD_MIN(h + 1, g->h - 1) * line;
        call->tiles->atoms_dpsi(&tile);
    }
    for (size_t e = 0; e < m * 9; e++) {
        partial[e] = 0;
        for (size_t lane = 0; lane < vector; lane++) partial[e] += sums[e * vector + lane];
    }
}

static size_t dpsi_blocks(const ad_op *op) {
    return (size_t)op->g.n * (((size_t)op->g.h + BLOCK_ROWS - 1) / BLOCK_ROWS);
}
static size_t dpsi_room(const ad_cpu_call *call) {
    return (size_t)call->op->g.m * 9 * call->tiles->vector + 3 * padded_floats(call->op);
}

/* A partial sum per block of rows, then their sum. */
static void dpsi_rows(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t m = (size_t)g->m, in = (size_t)g->h * (size_t)g->w * m * (size_t)g->o,
                 out = (size_t)g->oh * (size_t)g->ow * (size_t)g->o;
    const size_t tasks = (size_t)call->tasks, all = dpsi_blocks(call->op), blocks = all / (size_t)g->n;
    float *rooms = call->scratch + (tasks * all * m * 9 + 15) / 16 * 16;
    AD_CPU_PARALLEL(call, tasks * (size_t)g->n * in)
    for (size_t item = 0; item < tasks * all; item++) {
        const int task = (int)(item / all), first = (int)(item % blocks) * BLOCK_ROWS;
        const size_t image = item % all / blocks;
        const char *u = ad_cpu_number(call, 0, task, image * in);
        const float *dy = (const float *)ad_cpu_at(call, 1, task) + image * out;
        dpsi_block(call, u, dy, first, AD_MIN(first + BLOCK_ROWS, g->h),
                   rooms + (size_t)omp_get_thread_num() * dpsi_room(call), call->scratch + item * m * 9);
    }
    for (size_t task = 0; task < tasks; task++)
        ad_cpu_reduce(ad_cpu_at(call, 2, (int)task), call->scratch + task * all * m * 9, all, m * 9, 1,
                      ad_cpu_accumulates(call));
}

static size_t dpsi_scratch(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t m = (size_t)g->m, k2 = (size_t)g->k * (size_t)g->k, tasks = (size_t)call->tasks;
    if (call->variant == 2)
        return tasks * (size_t)g->n * m * k2 + (call->half[0] ? (size_t)call->threads * m * (size_t)g->o : 0);
    return (tasks * dpsi_blocks(call->op) * m * 9 + 15) / 16 * 16 + (size_t)call->threads * dpsi_room(call);
}

/* ---- */
static bool fits_vectors(const ad_op *op, int variant, const ad_cpu_tiles *tiles) {
    return variant == 2 || (size_t)op->g.o % tiles->vector == 0;
}

static bool fits_rows(const ad_op *op, int variant, const ad_cpu_tiles *tiles) {
    return variant == 2 || (fits_vectors(op, variant, tiles) && op->g.k == 3 && op->g.stride == 1 && op->g.dil == 1);
}

static void run_atoms(const ad_cpu_call *call) { call->variant == 1 ? atoms_rows(call) : atoms_loops(call); }
static void run_du(const ad_cpu_call *call) { call->variant == 1 ? du_rows(call) : du_loops(call); }
static void run_dpsi(const ad_cpu_call *call) { call->variant == 1 ? dpsi_rows(call) : dpsi_loops(call); }

static const char *const variants[] = {"rows", "loops", NULL};
const ad_cpu_kernel ad_cpu_kernel_ATOMS = {
    .run = run_atoms, .scratch = atoms_scratch, .variants = variants, .applies = fits_rows};
const ad_cpu_kernel ad_cpu_kernel_ATOMS_DU = {
    .run = run_du, .scratch = du_scratch, .variants = variants, .applies = fits_vectors};
const ad_cpu_kernel ad_cpu_kernel_ATOMS_DPSI = {
    .run = run_dpsi, .scratch = dpsi_scratch, .variants = variants, .applies = fits_rows};
