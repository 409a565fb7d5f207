/* DEPTHWISE*: one kernel a channel. The loops over a line are in tile_depthwise.inc; here is what a line reads. In all
 * of them a line is taken apart into classes of outputs whose neighbours read positions at one distance. */
#include "cpu/activation.h"
#include "cpu/cpu_internal.h"

#include <math.h>
#include <string.h>

/* Steps of the geometry without their common divisor. */
typedef struct steps {
    int stride, dil;
} steps;

static steps steps_of(const ad_geometry *g) {
    const int common = (int)ad_cpu_divisor((size_t)g->stride, (size_t)g->dil);
    return (steps){g->stride / common, g->dil / common};
}

/* The least whole number >= a/b, b > 0. */
static ptrdiff_t ceiling(ptrdiff_t a, ptrdiff_t b) { return a > 0 ? (a + b - 1) / b : -(-a / b); }

/* The rows of taps that output row p has inside the image: from *first on. */
static size_t rows_inside(const ad_geometry *g, int p, int *first) {
    const ptrdiff_t top = (ptrdiff_t)p * g->stride - g->pad, begin = AD_MAX(ceiling(-top, g->dil), 0),
                    end = AD_MIN(ceiling(g->h - top, g->dil), g->k);
    *first = (int)begin;
    return end > begin ? (size_t)(end - begin) : 0;
}

/* What row p of outputs reads of x, an image: outputs `class`, class + classes, ... of it. Output and weights are the
 * caller's, from the first output and the first tap of the row on. */
static ad_cpu_depthwise reads(const ad_geometry *g, const float *x, int p, int class, int *first_row) {
    const steps s = steps_of(g);
    const ptrdiff_t c = g->c, left = (ptrdiff_t) class * g->stride - g->pad;
    const size_t rows = rows_inside(g, p, first_row);
    const ptrdiff_t top = (ptrdiff_t)p * g->stride - g->pad + (ptrdiff_t)*first_row * g->dil;
    return (ad_cpu_depthwise){.x = x,
                              .x_first = (top * g->w + left) * c,
                              .x_row = (ptrdiff_t)g->dil * g->w * c,
                              .x_step = g->dil * c,
                              .w_row = g->k * c,
                              .w_step = c,
                              .low = ceiling(-left, g->dil),
                              .high = ceiling(g->w - left, g->dil),
                              .rows = rows,
                              .taps = (size_t)g->k,
                              .stride = (size_t)s.stride,
                              .count = (size_t)AD_MAX(ceiling(g->ow - class, s.dil), 0),
                              .out_step = (size_t)(s.dil * c),
                              .c = (size_t)c};
}

/* act as a line's end can do it. The others follow in a pass of their own. */
static void bend(const ad_op *op, ad_cpu_depthwise *line) {
    line->bent = ad_cpu_bends(op);
    line->slope = op->i[0] == AD_ACT_LEAKY ? op->f[0] : 0;
    line->limit = op->i[0] == AD_ACT_RELU6 ? 6 : INFINITY;
}

/* Row number p of an image's y. x: its row x_row and what follows. */
static void forward_line(const ad_cpu_call *call, int task, size_t image, int p, const float *x, int x_row, float *y) {
    enum { W = 1, BIAS, Y, COEF, RESIDUAL };
    const ad_op *op = call->op;
    const ad_geometry *g = &op->g;
    const size_t c = (size_t)g->c, row = (size_t)g->ow * c;
    const float *w = ad_cpu_at(call, W, task), *residual = ad_cpu_at(call, RESIDUAL, task);
    ad_cpu_depthwise line = {0};
    for (int class = 0, first = 0; class < steps_of(g).dil; class ++) {
        line = reads(g, x, p, class, &first);
        line.x_first -= (ptrdiff_t)x_row * g->w * g->c;
        line.w = w + (size_t)(first * g->k) * c;
        line.bias = ad_cpu_at(call, BIAS, task);
        line.coef = ad_cpu_at(call, COEF, task);
        line.residual = residual ? residual + (image * (size_t)g->oh + (size_t)p) * row + (size_t) class * c : NULL;
        line.out = y + (size_t) class * c;
        bend(op, &line);
        call->tiles->depthwise(&line);
    }
    if (!line.bent) ad_cpu_activate(op->i[0], op->f[0], y, y, row);
}

