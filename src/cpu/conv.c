/* CONV and CONV_DX (and CONV_DW, conv_dw.c) as products without im2col. The part of an image that a block of outputs
 * reads is copied, with its zero padding, into a window that stays in the second-level cache; every output position
 * then has a base address there and a tap is a fixed offset from it. A convolution without padding reads the image
 * itself. CONV_DX is the same product: at stride s the rows h with equal (h + pad) mod s use the same taps i, those
 * with i*dil equal to it mod s, and read dy at rows (h + pad - i*dil)/s. Each such phase is a convolution of stride 1
 * with a subset of the taps. Groups of channels are products of their own, which read and write some channels of the
 * same positions; those narrower than a vector are taken by the diagonals of their matrices, a vector of groups at a
 * time. */
#include "cpu/activation.h"
#include "cpu/winograd.h"

#include <math.h>
#include <omp.h>
#include <string.h>

/* Of panels used together: half a usual second-level cache, the other half is the window's. */
enum { SLICE_BYTES = 384 << 10, GROUP_BYTES = 192 << 10, MOST_TOGETHER = 64, LEAST_POSITIONS = 24 };
/* Packed weights that are more than the cache holds, of a source that fits there: see by_panel. */
enum { MANY_WEIGHTS_BYTES = 192 << 10, SMALL_SOURCE_BYTES = 512 << 10 };

enum { TILES = 1, WINOGRAD }; /* variants of CONV, CONV_DX and CONV_DW */

/* The weights of a panel, rows in the order in which the taps read: [i][j][depth][ld]. With diagonals row d has, at the
 * place of input e of a group, its weight for output (e + d) mod depth. */
static void pack_panel(const ad_cpu_call *call, const ad_cpu_shape *s, const float *w, ad_cpu_panel of, float *to) {
    const ad_op *op = call->op;
    const bool back = op->kind == AD_OP_CONV_DX;
    const size_t o = (size_t)op->g.o, inputs = (size_t)ad_group_inputs(&op->g), own = of.result % s->columns;
    for (int i = 0; i < s->y.taps; i++)
        for (int j = 0; j < s->x.taps; j++) {
            const int tap = (s->y.index + i * s->y.index_step) * op->g.k + s->x.index + j * s->x.index_step;
            const float *from = w + (size_t)tap * inputs * o;
            for (size_t d = 0; d < s->depth; d++, to += of.ld) {
                for (size_t v = 0; s->diagonals && v < of.columns; v++) {
                    const size_t e = v % s->depth, f = (e + d) % s->depth, group = of.source + v - e;
                    to[v] = back ? from[f * o + group + e] : from[e * o + group + f];
                }
                for (size_t v = 0; back && !s->diagonals && v < of.columns; v++)
                    to[v] = from[(own + v) * o + of.source + d];
                if (!back && !s->diagonals) memcpy(to, from + d * o + of.result, of.columns * sizeof *to);
                memset(to + of.columns, 0, (of.ld - of.columns) * sizeof *to);
            }
        }
}

typedef struct conv_layout {
    size_t panels, chunks, packed; /* packed: floats of all packed weights */
    size_t window, panel;          /* a thread's floats: window; packed panel, where by_panel */
    int rows, blocks;              /* rows of a block, blocks of an image: the most that a phase has */
    /* With few positions the weights are most of what is read. Each thread then packs a panel and uses it for all its
     * positions before the next, so that packed weights never leave its cache. */
    bool by_panel;
} conv_layout;

