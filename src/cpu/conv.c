/* CONV, CONV_DX and CONV_DW as products without im2col. The part of an image that a block of outputs reads is copied,
 * with its zero padding, into a window that stays in the second-level cache; every output position then has a base
 * address there and a tap is a fixed offset from it. A convolution without padding reads the image itself. CONV_DX is
 * the same product: at stride s the rows h with equal (h + pad) mod s use the same taps i, those with i*dil equal to it
 * mod s, and read dy at rows (h + pad - i*dil)/s. Each such phase is a convolution of stride 1 with a subset of the
 * taps. Groups of channels are products of their own, which read and write some channels of the same positions; those
 * narrower than a vector are taken by the diagonals of their matrices, a vector of groups at a time. */
#include "cpu/activation.h"

#include <math.h>
#include <omp.h>
#include <string.h>

/* Of a window: half a usual second-level cache, the rest is for the weights. Of groups the window has the channels that
 * are used together, so that more rows find room. */
enum { WINDOW_BYTES = 128 << 10, SLICE_BYTES = 384 << 10, GROUP_BYTES = 192 << 10, CHUNK_CHANNELS = 32 };
/* Packed weights that are more than the cache holds, of a source that fits there: see by_panel. */
enum { MANY_WEIGHTS_BYTES = 512 << 10, SMALL_SOURCE_BYTES = 512 << 10 };

/* One dimension of a phase. Output number n is row out + n*out_step; its taps read rows base + n*base_step +
 * t*tap_stride, t < taps, of the source, with row index + t*index_step of the kernel. */
typedef struct axis {
    int outputs, out, out_step;
    int base, base_step;
    int taps, tap_stride, index, index_step;
    int source; /* rows there are */
} axis;

static axis forward_axis(const ad_geometry *g, int in, int out) {
    return (axis){out, 0, 1, -g->pad, g->stride, g->k, g->dil, 0, 1, in};
}

static axis backward_axis(const ad_geometry *g, int in, int out, int phase) {
    const int s = g->stride;
    axis a = {.out = ((phase - g->pad) % s + s) % s, .out_step = s, .base_step = 1, .tap_stride = 1, .source = out};
    a.outputs = in > a.out ? (in - a.out + s - 1) / s : 0;
    for (int i = g->k - 1, last = -1; i >= 0; i--) { /* the largest i reads the first row */
        if ((phase - i * g->dil) % s) continue;
        if (a.taps == 0) {
            a.base = (a.out + g->pad - i * g->dil) / s;
            a.index = i;
        } else {
            a.index_step = i - last;
            a.tap_stride = (last - i) * g->dil / s;
        }
        last = i;
        a.taps++;
    }
    return a;
}

/* Source rows that outputs [first, first+count) read. */
static int span(const axis *a, int count) { return (count - 1) * a->base_step + (a->taps - 1) * a->tap_stride + 1; }
static bool padded(const axis *a) { return a->base < 0 || a->base + span(a, a->outputs) > a->source; }

/* A product of the convolution: phase, depth per tap (channels of the source) and columns of a group. */
typedef struct shape {
    axis y, x;
    size_t depth, columns, groups;
    bool diagonals; /* a vector holds several groups */
} shape;

/* Numbers of a position of the source and of the result. */
static size_t source_pixel(const shape *s) { return s->groups * s->depth; }
static size_t result_pixel(const shape *s) { return s->groups * s->columns; }

static int phases_of(const ad_op *op) { return op->kind == AD_OP_CONV_DX ? op->g.stride * op->g.stride : 1; }

static shape shape_of(const ad_cpu_call *call, int phase) {
    const ad_geometry *g = &call->op->g;
    const bool back = call->op->kind == AD_OP_CONV_DX;
    const size_t in = (size_t)ad_group_inputs(g), out = (size_t)ad_group_outputs(g);
    shape s = {.depth = back ? out : in, .columns = back ? in : out, .groups = (size_t)ad_groups(g)};
    s.diagonals = s.groups > 1 && in == out && (in == 4 || in == 8) && in < call->tiles->vector;
    s.y = back ? backward_axis(g, g->h, g->oh, phase / g->stride) : forward_axis(g, g->h, g->oh);
    s.x = back ? backward_axis(g, g->w, g->ow, phase % g->stride) : forward_axis(g, g->w, g->ow);
    if (s.y.taps == 0 || s.x.taps == 0) s.y.taps = s.x.taps = 0; /* nothing reaches these outputs */
    return s;
}