static void run_depthwise(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, row = (size_t)g->ow * c, oh = (size_t)g->oh, n = (size_t)g->n;
    const size_t in = (size_t)g->h * (size_t)g->w * c, items = (size_t)call->tasks * n * oh;
    AD_CPU_PARALLEL(call, items * row * (size_t)(g->k * g->k))
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / oh / n);
        const size_t image = item / oh % n;
        forward_line(call, task, image, (int)(item % oh), (const float *)ad_cpu_at(call, 0, task) + image * in, 0,
                     (float *)ad_cpu_at(call, 3, task) + item % (n * oh) * row);
    }
}

static void depthwise_rows(const ad_cpu_call *call, const ad_cpu_rows *rows) {
    const size_t row = (size_t)call->op->g.ow * (size_t)call->op->g.c;
    for (int p = rows->first; p < rows->first + rows->count; p++)
        forward_line(call, rows->task, rows->image, p, rows->from, rows->from_row,
                     rows->to + (size_t)(p - rows->to_row) * row);
}

/* A line of dx is one of outputs that read dy by the flipped taps, of which those of a class reach it. */
typedef struct readers {
    int tap, at;  /* the last tap that reaches it, and the first position of dy that it reads */
    size_t count; /* taps, `steps.stride` apart */
} readers;

static readers readers_of(const ad_geometry *g, int position) {
    const int step = steps_of(g).stride;
    int tap = g->k - 1;
    while (tap >= 0 && (position + g->pad - tap * g->dil) % g->stride) tap--;
    return (readers){tap, tap < 0 ? 0 : (position + g->pad - tap * g->dil) / g->stride,
                     tap < 0 ? 0 : (size_t)(tap / step + 1)};
}

/* Row h of dx. */
static void dx_line(const ad_geometry *g, const float *dy, const float *w, float *dx, int h, bool accumulate,
                    const ad_cpu_tiles *tiles) {
    const steps s = steps_of(g);
    const ptrdiff_t c = g->c;
    readers rows = readers_of(g, h);
    for (; rows.count > 0 && rows.at < 0; rows.count--) {
        rows.at += s.dil;
        rows.tap -= s.stride;
    }
    while (rows.count > 0 && rows.at + (int)(rows.count - 1) * s.dil >= g->oh) rows.count--;
    for (int class = 0; class < g->stride * s.dil; class ++) {
        const readers columns = readers_of(g, class);
        const size_t taps = columns.count;
        const ad_cpu_depthwise line = {.x = dy,
                                       .w = rows.count && taps ? w + (rows.tap * g->k + columns.tap) * c : NULL,
                                       .out = dx + class * c,
                                       .x_first = ((ptrdiff_t)rows.at * g->ow + columns.at) * c,
                                       .x_row = (ptrdiff_t)s.dil * g->ow * c,
                                       .x_step = s.dil * c,
                                       .w_row = -(ptrdiff_t)s.stride * g->k * c,
                                       .w_step = -s.stride * c,
                                       .low = ceiling(-columns.at, s.dil),
                                       .high = ceiling(g->ow - columns.at, s.dil),
                                       .rows = taps ? rows.count : 0,
                                       .taps = taps,
                                       .stride = 1,
                                       .count = (size_t)AD_MAX(ceiling(g->w - class, g->stride * s.dil), 0),
                                       .out_step = (size_t)(g->stride * s.dil * c),
                                       .c = (size_t)c,
                                       .accumulate = accumulate};
        tiles->depthwise(&line);
    }
}

static void run_depthwise_dx(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, row = (size_t)g->w * c, h = (size_t)g->h, n = (size_t)g->n,
                 out = (size_t)g->oh * (size_t)g->ow * c;
    const size_t items = (size_t)call->tasks * n * h;
    AD_CPU_PARALLEL(call, items * row * (size_t)(g->k * g->k))
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / h / n);
        dx_line(g, (const float *)ad_cpu_at(call, 0, task) + item / h % n * out, ad_cpu_at(call, 1, task),
                (float *)ad_cpu_at(call, 2, task) + item % (n * h) * row, (int)(item % h), ad_cpu_accumulates(call),
                call->tiles);
    }
}