static conv_layout layout_of(const ad_cpu_call *call, int tasks) {
    const ad_geometry *g = &call->op->g;
    conv_layout l = {.rows = INT32_MAX};
    int outputs = 0;
    for (int phase = 0; phase < ad_cpu_phases(call->op); phase++) {
        const ad_cpu_shape s = ad_cpu_shape_of(call, phase);
        l.panels = ad_cpu_panels(call, &s);
        l.chunks = ad_cpu_chunks(call, &s);
        l.packed = ad_cpu_padded_columns(call, &s) * s.depth * (size_t)g->k * (size_t)g->k;
        l.panel = ad_cpu_panel_of(call, &s, 0).ld * s.depth * (size_t)g->k * (size_t)g->k;
        if (s.y.outputs == 0 || s.x.outputs == 0) continue;
        l.rows = AD_MIN(l.rows, ad_cpu_block_rows(&s, ad_cpu_chunk_of(call, &s, 0).channels));
        outputs = AD_MAX(outputs, s.y.outputs);
        const size_t read =
            (size_t)tasks * (size_t)g->n * (size_t)s.y.source * (size_t)s.x.source * ad_cpu_source_pixel(&s);
        l.by_panel = ad_cpu_phases(call->op) == 1 && s.groups == 1 && l.packed * sizeof(float) > MANY_WEIGHTS_BYTES &&
                     read * sizeof(float) <= SMALL_SOURCE_BYTES;
    }
    /* A few small images are cut so that every thread has blocks. A sum lies in one block wherever that begins, so that
     * the results stay the same bytes. */
    const size_t others = (size_t)ad_cpu_phases(call->op) * (size_t)tasks * (size_t)g->n * l.chunks,
                 wanted = call->threads > 1 ? 2 * (size_t)call->threads : 1;
    const int columns = ad_cpu_shape_of(call, 0).x.outputs;
    while (outputs > 0 && others * (size_t)((outputs + l.rows - 1) / l.rows) < wanted &&
           l.rows * columns >= 2 * LEAST_POSITIONS && l.rows > 1)
        l.rows = (l.rows + 1) / 2;
    for (int phase = 0; phase < ad_cpu_phases(call->op); phase++) {
        const ad_cpu_shape s = ad_cpu_shape_of(call, phase);
        l.window = AD_MAX(l.window, ad_cpu_window_floats(&s, AD_MIN(l.rows, AD_MAX(s.y.outputs, 1)),
                                                         ad_cpu_chunk_of(call, &s, 0).channels));
    }
    l.window = ad_cpu_round_up(l.window, 16);
    l.panel = ad_cpu_round_up(l.panel, 16);
    l.blocks = (outputs + l.rows - 1) / l.rows;
    /* Threads get as much each, if there are so many rows. */
    const size_t threads = (size_t)call->threads,
                 even = ad_cpu_round_up((size_t)l.blocks, threads / ad_cpu_divisor(others, threads));
    if (even <= (size_t)outputs) l.blocks = (int)even;
    return l;
}

/* Where the packed weights of a phase begin. */
static size_t phase_offset(const ad_cpu_call *call, int phase) {
    size_t offset = 0;
    for (int before = 0; before < phase; before++) {
        const ad_cpu_shape s = ad_cpu_shape_of(call, before);
        offset += ad_cpu_padded_columns(call, &s) * s.depth * (size_t)s.y.taps * (size_t)s.x.taps;
    }
    return offset;
}

/* What the blocks of a task's image share. */
typedef struct product_operands {
    size_t first, panels;                         /* numbers of panels to make */
    const float *packed, *bias, *coef, *residual; /* all but the first may be NULL; packed: from the first panel on;
                                                     residual: of the image */
    char *out;                                    /* the image's result, from row out_row on */
    int out_row;
} product_operands;