/* Some columns of the result, which are computed together. */
typedef struct panel {
    size_t source, result; /* the first channels that it reads and writes */
    size_t columns, ld;    /* of its weights, whole vectors */
    size_t before;         /* the sum of ld over the panels before it */
} panel;

static size_t round_up(size_t count, size_t to) { return (count + to - 1) / to * to; }

static size_t panels_of(const ad_cpu_call *call, const shape *s) {
    const size_t width = call->tiles->width, vector = call->tiles->vector;
    return s->diagonals ? (result_pixel(s) + vector - 1) / vector : s->groups * ((s->columns + width - 1) / width);
}

/* The sum of ld over all panels. */
static size_t padded_columns(const ad_cpu_call *call, const shape *s) {
    const size_t vector = call->tiles->vector;
    return s->diagonals ? round_up(result_pixel(s), vector) : s->groups * round_up(s->columns, vector);
}

static panel panel_of(const ad_cpu_call *call, const shape *s, size_t number) {
    const size_t width = call->tiles->width, vector = call->tiles->vector;
    if (s->diagonals) {
        const size_t first = number * vector;
        return (panel){first, first, AD_MIN(vector, result_pixel(s) - first), vector, first};
    }
    const size_t panels = s->groups == 1 ? 0 : (s->columns + width - 1) / width;
    const size_t group = panels ? number / panels : 0, first = (number - group * panels) * width;
    const size_t columns = AD_MIN(width, s->columns - first), ld = columns == width ? width : round_up(columns, vector);
    return (panel){group * s->depth, group * s->columns + first, columns, ld,
                   panels ? group * round_up(s->columns, vector) + first : first};
}

/* Panels that read neighbouring channels, which share a window: all of them where there are no groups. */
typedef struct chunk {
    size_t first, panels;     /* numbers of panels */
    size_t channel, channels; /* of the source */
} chunk;

static size_t chunk_panels(const ad_cpu_call *call, const shape *s) {
    const size_t width = call->tiles->width, most = CHUNK_CHANNELS;
    if (s->groups == 1) return panels_of(call, s);
    return s->diagonals ? AD_MAX(most / call->tiles->vector, 1)
                        : AD_MAX(most / s->depth, 1) * ((s->columns + width - 1) / width);
}

static size_t chunks_of(const ad_cpu_call *call, const shape *s) {
    const size_t each = chunk_panels(call, s);
    return (panels_of(call, s) + each - 1) / each;
}

static chunk chunk_of(const ad_cpu_call *call, const shape *s, size_t number) {
    const size_t each = chunk_panels(call, s);
    chunk c = {.first = number * each, .panels = AD_MIN(each, panels_of(call, s) - number * each)};
    const panel last = panel_of(call, s, c.first + c.panels - 1);
    c.channel = panel_of(call, s, c.first).source;
    c.channels = last.source + (s->diagonals ? last.columns : s->depth) - c.channel;
    return c;
}

static bool needs_window(const shape *s) {
    return s->y.taps && s->y.outputs && s->x.outputs && (padded(&s->y) || padded(&s->x));
}

/* Output rows of a block: as many as have their window in WINDOW_BYTES. channels: of the window. */
static int block_rows(const shape *s, size_t channels) {
    if (s->y.outputs == 0 || s->x.outputs == 0) return 1;
    const size_t row = (size_t)AD_MAX(span(&s->x, s->x.outputs), 1) * channels * sizeof(float) * (size_t)s->y.base_step;
    return AD_MAX(AD_MIN((int)(WINDOW_BYTES / row) - s->y.taps + 1, s->y.outputs), 1);
}