/* Rows of outputs of a partial sum: so many that it is small beside what is read for it. */
enum { CHUNKS = 32, CHUNK_ROWS = 8 };
static size_t chunk_rows(const ad_geometry *g) {
    const size_t even = ((size_t)g->n * (size_t)g->oh + CHUNKS - 1) / CHUNKS,
                 worth = (4 * (size_t)g->k * (size_t)g->k + (size_t)g->ow - 1) / (size_t)g->ow;
    return AD_MAX(AD_MAX(even, worth), (size_t)CHUNK_ROWS);
}
static size_t chunk_count(const ad_geometry *g) {
    return ((size_t)g->n * (size_t)g->oh + chunk_rows(g) - 1) / chunk_rows(g);
}

/* y[i] (+)= the sum over chunks of partial[chunk*step + i], i < count <= BLOCK, in the order of the chunks. */
enum { BLOCK = 256 };
AD_CLONES static void add_partials(float *y, const float *partial, size_t chunks, size_t step, size_t count,
                                   bool accumulate) {
    float sum[BLOCK];
    for (size_t i = 0; i < count; i++) sum[i] = accumulate ? y[i] : 0;
    for (size_t chunk = 0; chunk < chunks; chunk++)
        for (size_t i = 0; i < count; i++) sum[i] += partial[chunk * step + i];
    memcpy(y, sum, count * sizeof *y);
}

static void run_depthwise_dw(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, k = (size_t)g->k, oh = (size_t)g->oh, rows = (size_t)g->n * oh, size = chunk_rows(g);
    const size_t chunks = chunk_count(g), tasks = (size_t)call->tasks, items = tasks * chunks, numbers = k * k * c;
    AD_CPU_PARALLEL(call, tasks * rows * (size_t)g->ow * numbers)
    for (size_t item = 0; item < items; item++) {
        const size_t begin = item % chunks * size, end = AD_MIN(begin + size, rows);
        const float *x = ad_cpu_at(call, 0, (int)(item / chunks)), *dy = ad_cpu_at(call, 1, (int)(item / chunks));
        float *partial = call->scratch + item * numbers;
        memset(partial, 0, numbers * sizeof *partial);
        for (size_t r = begin; r < end; r++)
            for (int class = 0, first = 0; class < steps_of(g).dil; class ++) {
                ad_cpu_depthwise line =
                    reads(g, x + r / oh * (size_t)g->h * (size_t)g->w * c, (int)(r % oh), class, &first);
                line.dy = dy + (r * (size_t)g->ow + (size_t) class) * c;
                line.out = partial + (size_t)first * k * c;
                call->tiles->depthwise_dw(&line);
            }
    }
    const size_t blocks = (numbers + BLOCK - 1) / BLOCK;
    AD_CPU_PARALLEL(call, tasks * chunks * numbers)
    for (size_t block = 0; block < tasks * blocks; block++) {
        const size_t task = block / blocks, at = block % blocks * BLOCK;
        add_partials((float *)ad_cpu_at(call, 2, (int)task) + at, call->scratch + task * chunks * numbers + at, chunks,
                     numbers, AD_MIN((size_t)BLOCK, numbers - at), ad_cpu_accumulates(call));
    }
}

static size_t dw_scratch(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    return (size_t)call->tasks * chunk_count(g) * (size_t)(g->k * g->k) * (size_t)g->c;
}

static const char *const variants[] = {"lines", NULL};
const ad_cpu_kernel ad_cpu_kernel_DEPTHWISE = {.run = run_depthwise, .rows = depthwise_rows, .variants = variants};
const ad_cpu_kernel ad_cpu_kernel_DEPTHWISE_DX = {.run = run_depthwise_dx, .variants = variants};
const ad_cpu_kernel ad_cpu_kernel_DEPTHWISE_DW = {.run = run_depthwise_dw, .scratch = dw_scratch, .variants = variants};