/* A block of rows of a phase's outputs: all their positions, AD_CPU_TILE_ROWS at a time. */
static void conv_block(const ad_cpu_call *call, const ad_cpu_shape *s, const ad_cpu_output_rows *of,
                       const product_operands *operands, float *buffer) {
    const ad_op *op = call->op;
    const size_t bytes = ad_cpu_bytes(call->half[3]), end = operands->first + operands->panels;
    /* The taps of a row are then neighbours in memory. */
    const bool merged = s->groups == 1 && (s->x.tap_stride == 1 || s->x.taps <= 1);
    const size_t positions = (size_t)of->count * (size_t)s->x.outputs, taps = (size_t)s->y.taps * (size_t)s->x.taps;
    const ad_cpu_panel of_first = ad_cpu_panel_of(call, s, operands->first);
    const size_t most = s->depth * taps * of_first.ld * sizeof(float); /* bytes of a panel */
    const size_t out_width = (size_t)(op->kind == AD_OP_CONV_DX ? op->g.w : op->g.ow);
    const size_t pixel = ad_cpu_result_pixel(s), before = (size_t)operands->out_row * out_width * pixel;
    const ad_cpu_source from = ad_cpu_window(s, of, buffer);
    const size_t read_step = (size_t)s->x.base_step * from.pixel, to_step = (size_t)s->x.out_step * pixel;
    /* A panel too large for the second-level cache is used a row of taps at a time. */
    const int slices = most > SLICE_BYTES ? s->y.taps : 1;
    ad_cpu_product p = {
        .lines = (size_t)(s->y.taps / slices), .line = from.line * (size_t)s->y.tap_stride, .half = call->half[3]};
    p.steps = merged ? AD_MIN((size_t)s->x.taps, 1) : (size_t)s->x.taps;
    p.step = from.pixel * (size_t)s->x.tap_stride;
    p.length = merged ? s->depth * (size_t)s->x.taps : s->depth;
    void (*const product)(const ad_cpu_product *) =
        s->diagonals ? call->tiles->product_diagonals : call->tiles->product;
    /* What the tile leaves to be activated. */
    const bool bent = op->kind == AD_OP_CONV && ad_cpu_bends(op);
    const int act = ad_op_has_epilogue(op) && !bent ? op->i[0] : AD_ACT_NONE;
    ad_cpu_epilogue after = {.has_residual = operands->residual,
                             .bent = bent,
                             .slope = op->i[0] == AD_ACT_LEAKY ? op->f[0] : 0,
                             .limit = op->i[0] == AD_ACT_RELU6 ? 6 : INFINITY};
    /* Panels that fit there together are used in turn, so that y is written in the order of memory. */
    const size_t together = slices > 1 ? 1 : AD_MIN(AD_MAX(GROUP_BYTES / AD_MAX(most, 1), 1), (size_t)MOST_TOGETHER);
    ad_cpu_panel panels[MOST_TOGETHER];
    for (size_t start = operands->first, count = 0; start < end; start += count) {
        count = AD_MIN(together, end - start);
        for (size_t number = 0; number < count; number++) panels[number] = ad_cpu_panel_of(call, s, start + number);
        for (int slice = 0; slice < slices; slice++) {
            p.accumulate = slice > 0 || ad_cpu_accumulates(call);
            p.after = slice == slices - 1 && ad_op_has_epilogue(op) ? &after : NULL;
            for (size_t at = 0, row = 0, q = 0, read = 0, to = 0; at < positions; at += p.rows) {
                p.rows = AD_MIN(positions - at, (size_t)AD_CPU_TILE_ROWS);
                for (size_t r = 0; r < p.rows; r++, read += read_step, to += to_step) {
                    if (q == 0) {
                        read = row * (size_t)s->y.base_step * from.line + (size_t)slice * p.line;
                        to = (((size_t)s->y.out + ((size_t)of->first + row) * (size_t)s->y.out_step) * out_width +
                              (size_t)s->x.out) *
                             pixel;
                    }
                    p.a[r] = from.base + read;
                    p.out[r] = operands->out + (to - before) * bytes;
                    if (operands->residual) after.residual[r] = operands->residual + to;
                    if (++q == (size_t)s->x.outputs) {
                        q = 0;
                        row++;
                    }
                }
                for (size_t r = p.rows; r < AD_CPU_TILE_ROWS; r++) p.a[r] = p.a[0];
                for (size_t number = 0; number < count; number++) {
                    const ad_cpu_panel *n = &panels[number];
                    p.from = n->source - of->channel; /* the window has no channels before */
                    p.to = n->result;
                    p.columns = n->columns;
                    p.ld = n->ld;
                    p.b = operands->packed +
                          ((n->before - of_first.before) * taps + (size_t)slice * (size_t)s->x.taps * n->ld) * s->depth;
                    p.bias = operands->bias && slice == 0 ? operands->bias + n->result : NULL;
                    if (operands->coef) {
                        after.scale = operands->coef + n->result;
                        after.shift = after.scale + pixel;
                    }
                    product(&p);
                    for (size_t r = 0; p.after && act != AD_ACT_NONE && r < p.rows; r++)
                        ad_cpu_activate(act, op->f[0], (float *)p.out[r] + p.to, (float *)p.out[r] + p.to, n->columns);
                }
            }
        }
    }
}

/* The part of the result that one item makes: rows of an image, some panels. */
typedef struct conv_item {
    int phase, task;
    size_t image, block;
    ad_cpu_chunk of;
} conv_item;