static size_t window_floats(const shape *s, int rows, size_t channels) {
    return needs_window(s) ? (size_t)span(&s->y, rows) * (size_t)span(&s->x, s->x.outputs) * channels : 0;
}

/* Rows [first, first + count) of the outputs that read some channels of `image`. */
typedef struct output_rows {
    const float *image;
    int first, count;
    size_t channel, channels;
} output_rows;

/* What they read: the address for the first output and the first tap, the distances of rows and of positions. */
typedef struct source {
    const float *base;
    size_t line, pixel;
} source;

static void copy_channels(float *to, const float *from, size_t positions, const output_rows *of, size_t pixel) {
    if (of->channels == pixel)
        memcpy(to, from, positions * pixel * sizeof *to);
    else
        for (size_t at = 0; at < positions; at++)
            memcpy(to + at * of->channels, from + at * pixel + of->channel, of->channels * sizeof *to);
}

static source window(const shape *s, const output_rows *of, float *buffer) {
    const size_t pixel = source_pixel(s), width = (size_t)s->x.source * pixel, depth = of->channels;
    const int top = s->y.base + of->first * s->y.base_step, left = s->x.base;
    if (!needs_window(s)) {
        const float *base = of->image + of->channel;
        return (source){s->y.taps ? base + (size_t)top * width + (size_t)left * pixel : base, width, pixel};
    }
    const int columns = span(&s->x, s->x.outputs), height = span(&s->y, of->count);
    const int before = AD_MIN(AD_MAX(-left, 0), columns), end = AD_MAX(AD_MIN(s->x.source - left, columns), before);
    const size_t line = (size_t)columns * depth;
    for (int r = 0; r < height; r++) {
        float *to = buffer + (size_t)r * line;
        if (top + r < 0 || top + r >= s->y.source || before == end) {
            memset(to, 0, line * sizeof *to);
            continue;
        }
        memset(to, 0, (size_t)before * depth * sizeof *to);
        copy_channels(to + (size_t)before * depth,
                      of->image + (size_t)(top + r) * width + (size_t)(left + before) * pixel, (size_t)(end - before),
                      of, pixel);
        memset(to + (size_t)end * depth, 0, (size_t)(columns - end) * depth * sizeof *to);
    }
    return (source){buffer, line, depth};
}

/* ---- CONV, CONV_DX ---- */

/* The weights of a panel, rows in the order in which the taps read: [i][j][depth][ld]. With diagonals row d has, at the
 * place of input e of a group, its weight for output (e + d) mod depth. */
static void pack_panel(const ad_cpu_call *call, const shape *s, const float *w, panel of, float *to) {
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
    for (int phase = 0; phase < phases_of(call->op); phase++) {
        const shape s = shape_of(call, phase);
        l.panels = panels_of(call, &s);
        l.chunks = chunks_of(call, &s);
        l.packed = padded_columns(call, &s) * s.depth * (size_t)g->k * (size_t)g->k;
        l.panel = panel_of(call, &s, 0).ld * s.depth * (size_t)g->k * (size_t)g->k;
        if (s.y.outputs == 0 || s.x.outputs == 0) continue;
        l.rows = AD_MIN(l.rows, block_rows(&s, chunk_of(call, &s, 0).channels));
        outputs = AD_MAX(outputs, s.y.outputs);
        const size_t read = (size_t)tasks * (size_t)g->n * (size_t)s.y.source * (size_t)s.x.source * source_pixel(&s);
        l.by_panel = phases_of(call->op) == 1 && s.groups == 1 && l.packed * sizeof(float) > MANY_WEIGHTS_BYTES &&
                     read * sizeof(float) <= SMALL_SOURCE_BYTES;
    }
    for (int phase = 0; phase < phases_of(call->op); phase++) {
        const shape s = shape_of(call, phase);
        l.window =
            AD_MAX(l.window, window_floats(&s, AD_MIN(l.rows, AD_MAX(s.y.outputs, 1)), chunk_of(call, &s, 0).channels));
    }
    l.window = round_up(l.window, 16);
    l.panel = round_up(l.panel, 16);
    l.blocks = (outputs + l.rows - 1) / l.rows;
    return l;
}

