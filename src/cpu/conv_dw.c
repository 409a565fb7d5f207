/* CONV_DW: the source as conv.c reads it, and dy, multiplied position by position. */
#include "cpu/conv_shape.h"

#include <omp.h>
#include <string.h>

/* Output rows of all images are cut into chunks; a chunk and a panel of columns make a partial sum of dw. */
enum { DW_POSITIONS = 64, DW_CHUNKS = 16, DW_PARTIAL_BYTES = 64 << 20 };

typedef struct dw_layout {
    ad_cpu_shape s;
    size_t panels, depth;        /* depth: rows of dw, k*k*c of a group */
    size_t lines, chunk, chunks; /* output rows of a task; of a chunk */
    int rows;                    /* output rows of a block: their part of dy stays in the first-level cache */
    size_t window;               /* floats of a thread's window of x */
    size_t part, partial;        /* floats of the partial sums of a chunk, of a task */
} dw_layout;

/* Channels that a panel reads. */
static size_t window_channels(const ad_cpu_shape *s, ad_cpu_panel of) { return s->diagonals ? of.columns : s->depth; }

static dw_layout dw_layout_of(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    dw_layout l = {.s = ad_cpu_shape_of(call, 0), .lines = (size_t)g->n * (size_t)g->oh};
    l.panels = ad_cpu_panels(call, &l.s);
    l.depth = (size_t)g->k * (size_t)g->k * l.s.depth;
    l.part = l.depth * ad_cpu_padded_columns(call, &l.s);
    /* As many chunks as if every panel were of the tile's width. */
    const size_t whole = l.depth * ad_cpu_round_up(l.s.columns, call->tiles->width) * l.s.groups * sizeof(float);
    size_t most = AD_MIN(AD_MAX(DW_PARTIAL_BYTES / whole, 1), (size_t)DW_CHUNKS);
    if (l.s.groups > 1) most = AD_MAX(most / l.panels, 1); /* the panels of groups are work enough for all threads */
    l.chunk = (l.lines + most - 1) / most;
    l.chunks = (l.lines + l.chunk - 1) / l.chunk;
    l.rows = AD_MAX(AD_MIN(DW_POSITIONS / g->ow, g->oh), 1);
    l.window =
        ad_cpu_round_up(ad_cpu_window_floats(&l.s, l.rows, window_channels(&l.s, ad_cpu_panel_of(call, &l.s, 0))), 16);
    l.partial = ad_cpu_round_up(l.chunks * l.part, 16);
    return l;
}

static void dw_block(const ad_cpu_call *call, const dw_layout *l, const ad_cpu_output_rows *of, const float *dy,
                     ad_cpu_panel columns, float *buffer, float *out) {
    const ad_geometry *g = &call->op->g;
    const ad_cpu_shape *s = &l->s;
    const size_t o = (size_t)g->o, ow = (size_t)g->ow;
    const ad_cpu_source from = ad_cpu_window(s, of, buffer);
    const size_t line = from.line, pixel = from.pixel;
    ad_cpu_outer p = {.a_line = (size_t)s->y.base_step * line,
                      .a_step = (size_t)s->x.base_step * pixel,
                      .b = dy + columns.result,
                      .b_line = ow * o,
                      .b_step = o,
                      .lines = (size_t)of->count,
                      .count = ow,
                      .columns = columns.columns,
                      .ld = columns.ld,
                      .a_tap = (size_t)s->x.tap_stride * pixel,
                      .length = s->depth};
    const bool merged = s->groups == 1 && (s->x.tap_stride == 1 || s->x.taps == 1), row = merged || s->diagonals;
    const size_t steps = row ? 1 : (size_t)s->x.taps, rows = row ? s->depth * (size_t)s->x.taps : s->depth;
    p.rows = s->diagonals ? (size_t)s->x.taps : rows;
    p.out = out;
    for (size_t i = 0; i < (size_t)s->y.taps; i++)
        for (size_t j = 0; j < steps; j++, p.out += rows * columns.ld) {
            p.a = from.base + i * (size_t)s->y.tap_stride * line + j * p.a_tap;
            s->diagonals ? call->tiles->outer_diagonals(&p) : call->tiles->outer(&p);
        }
}

/* Adds what the chunks have of row d of dw. */
static void dw_row(const ad_cpu_call *call, const dw_layout *l, size_t d, float *dw) {
    for (size_t number = 0; number < l->panels; number++) {
        const ad_cpu_panel of = ad_cpu_panel_of(call, &l->s, number);
        const float *sum = call->scratch + of.before * l->depth + d * of.ld;
        for (size_t part = 0; part < l->chunks; part++, sum += l->part) {
            if (!l->s.diagonals) {
                ad_cpu_add_scaled(dw + of.result, sum, 1, of.columns);
                continue;
            }
            /* Input e of a group has, in the row of each diagonal, its product with one output of the group. */
            const size_t length = l->s.depth, e = d % length;
            for (size_t f = 0; f < length; f++) {
                const float *diagonal = sum - e * of.ld + (f + length - e) % length * of.ld;
                for (size_t v = 0; v < of.columns; v += length) dw[of.result + v + f] += diagonal[v + e];
            }
        }
    }
}

static void dw_task(const ad_cpu_call *call, const dw_layout *l, int task) {
    const ad_geometry *g = &call->op->g;
    const size_t o = (size_t)g->o, in = (size_t)g->h * (size_t)g->w * (size_t)g->c, row = (size_t)g->ow * o;
    AD_CPU_PARALLEL(call, l->lines * (size_t)g->ow * l->depth * o)
    for (size_t item = 0; item < l->chunks * l->panels; item++) {
        const size_t number = item / l->panels;
        const ad_cpu_panel of = ad_cpu_panel_of(call, &l->s, item % l->panels);
        const size_t end = AD_MIN((number + 1) * l->chunk, l->lines);
        const float *x = ad_cpu_at(call, 0, task), *dy = ad_cpu_at(call, 1, task);
        float *sum = call->scratch + number * l->part + of.before * l->depth;
        float *buffer = call->scratch + l->partial + (size_t)omp_get_thread_num() * l->window;
        memset(sum, 0, l->depth * of.ld * sizeof *sum);
        for (size_t at = number * l->chunk, rows = 0; at < end; at += rows) {
            const size_t image = at / (size_t)g->oh, first = at % (size_t)g->oh;
            rows = AD_MIN(AD_MIN(end - at, (size_t)g->oh - first), (size_t)l->rows);
            const ad_cpu_output_rows lines = {x + image * in, 0,         (int)first,
                                              (int)rows,      of.source, window_channels(&l->s, of)};
            dw_block(call, l, &lines, dy + at * row, of, buffer, sum);
        }
    }
    AD_CPU_PARALLEL(call, l->partial)
    for (size_t d = 0; d < l->depth; d++) {
        float *dw = (float *)ad_cpu_at(call, 2, task) + d * o;
        if (!ad_cpu_accumulates(call)) memset(dw, 0, o * sizeof *dw);
        dw_row(call, l, d, dw);
    }
}

void ad_cpu_conv_dw(const ad_cpu_call *call) {
    const dw_layout l = dw_layout_of(call);
    for (int task = 0; task < call->tasks; task++) dw_task(call, &l, task);
}

size_t ad_cpu_conv_dw_scratch(const ad_cpu_call *call) {
    const dw_layout l = dw_layout_of(call);
    return l.partial + (size_t)call->threads * l.window;
}