/* Items are ordered so that neighbours share weights. */
static conv_item item_of(const ad_cpu_call *call, const conv_layout *l, const ad_cpu_shape *s, int tasks,
                         size_t number) {
    const size_t n = (size_t)call->op->g.n, blocks = (size_t)l->blocks, all = blocks * n * (size_t)tasks;
    const size_t turns = l->by_panel ? l->panels : l->chunks, turn = number / all % turns;
    ad_cpu_chunk of = ad_cpu_chunk_of(call, s, l->by_panel ? 0 : turn);
    if (l->by_panel) {
        of.first = turn;
        of.panels = 1;
    }
    return (conv_item){.phase = (int)(number / all / turns),
                       .task = (int)(number / blocks / n % (size_t)tasks),
                       .block = number % blocks,
                       .image = number / blocks % n,
                       .of = of};
}

static void run_item(const ad_cpu_call *call, const conv_layout *l, conv_item item, const float *packed,
                     float *buffer) {
    enum { BIAS = 2, COEF = 4, RESIDUAL = 5 };
    const ad_geometry *g = &call->op->g;
    const bool back = call->op->kind == AD_OP_CONV_DX;
    const size_t in = (size_t)g->h * (size_t)g->w * (size_t)g->c, out = (size_t)g->oh * (size_t)g->ow * (size_t)g->o;
    const ad_cpu_shape s = ad_cpu_shape_of(call, item.phase);
    const int first = (int)((size_t)s.y.outputs * item.block / (size_t)l->blocks),
              end = (int)((size_t)s.y.outputs * (item.block + 1) / (size_t)l->blocks);
    if (first == end || s.x.outputs == 0) return;
    const float *from = (const float *)ad_cpu_at(call, 0, item.task) + item.image * (back ? out : in);
    const float *residual = back ? NULL : ad_cpu_at(call, RESIDUAL, item.task);
    const product_operands operands = {
        .first = item.of.first,
        .panels = item.of.panels,
        .packed = packed,
        .bias = back ? NULL : ad_cpu_at(call, BIAS, item.task),
        .coef = back ? NULL : ad_cpu_at(call, COEF, item.task),
        .residual = residual ? residual + item.image * out : NULL,
        .out = ad_cpu_number(call, back ? 2 : 3, item.task, item.image * (back ? in : out))};
    const ad_cpu_output_rows of = {
        .image = from, .first = first, .count = end - first, .channel = item.of.channel, .channels = item.of.channels};
    conv_block(call, &s, &of, &operands, buffer);
}

static void pack_all(const ad_cpu_call *call, const conv_layout *l, const float *w, float *packed) {
    AD_CPU_PARALLEL(call, l->packed)
    for (size_t number = 0; number < (size_t)ad_cpu_phases(call->op) * l->panels; number++) {
        const int phase = (int)(number / l->panels);
        const ad_cpu_shape s = ad_cpu_shape_of(call, phase);
        const ad_cpu_panel of = ad_cpu_panel_of(call, &s, number % l->panels);
        pack_panel(call, &s, w, of, packed + phase_offset(call, phase) + of.before * s.depth * ad_cpu_taps_of(&s));
    }
}

/* Each thread packs the panels of its items as it comes to them. */
static void by_panel(const ad_cpu_call *call, const conv_layout *l, const float *w, int first_task, int tasks) {
    const ad_geometry *g = &call->op->g;
    const ad_cpu_shape s = ad_cpu_shape_of(call, 0);
    const size_t each = (size_t)l->blocks * (size_t)g->n * (size_t)tasks; /* items of a panel */
    AD_CPU_PARALLEL(call, each * (size_t)l->rows * (size_t)g->ow * (size_t)g->o * (size_t)g->c)
    for (int thread = 0; thread < call->threads; thread++) {
        const size_t items = l->panels * each, begin = items * (size_t)thread / (size_t)call->threads,
                     end = items * ((size_t)thread + 1) / (size_t)call->threads;
        float *own = call->scratch + (size_t)thread * (l->panel + l->window);
        for (size_t number = begin; number < end; number++) {
            conv_item item = item_of(call, l, &s, tasks, number);
            item.task += first_task;
            if (number == begin || number % each == 0)
                pack_panel(call, &s, w, ad_cpu_panel_of(call, &s, item.of.first), own);
            run_item(call, l, item, own, own + l->panel);
        }
    }
}