/* Where the packed weights of a phase begin. */
static size_t phase_offset(const ad_cpu_call *call, int phase) {
    size_t offset = 0;
    for (int before = 0; before < phase; before++) {
        const shape s = shape_of(call, before);
        offset += padded_columns(call, &s) * s.depth * (size_t)s.y.taps * (size_t)s.x.taps;
    }
    return offset;
}

/* What the blocks of a task's image share. */
typedef struct product_operands {
    size_t first, panels;                         /* numbers of panels to make */
    const float *packed, *bias, *coef, *residual; /* all but the first may be NULL; packed: from the first panel on;
                                                     residual: of the image */
    char *out;                                    /* the image's result */
} product_operands;

/* A block of rows of a phase's outputs: all their positions, AD_CPU_TILE_ROWS at a time. */
static void conv_block(const ad_cpu_call *call, const shape *s, const output_rows *of, const product_operands *operands,
                       float *buffer) {
    const ad_op *op = call->op;
    const size_t bytes = ad_cpu_bytes(call->half[3]), end = operands->first + operands->panels;
    /* The taps of a row are then neighbours in memory. */
    const bool merged = s->groups == 1 && (s->x.tap_stride == 1 || s->x.taps <= 1);
    const size_t positions = (size_t)of->count * (size_t)s->x.outputs, taps = (size_t)s->y.taps * (size_t)s->x.taps;
    const panel of_first = panel_of(call, s, operands->first);
    const size_t most = s->depth * taps * of_first.ld * sizeof(float); /* bytes of a panel */
    const size_t out_width = (size_t)(op->kind == AD_OP_CONV_DX ? op->g.w : op->g.ow);
    const source from_source = window(s, of, buffer);
    const size_t line = from_source.line, pixel = from_source.pixel;
    /* A panel too large for the second-level cache is used a row of taps at a time. */
    const int slices = most > SLICE_BYTES ? s->y.taps : 1;
    ad_cpu_product p = {
        .lines = (size_t)(s->y.taps / slices), .line = line * (size_t)s->y.tap_stride, .half = call->half[3]};
    p.steps = merged ? AD_MIN((size_t)s->x.taps, 1) : (size_t)s->x.taps;
    p.step = pixel * (size_t)s->x.tap_stride;
    p.length = merged ? s->depth * (size_t)s->x.taps : s->depth;
    void (*const product)(const ad_cpu_product *) =
        s->diagonals ? call->tiles->product_diagonals : call->tiles->product;
    /* What the tile leaves to be activated. */
    const bool bent = op->kind == AD_OP_CONV && op->i[0] != AD_ACT_NONE && op->i[0] <= AD_ACT_RELU6;
    const int act = ad_op_has_epilogue(op) && !bent ? op->i[0] : AD_ACT_NONE;
    ad_cpu_epilogue after = {.has_residual = operands->residual,
                             .bent = bent,
                             .slope = op->i[0] == AD_ACT_LEAKY ? op->f[0] : 0,
                             .limit = op->i[0] == AD_ACT_RELU6 ? 6 : INFINITY};
    /* Panels that fit there together are used in turn, so that y is written in the order of memory. */
    const size_t together = slices > 1 ? 1 : AD_MAX(GROUP_BYTES / AD_MAX(most, 1), 1);
    for (size_t start = operands->first; start < end; start += together)
        for (int slice = 0; slice < slices; slice++) {
            p.accumulate = slice > 0 || ad_cpu_accumulates(call);
            p.after = slice == slices - 1 && ad_op_has_epilogue(op) ? &after : NULL;
            for (size_t at = 0, row = 0, q = 0; at < positions; at += p.rows) {
                const float *from[AD_CPU_TILE_ROWS];
                size_t to[AD_CPU_TILE_ROWS];
                p.rows = AD_MIN(positions - at, (size_t)AD_CPU_TILE_ROWS);
                for (size_t r = 0; r < p.rows; r++) {
                    from[r] = from_source.base + row * (size_t)s->y.base_step * line +
                              q * (size_t)s->x.base_step * pixel + (size_t)slice * p.line;
                    to[r] = (((size_t)s->y.out + ((size_t)of->first + row) * (size_t)s->y.out_step) * out_width +
                             (size_t)s->x.out + q * (size_t)s->x.out_step) *
                            result_pixel(s);
                    if (++q == (size_t)s->x.outputs) {
                        q = 0;
                        row++;
                    }
                }
                for (size_t number = start; number < AD_MIN(start + together, end); number++) {
                    const panel n = panel_of(call, s, number);
                    p.columns = n.columns;
                    p.ld = n.ld;
                    p.b = operands->packed +
                          ((n.before - of_first.before) * taps + (size_t)slice * (size_t)s->x.taps * n.ld) * s->depth;
                    p.bias = operands->bias && slice == 0 ? operands->bias + n.result : NULL;
                    for (size_t r = 0; r < AD_CPU_TILE_ROWS; r++)
                        p.a[r] = from[r < p.rows ? r : 0] + n.source - of->channel;
                    for (size_t r = 0; r < p.rows; r++) p.out[r] = operands->out + (to[r] + n.result) * bytes;
                    if (operands->coef) {
                        after.scale = operands->coef + n.result;
                        after.shift = after.scale + result_pixel(s);
                    }
                    for (size_t r = 0; operands->residual && r < p.rows; r++)
                        after.residual[r] = operands->residual + to[r] + n.result;
                    product(&p);
                    for (size_t r = 0; p.after && act != AD_ACT_NONE && r < p.rows; r++)
                        ad_cpu_activate(act, op->f[0], p.out[r], p.out[r], n.columns);
                }
            }
        }
}

