/* FUSED_ATOMS and FUSED_ATOMS_DX, a block of positions at a time: the atoms' responses go to a buffer
 * [position][m][depth] that stays in the second-level cache, where the register tiles of the product take them from.
 * Where the coefficients of a panel of columns don't stay there too, some of the atoms at a time. Variant "tiles" makes
 * the responses a vector of channels at a time, "loops" in any width. */
#include "cpu/taps.h"

#include <omp.h>
#include <string.h>

enum { BLOCK_BYTES = 128 << 10, PANEL_BYTES = 192 << 10 };

typedef struct layout {
    bool back;                       /* FUSED_ATOMS_DX: from dy to dx */
    size_t depth, columns;           /* channels of what is read, of what is written */
    size_t width, panels;            /* columns of a panel; [panel][m][depth][width] */
    size_t positions, block, blocks; /* of an image; in a block; blocks of an image */
    size_t atoms;                    /* at a time */
    size_t packed, responses;        /* floats of all panels; of a thread's buffer */
} layout;

static layout layout_of(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    layout l = {.back = call->op->kind == AD_OP_FUSED_ATOMS_DX, .width = call->tiles->width};
    const size_t m = (size_t)g->m;
    l.depth = (size_t)(l.back ? g->o : g->c);
    l.columns = (size_t)(l.back ? g->c : g->o);
    l.panels = (l.columns + l.width - 1) / l.width;
    l.atoms = AD_MAX(AD_MIN(PANEL_BYTES / (l.depth * l.width * sizeof(float)), m), 1);
    l.positions = l.back ? (size_t)g->h * (size_t)g->w : (size_t)g->oh * (size_t)g->ow;
    const size_t most = BLOCK_BYTES / (l.atoms * l.depth * sizeof(float));
    l.block = AD_MAX(most / AD_CPU_TILE_ROWS, 1) * AD_CPU_TILE_ROWS;
    l.blocks = (l.positions + l.block - 1) / l.block;
    l.packed = (l.panels * m * l.depth * l.width + 15) / 16 * 16;
    l.responses = (AD_MIN(l.block, l.positions) * l.atoms * l.depth + 15) / 16 * 16;
    return l;
}

/* coefficients: [c][m][o]. */
static void pack_panel(const ad_geometry *g, const layout *l, const float *coefficients, size_t panel, float *to) {
    const size_t m = (size_t)g->m, o = (size_t)g->o, first = panel * l->width,
                 count = AD_MIN(l->width, l->columns - first);
    for (size_t a = 0; a < m; a++)
        for (size_t d = 0; d < l->depth; d++, to += l->width) {
            if (l->back)
                for (size_t v = 0; v < count; v++) to[v] = coefficients[((first + v) * m + a) * o + d];
            else
                memcpy(to, coefficients + (d * m + a) * o + first, count * sizeof *to);
            memset(to + count, 0, (l->width - count) * sizeof *to);
        }
}

AD_CLONES static void add_scaled(float *y, const float *x, float scale, size_t count) {
    for (size_t v = 0; v < count; v++) y[v] += scale * x[v];
}

static void respond_loops(const ad_cpu_taps *taps) {
    memset(taps->out, 0, taps->m * taps->count * sizeof *taps->out);
    for (size_t a = 0; a < taps->m; a++)
        for (size_t t = 0; t < taps->taps; t++)
            add_scaled(taps->out + a * taps->count, taps->at[t], taps->psi[(size_t)taps->index[t] * taps->ld + a],
                       taps->count);
}

/* Responses of `count` positions from `first` on to as many of taps->m atoms. */
static void respond(const ad_cpu_call *call, const layout *l, ad_cpu_taps *taps, const float *image, size_t first,
                    size_t count, float *out) {
    const ad_geometry *g = &call->op->g;
    const size_t line = (size_t)(l->back ? g->w : g->ow);
    for (size_t at = first; at < first + count; at++, out += taps->m * l->depth) {
        if (l->back)
            ad_cpu_taps_written(g, taps, image, l->depth, (int)(at / line), (int)(at % line));
        else
            ad_cpu_taps_read(g, taps, image, (int)(at / line), (int)(at % line));
        taps->out = out;
        call->variant == 1 ? call->tiles->atoms_du(taps) : respond_loops(taps);
    }
}

/* The product of `count` positions' responses [position][depth] with panels of coefficients, which begin at packed and
 * lie `panel` floats apart. */
typedef struct responses_product {
    const float *responses, *packed, *bias;
    size_t count, depth, panel;
    bool accumulate;
} responses_product;