/* Images of which each position is a product of its own are as good as one long image, whose tiles are all whole. op:
 * room for the operation of the call. */
static ad_cpu_call joined(const ad_cpu_call *call, ad_op *op) {
    ad_cpu_call of = *call;
    *op = *call->op;
    if (op->g.k > 1 || op->g.stride > 1 || op->g.pad) return of;
    op->g.h *= op->g.n;
    op->g.oh *= op->g.n;
    op->g.n = 1;
    of.op = op;
    return of;
}

static void conv_tasks(const ad_cpu_call *call, int first_task, int tasks) {
    const ad_geometry *g = &call->op->g;
    const conv_layout l = layout_of(call, tasks);
    const size_t phases = (size_t)ad_cpu_phases(call->op), n = (size_t)g->n;
    const size_t work = (size_t)tasks * n * (size_t)g->oh * (size_t)g->ow * (size_t)g->o * (size_t)g->c;
    const float *w = ad_cpu_at(call, 1, first_task);
    float *packed = call->kept ? call->kept : call->scratch,
          *windows = call->kept ? call->scratch : packed + ad_cpu_round_up(l.packed, 16);
    if (l.by_panel && !call->kept) {
        by_panel(call, &l, w, first_task, tasks);
        return;
    }
    if (!call->ready) pack_all(call, &l, w, packed);
    const size_t items = phases * (l.by_panel ? l.panels : l.chunks) * (size_t)tasks * n * (size_t)l.blocks;
    AD_CPU_PARALLEL(call, work)
    for (size_t number = 0; number < items; number++) {
        const size_t each = items / phases;
        const ad_cpu_shape s = ad_cpu_shape_of(call, (int)(number / each));
        conv_item item = item_of(call, &l, &s, tasks, number);
        item.task += first_task;
        const size_t before = ad_cpu_panel_of(call, &s, item.of.first).before * s.depth * ad_cpu_taps_of(&s);
        run_item(call, &l, item, packed + phase_offset(call, item.phase) + before,
                 windows + (size_t)omp_get_thread_num() * l.window);
    }
}

/* Of tiles. */
static void conv_keep(const ad_cpu_call *call) {
    const conv_layout l = layout_of(call, 1);
    pack_all(call, &l, ad_cpu_at(call, 1, 0), call->kept);
}

static void conv_rows(const ad_cpu_call *call, const ad_cpu_rows *rows) {
    enum { BIAS = 2, COEF = 4, RESIDUAL = 5 };
    const ad_geometry *g = &call->op->g;
    const ad_cpu_shape s = ad_cpu_shape_of(call, 0);
    const float *residual = ad_cpu_at(call, RESIDUAL, rows->task);
    const product_operands operands = {
        .panels = ad_cpu_panels(call, &s),
        .packed = call->kept,
        .bias = ad_cpu_at(call, BIAS, rows->task),
        .coef = ad_cpu_at(call, COEF, rows->task),
        .residual = residual ? residual + rows->image * (size_t)g->oh * (size_t)g->ow * (size_t)g->o : NULL,
        .out = (char *)rows->to,
        .out_row = rows->to_row};
    const int most = ad_cpu_block_rows(&s, s.depth), end = rows->first + rows->count;
    for (int first = rows->first; first < end; first += most) {
        const ad_cpu_output_rows of = {.image = rows->from,
                                       .image_row = rows->from_row,
                                       .first = first,
                                       .count = AD_MIN(most, end - first),
                                       .channels = s.depth};
        conv_block(call, &s, &of, &operands, call->scratch);
    }
}

static size_t conv_rows_scratch(const ad_cpu_call *call, int count) {
    const ad_cpu_shape s = ad_cpu_shape_of(call, 0);
    return ad_cpu_window_floats(&s, AD_MIN(count, ad_cpu_block_rows(&s, s.depth)), s.depth);
}