/* The part of the result that one item makes: rows of an image, some panels. */
typedef struct conv_item {
    int phase, task, first;
    size_t image;
    chunk of;
} conv_item;

/* Items are ordered so that neighbours share weights. */
static conv_item item_of(const ad_cpu_call *call, const conv_layout *l, const shape *s, int tasks, size_t number) {
    const size_t n = (size_t)call->op->g.n, blocks = (size_t)l->blocks, all = blocks * n * (size_t)tasks;
    const size_t turns = l->by_panel ? l->panels : l->chunks, turn = number / all % turns;
    chunk of = chunk_of(call, s, l->by_panel ? 0 : turn);
    if (l->by_panel) {
        of.first = turn;
        of.panels = 1;
    }
    return (conv_item){.phase = (int)(number / all / turns),
                       .task = (int)(number / blocks / n % (size_t)tasks),
                       .first = (int)(number % blocks) * l->rows,
                       .image = number / blocks % n,
                       .of = of};
}

static void run_item(const ad_cpu_call *call, const conv_layout *l, conv_item item, const float *packed,
                     float *buffer) {
    enum { BIAS = 2, COEF = 4, RESIDUAL = 5 };
    const ad_geometry *g = &call->op->g;
    const bool back = call->op->kind == AD_OP_CONV_DX;
    const size_t in = (size_t)g->h * (size_t)g->w * (size_t)g->c, out = (size_t)g->oh * (size_t)g->ow * (size_t)g->o;
    const shape s = shape_of(call, item.phase);
    if (item.first >= s.y.outputs || s.x.outputs == 0) return;
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
    const output_rows of = {.image = from,
                            .first = item.first,
                            .count = AD_MIN(l->rows, s.y.outputs - item.first),
                            .channel = item.of.channel,
                            .channels = item.of.channels};
    conv_block(call, &s, &of, &operands, buffer);
}

static size_t taps_of(const shape *s) { return (size_t)s->y.taps * (size_t)s->x.taps; }