static void multiply(const ad_cpu_call *call, const layout *l, const responses_product *product, float *out) {
    const float *responses = product->responses, *packed = product->packed, *bias = product->bias;
    const size_t count = product->count, depth = product->depth, panel = product->panel;
    ad_cpu_product p = {.lines = 1, .steps = 1, .length = depth, .ld = l->width, .accumulate = product->accumulate};
    for (size_t column = 0; column < l->columns; column += l->width, packed += panel) {
        p.columns = AD_MIN(l->width, l->columns - column);
        p.b = packed;
        p.bias = bias ? bias + column : NULL;
        for (size_t at = 0; at < count; at += p.rows) {
            p.rows = AD_MIN(count - at, (size_t)AD_CPU_TILE_ROWS);
            for (size_t r = 0; r < AD_CPU_TILE_ROWS; r++) {
                p.a[r] = responses + (at + (r < p.rows ? r : 0)) * depth;
                p.out[r] = out + (at + r) * l->columns + column;
            }
            call->tiles->product(&p);
        }
    }
}

static void run_tasks(const ad_cpu_call *call, int first_task, int tasks) {
    enum { PACKED = 1, PSI = 2, BIAS = 3 };
    const ad_geometry *g = &call->op->g;
    const layout l = layout_of(call);
    const size_t n = (size_t)g->n, m = (size_t)g->m, panel = m * l.depth * l.width;
    const size_t source = (l.back ? (size_t)g->oh * (size_t)g->ow : (size_t)g->h * (size_t)g->w) * l.depth;
    float *packed = call->scratch, *buffers = packed + l.packed, *lists = buffers + (size_t)call->threads * l.responses;
    AD_CPU_PARALLEL(call, l.packed)
    for (size_t number = 0; number < l.panels; number++)
        pack_panel(g, &l, ad_cpu_at(call, PACKED, first_task), number, packed + number * panel);
    const size_t items = (size_t)tasks * n * l.blocks;
    AD_CPU_PARALLEL(call, items * l.block * m * l.depth)
    for (size_t item = 0; item < items; item++) {
        const int task = first_task + (int)(item / l.blocks / n);
        const size_t image = item / l.blocks % n, first = item % l.blocks * l.block,
                     count = AD_MIN(l.block, l.positions - first);
        const float *from = (const float *)ad_cpu_at(call, 0, task) + image * source,
                    *bias = l.back ? NULL : ad_cpu_at(call, BIAS, task);
        float *to = (float *)ad_cpu_at(call, l.back ? 3 : 4, task) + (image * l.positions + first) * l.columns;
        float *responses = buffers + (size_t)omp_get_thread_num() * l.responses;
        ad_cpu_taps taps = ad_cpu_taps_begin(call->op, ad_cpu_at(call, PSI, task), lists);
        taps.count = l.depth;
        taps.accumulate = false;
        for (size_t atom = 0; atom < m; atom += taps.m, taps.psi += taps.m) {
            taps.m = AD_MIN(l.atoms, m - atom);
            respond(call, &l, &taps, from, first, count, responses);
            const responses_product product = {.responses = responses,
                                               .packed = packed + atom * l.depth * l.width,
                                               .bias = atom ? NULL : bias,
                                               .count = count,
                                               .depth = taps.m * l.depth,
                                               .panel = panel,
                                               .accumulate = atom > 0 || ad_cpu_accumulates(call)};
            multiply(call, &l, &product, to);
        }
    }
}

/* As in conv.c: coefficients that differ from task to task are packed, and used, one task after the other. */
static void run_fused_atoms(const ad_cpu_call *call) {
    if (call->stride[1] == 0)
        run_tasks(call, 0, call->tasks);
    else
        for (int task = 0; task < call->tasks; task++) run_tasks(call, task, 1);
}

static size_t scratch(const ad_cpu_call *call) {
    const layout l = layout_of(call);
    return l.packed + (size_t)call->threads * (l.responses + ad_cpu_taps_floats(call->op));
}

static bool applies(const ad_op *op, int variant, const ad_cpu_tiles *tiles) {
    return variant == 2 || (size_t)(op->kind == AD_OP_FUSED_ATOMS_DX ? op->g.o : op->g.c) % tiles->vector == 0;
}

static const char *const variants[] = {"tiles", "loops", NULL};
const ad_cpu_kernel ad_cpu_kernel_FUSED_ATOMS = {
    .run = run_fused_atoms, .scratch = scratch, .variants = variants, .applies = applies};
const ad_cpu_kernel ad_cpu_kernel_FUSED_ATOMS_DX = {
    .run = run_fused_atoms, .scratch = scratch, .variants = variants, .applies = applies};