/* Weights that differ from task to task are packed, and used, one task after the other. */
static void run_conv(const ad_cpu_call *call) {
    if (call->variant == WINOGRAD) {
        ad_cpu_winograd_run(call);
        return;
    }
    ad_op op;
    const ad_cpu_call of = joined(call, &op);
    if (call->stride[1] == 0)
        conv_tasks(&of, 0, call->tasks);
    else
        for (int task = 0; task < call->tasks; task++) conv_tasks(&of, task, 1);
}

/* Of either way: the last tasks may be fewer than those it is asked for. */
static size_t conv_scratch(const ad_cpu_call *call) {
    if (call->variant == WINOGRAD) return ad_cpu_winograd_scratch(call);
    ad_op op;
    const ad_cpu_call of = joined(call, &op);
    const conv_layout l = layout_of(&of, call->tasks);
    const size_t threads = (size_t)call->threads;
    return AD_MAX(ad_cpu_round_up(l.packed, 16) + threads * l.window, threads * (l.panel + l.window));
}

static size_t conv_kept(const ad_cpu_call *call) {
    return call->variant == WINOGRAD ? ad_cpu_winograd_kept(call) : layout_of(call, call->tasks).packed;
}

/* CONV_DBIAS in two passes: a partial sum per chunk of rows, then their sum. */
static void run_dbias(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t rows = (size_t)g->n * (size_t)g->oh * (size_t)g->ow, o = (size_t)g->o, size = ad_cpu_chunk_rows(rows);
    const size_t chunks = ad_cpu_chunk_count(rows), tasks = (size_t)call->tasks, items = tasks * chunks;
    AD_CPU_PARALLEL(call, rows * o * tasks)
    for (size_t item = 0; item < items; item++) {
        const size_t first = item % chunks * size;
        float *sum = call->scratch + item * o;
        memset(sum, 0, o * sizeof *sum);
        ad_cpu_sum_rows(sum, (const float *)ad_cpu_at(call, 0, (int)(item / chunks)) + first * o,
                        AD_MIN(size, rows - first), o);
    }
    for (size_t task = 0; task < tasks; task++)
        ad_cpu_reduce(ad_cpu_at(call, 1, (int)task), call->scratch + task * chunks * o, chunks, o, 1,
                      ad_cpu_accumulates(call));
}

static size_t dbias_scratch(const ad_cpu_call *call) {
    const ad_op *op = call->op;
    const ad_geometry *g = &op->g;
    return (size_t)call->tasks * ad_cpu_chunk_count((size_t)g->n * (size_t)g->oh * (size_t)g->ow) * (size_t)g->o;
}

static bool applies(const ad_op *op, int variant, const ad_cpu_tiles *tiles) {
    return variant == TILES || ad_cpu_winograd_applies(op, tiles);
}

static int fast(const ad_op *op, const ad_cpu_tiles *tiles) { return ad_cpu_winograd_pays(op, tiles) ? WINOGRAD : 0; }

static void run_dw(const ad_cpu_call *call) {
    call->variant == WINOGRAD ? ad_cpu_dw_winograd_run(call) : ad_cpu_conv_dw(call);
}

static size_t dw_scratch(const ad_cpu_call *call) {
    return call->variant == WINOGRAD ? ad_cpu_dw_winograd_scratch(call) : ad_cpu_conv_dw_scratch(call);
}

static const char *const ways[] = {"tiles", "winograd", NULL};
const ad_cpu_kernel ad_cpu_kernel_CONV = {.run = run_conv,
                                          .scratch = conv_scratch,
                                          .kept = conv_kept,
                                          .keep = conv_keep,
                                          .rows = conv_rows,
                                          .rows_scratch = conv_rows_scratch,
                                          .variants = ways,
                                          .applies = applies,
                                          .fast = fast,
                                          .winograd = WINOGRAD};
const ad_cpu_kernel ad_cpu_kernel_CONV_DX = {
    .run = run_conv, .scratch = conv_scratch, .variants = ways, .applies = applies, .fast = fast, .winograd = WINOGRAD};
const ad_cpu_kernel ad_cpu_kernel_CONV_DW = {
    .run = run_dw, .scratch = dw_scratch, .variants = ways, .applies = applies, .fast = fast, .winograd = WINOGRAD};
const ad_cpu_kernel ad_cpu_kernel_CONV_DBIAS = {.run = run_dbias, .scratch = dbias_scratch};