static void conv_tasks(const ad_cpu_call *call, int first_task, int tasks) {
    const ad_geometry *g = &call->op->g;
    const conv_layout l = layout_of(call, tasks);
    const size_t phases = (size_t)phases_of(call->op), n = (size_t)g->n;
    const size_t work = (size_t)tasks * n * (size_t)g->oh * (size_t)g->ow * (size_t)g->o * (size_t)g->c;
    const float *w = ad_cpu_at(call, 1, first_task);
    float *packed = call->scratch, *windows = packed + round_up(l.packed, 16);
    if (l.by_panel) {
        const shape s = shape_of(call, 0);
        const size_t each = (size_t)l.blocks * n * (size_t)tasks; /* items of a panel */
        AD_CPU_PARALLEL(call, work)
        for (int thread = 0; thread < call->threads; thread++) {
            const size_t items = l.panels * each, begin = items * (size_t)thread / (size_t)call->threads,
                         end = items * ((size_t)thread + 1) / (size_t)call->threads;
            float *own = packed + (size_t)thread * (l.panel + l.window);
            for (size_t number = begin; number < end; number++) {
                conv_item item = item_of(call, &l, &s, tasks, number);
                item.task += first_task;
                if (number == begin || number % each == 0)
                    pack_panel(call, &s, w, panel_of(call, &s, item.of.first), own);
                run_item(call, &l, item, own, own + l.panel);
            }
        }
        return;
    }
    AD_CPU_PARALLEL(call, l.packed)
    for (size_t number = 0; number < phases * l.panels; number++) {
        const int phase = (int)(number / l.panels);
        const shape s = shape_of(call, phase);
        const panel of = panel_of(call, &s, number % l.panels);
        pack_panel(call, &s, w, of, packed + phase_offset(call, phase) + of.before * s.depth * taps_of(&s));
    }
    const size_t items = phases * l.chunks * (size_t)tasks * n * (size_t)l.blocks;
    AD_CPU_PARALLEL(call, work)
    for (size_t number = 0; number < items; number++) {
        const size_t each = items / phases;
        const shape s = shape_of(call, (int)(number / each));
        conv_item item = item_of(call, &l, &s, tasks, number);
        item.task += first_task;
        const size_t before = panel_of(call, &s, item.of.first).before * s.depth * taps_of(&s);
        run_item(call, &l, item, packed + phase_offset(call, item.phase) + before,
                 windows + (size_t)omp_get_thread_num() * l.window);
    }
}

/* Weights that differ from task to task are packed, and used, one task after the other. */
static void run_conv(const ad_cpu_call *call) {
    if (call->stride[1] == 0)
        conv_tasks(call, 0, call->tasks);
    else
        for (int task = 0; task < call->tasks; task++) conv_tasks(call, task, 1);
}

/* Of either way: the last tasks may be fewer than those it is asked for. */
static size_t conv_scratch(const ad_cpu_call *call) {
    const conv_layout l = layout_of(call, call->tasks);
    const size_t threads = (size_t)call->threads;
    return AD_MAX(round_up(l.packed, 16) + threads * l.window, threads * (l.panel + l.window));
}

/* ---- CONV_DW ---- */

/* Output rows of all images are cut into chunks; a chunk and a panel of columns make a partial sum of dw. */
enum { DW_POSITIONS = 64, DW_CHUNKS = 16, DW_PARTIAL_BYTES = 64 << 20 };

typedef struct dw_layout {
    shape s;
    size_t panels, depth;        /* depth: rows of dw, k*k*c of a group */
    size_t lines, chunk, chunks; /* output rows of a task; of a chunk */
    int rows;                    /* output rows of a block: their part of dy stays in the first-level cache */
    size_t window;               /* floats of a thread's window of x */
    size_t part, partial;        /* floats of the partial sums of a chunk, of a task */
} dw_layout;

/* Channels that a panel reads. */
static size_t window_channels(const shape *s, panel of) { return s->diagonals ? of.columns : s->depth; }

static dw_layout dw_layout_of(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    dw_layout l = {.s = shape_of(call, 0), .lines = (size_t)g->n * (size_t)g->oh};
    l.panels = panels_of(call, &l.s);
    l.depth = (size_t)g->k * (size_t)g->k * l.s.depth;
    l.part = l.depth * padded_columns(call, &l.s);
    /* As many chunks as if every panel were of the tile's width. */
    const size_t whole = l.depth * round_up(l.s.columns, call->tiles->width) * l.s.groups * sizeof(float);
    size_t most = AD_MIN(AD_MAX(DW_PARTIAL_BYTES / whole, 1), (size_t)DW_CHUNKS);
    if (l.s.groups > 1) most = AD_MAX(most / l.panels, 1); /* the panels of groups are work enough for all threads */
    l.chunk = (l.lines + most - 1) / most;
    l.chunks = (l.lines + l.chunk - 1) / l.chunk;
    l.rows = AD_MAX(AD_MIN(DW_POSITIONS / g->ow, g->oh), 1);
    l.window = round_up(window_floats(&l.s, l.rows, window_channels(&l.s, panel_of(call, &l.s, 0))), 16);
    l.partial = round_up(l.chunks * l.part, 16);
    return l;
}

static void dw_block(const ad_cpu_call *call, const dw_layout *l, const output_rows *of, const float *dy, panel columns,
                     float *buffer, float *out) {
    const ad_geometry *g = &call->op->g;
    const shape *s = &l->s;
    const size_t o = (size_t)g->o, ow = (size_t)g->ow;
    const source from = window(s, of, buffer);
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
    for (size_t item = 0; item < l->chunks * l->panels; item++) {
        const panel of = panel_of(call, &l->s, item % l->panels);
        const float *sum = call->scratch + item / l->panels * l->part + of.before * l->depth + d * of.ld;
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

static void dw_task(const ad_cpu_call *call, const dw_layout *l, int task) {
    const ad_geometry *g = &call->op->g;
    const size_t o = (size_t)g->o, in = (size_t)g->h * (size_t)g->w * (size_t)g->c, row = (size_t)g->ow * o;
    AD_CPU_PARALLEL(call, l->lines * (size_t)g->ow * l->depth * o)
    for (size_t item = 0; item < l->chunks * l->panels; item++) {
        const size_t number = item / l->panels;
        const panel of = panel_of(call, &l->s, item % l->panels);
        const size_t end = AD_MIN((number + 1) * l->chunk, l->lines);
        const float *x = ad_cpu_at(call, 0, task), *dy = ad_cpu_at(call, 1, task);
        float *sum = call->scratch + number * l->part + of.before * l->depth;
        float *buffer = call->scratch + l->partial + (size_t)omp_get_thread_num() * l->window;
        memset(sum, 0, l->depth * of.ld * sizeof *sum);
        for (size_t at = number * l->chunk, rows = 0; at < end; at += rows) {
            const size_t image = at / (size_t)g->oh, first = at % (size_t)g->oh;
            rows = AD_MIN(AD_MIN(end - at, (size_t)g->oh - first), (size_t)l->rows);
            const output_rows lines = {x + image * in, (int)first, (int)rows, of.source, window_channels(&l->s, of)};
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

static void run_conv_dw(const ad_cpu_call *call) {
    const dw_layout l = dw_layout_of(call);
    for (int task = 0; task < call->tasks; task++) dw_task(call, &l, task);
}

static size_t dw_scratch(const ad_cpu_call *call) {
    const dw_layout l = dw_layout_of(call);
    return l.partial + (size_t)call->threads * l.window;
}

/* ---- CONV_DBIAS, in two passes: a partial sum per chunk of rows, then their sum ---- */

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

static const char *const variants[] = {"tiles", NULL};
const ad_cpu_kernel ad_cpu_kernel_CONV = {.run = run_conv, .scratch = conv_scratch, .variants = variants};
const ad_cpu_kernel ad_cpu_kernel_CONV_DX = {.run = run_conv, .scratch = conv_scratch, .variants = variants};
const ad_cpu_kernel ad_cpu_kernel_CONV_DW = {.run = run_conv_dw, .scratch = dw_scratch, .variants = variants};
const ad_cpu_kernel ad_cpu_kernel_CONV_DBIAS = {.run = run_dbias, .scratch = dbias_scratch};
