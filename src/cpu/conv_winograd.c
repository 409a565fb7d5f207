/* CONV and CONV_DX by Winograd's F(4x4, 3x3): the 6 x 6 inputs of each square of 4 x 4 outputs, and the kernels, are
 * transformed so that 36 products of single numbers take the place of 144. For each of the 36 a matrix product sums
 * them over the channels, for as many squares at a time as keep the transformed kernels busy once they are in a cache.
 * CONV_DX is the convolution of dy with the kernels turned by half and their channels exchanged. */
#include "cpu/activation.h"
#include "cpu/winograd.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { BLOCK_SQUARES = 32 };
/* With fewer channels the transforms cost more than they save. The choice does not ask for the number of images, so
 * that a picture's numbers are the same in every batch. */
enum { LEAST_CHANNELS = 32 };

typedef struct layout {
    ad_cpu_squares squares;
    size_t blocks, block;   /* squares of a block */
    size_t kernels, thread; /* floats: of the transformed kernels; of a thread */
} layout;

static layout layout_of(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, o = (size_t)g->o, threads = (size_t)call->threads;
    layout l = {.squares = ad_cpu_squares_of(g)};
    l.blocks = ad_cpu_round_up((l.squares.count + BLOCK_SQUARES - 1) / BLOCK_SQUARES, threads);
    l.block = AD_MAX((l.squares.count + l.blocks - 1) / l.blocks, 1);
    l.kernels = AD_CPU_POSITIONS * c * o;
    l.thread = AD_CPU_POSITIONS * (l.block * (c + o) + c);
    return l;
}

/* CONV_DX as that CONV; op: room for it. What it adds to is its residual. */
static ad_cpu_call forward_of(const ad_cpu_call *call, ad_op *op) {
    enum { DY, W, DX };
    ad_cpu_call of = *call;
    *op = *call->op;
    if (op->kind == AD_OP_CONV) return of;
    const ad_geometry g = op->g;
    op->g.h = g.oh;
    op->g.w = g.ow;
    op->g.c = g.o;
    op->g.oh = g.h;
    op->g.ow = g.w;
    op->g.o = g.c;
    op->g.pad = g.k - 1 - g.pad;
    op->i[0] = AD_ACT_NONE;
    of.op = op;
    const int roles[] = {DY, W, -1, DX, -1, op->flags & AD_ACCUMULATE ? DX : -1};
    for (size_t r = 0; r < AD_OP_TENSORS; r++) {
        const int from = r < AD_COUNT(roles) ? roles[r] : -1;
        of.base[r] = from < 0 ? NULL : call->base[from];
        of.stride[r] = from < 0 ? 0 : call->stride[from];
        of.half[r] = from >= 0 && call->half[from];
    }
    return of;
}

size_t ad_cpu_winograd_scratch(const ad_cpu_call *backward_or_not) {
    ad_op op;
    const ad_cpu_call of = forward_of(backward_or_not, &op), *call = &of;
    const layout l = layout_of(call);
    return l.kernels + (size_t)call->threads * l.thread;
}

size_t ad_cpu_winograd_kept(const ad_cpu_call *call) { return layout_of(call).kernels; }

ad_cpu_squares ad_cpu_squares_of(const ad_geometry *g) {
    ad_cpu_squares s = {.down = ((size_t)g->oh + AD_CPU_SQUARE - 1) / AD_CPU_SQUARE,
                        .across = ((size_t)g->ow + AD_CPU_SQUARE - 1) / AD_CPU_SQUARE};
    s.count = (size_t)g->n * s.down * s.across;
    return s;
}

ad_cpu_square ad_cpu_square_of(const ad_cpu_squares *s, size_t number) {
    const size_t each = s->down * s->across, at = number % each;
    return (ad_cpu_square){number / each, (int)(at / s->across) * AD_CPU_SQUARE, (int)(at % s->across) * AD_CPU_SQUARE};
}

ad_cpu_patch ad_cpu_patch_of(const ad_cpu_image *image, int top, int left, int side, float *room) {
    const size_t c = image->channels, line = (size_t)image->width * c;
    if (top >= 0 && left >= 0 && top + side <= image->height && left + side <= image->width)
        return (ad_cpu_patch){image->numbers + (size_t)top * line + (size_t)left * c, line};
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            float *pixel = room + (size_t)(i * side + j) * c;
            if (top + i >= 0 && top + i < image->height && left + j >= 0 && left + j < image->width)
                memcpy(pixel, image->numbers + (size_t)(top + i) * line + (size_t)(left + j) * c, c * sizeof *pixel);
            else
                memset(pixel, 0, c * sizeof *pixel);
        }
    return (ad_cpu_patch){room, (size_t)side * c};
}

bool ad_cpu_winograd_applies(const ad_op *op, const ad_cpu_tiles *tiles) {
    const ad_geometry *g = &op->g;
    const bool back = op->kind == AD_OP_CONV_DX;
    return g->k == 3 && g->stride == 1 && g->dil == 1 && ad_groups(g) == 1 && (size_t)g->c % tiles->vector == 0 &&
           (size_t)g->o % tiles->vector == 0 && (back ? g->pad < g->k : !(op->flags & AD_ACCUMULATE));
}

bool ad_cpu_winograd_pays(const ad_op *op, const ad_cpu_tiles *tiles) {
    const ad_geometry *g = &op->g;
    return ad_cpu_winograd_applies(op, tiles) && g->c >= LEAST_CHANNELS && g->o >= LEAST_CHANNELS &&
           g->oh >= AD_CPU_SQUARE && g->ow >= AD_CPU_SQUARE;
}

enum { TAPS = 9, TURNED_ROWS = 16, MOST_WIDTH = 64 };

/* The same of kernels that are turned: w is [TAPS][o][c] of this convolution. Some rows at a time are brought into
 * order, so that what is read of w lies together. */
static void transform_turned(const ad_cpu_call *call, int task, float *to) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, o = (size_t)g->o, width = AD_MIN(call->tiles->width, (size_t)MOST_WIDTH);
    const float *w = ad_cpu_at(call, 1, task);
    AD_CPU_PARALLEL(call, AD_CPU_POSITIONS * c * o)
    for (size_t block = 0; block < c; block += TURNED_ROWS)
        for (size_t first = 0; first < o; first += width) {
            const size_t columns = AD_MIN(width, o - first), rows = AD_MIN((size_t)TURNED_ROWS, c - block);
            float turned[TURNED_ROWS * TAPS * MOST_WIDTH];
            for (size_t tap = 0; tap < TAPS; tap++)
                for (size_t column = 0; column < columns; column++) {
                    const float *from = w + ((TAPS - 1 - tap) * o + first + column) * c + block;
                    for (size_t row = 0; row < rows; row++) turned[(row * TAPS + tap) * columns + column] = from[row];
                }
            for (size_t row = 0; row < rows; row++) {
                const ad_cpu_winograd p = {.from = turned + row * TAPS * columns,
                                           .from_line = 3 * columns,
                                           .from_step = columns,
                                           .to = to + first * c + (block + row) * columns,
                                           .to_step = c * o,
                                           .channels = columns};
                call->tiles->winograd_kernel(&p);
            }
        }
}

/* [AD_CPU_POSITIONS][panel][c][columns of the panel] */
static void transform_kernels(const ad_cpu_call *call, const layout *l, int task, float *to) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, o = (size_t)g->o, width = call->tiles->width;
    const float *w = ad_cpu_at(call, 1, task);
    if (call->op->kind == AD_OP_CONV_DX) {
        transform_turned(call, task, to);
        return;
    }
    AD_CPU_PARALLEL(call, l->kernels)
    for (size_t row = 0; row < c; row++)
        for (size_t first = 0; first < o; first += width) {
            const size_t columns = AD_MIN(width, o - first);
            const ad_cpu_winograd p = {.from = w + row * o + first,
                                       .from_line = 3 * c * o,
                                       .from_step = c * o,
                                       .to = to + first * c + row * columns,
                                       .to_step = c * o,
                                       .channels = columns};
            call->tiles->winograd_kernel(&p);
        }
}

/* The inputs of a square; room: for those that are not all inside the image. */
static void transform_inputs(const ad_cpu_call *call, const float *images, ad_cpu_square at, float *to, size_t step,
                             float *room) {
    const ad_geometry *g = &call->op->g;
    const ad_cpu_image of = {images + at.image * (size_t)g->h * (size_t)g->w * (size_t)g->c, g->h, g->w, (size_t)g->c};
    const ad_cpu_patch patch = ad_cpu_patch_of(&of, at.row - g->pad, at.column - g->pad, AD_CPU_PATCH, room);
    const ad_cpu_winograd p = {.from = patch.from,
                               .from_line = patch.line,
                               .from_step = of.channels,
                               .to = to,
                               .to_step = step,
                               .channels = of.channels};
    call->tiles->winograd_input(&p);
}

/* products[position][square][o] = the sums over the channels. */
static void multiply(const ad_cpu_call *call, size_t squares, const float *inputs, const float *kernels,
                     float *products, size_t block) {
    const size_t c = (size_t)call->op->g.c, o = (size_t)call->op->g.o, width = call->tiles->width;
    for (size_t position = 0; position < AD_CPU_POSITIONS; position++)
        for (size_t first = 0; first < o; first += width) {
            ad_cpu_product p = {.lines = 1, .steps = 1, .length = c, .columns = AD_MIN(width, o - first)};
            p.b = kernels + (position * o + first) * c;
            p.ld = p.columns;
            for (size_t at = 0; at < squares; at += p.rows) {
                p.rows = AD_MIN(squares - at, (size_t)AD_CPU_TILE_ROWS);
                for (size_t r = 0; r < AD_CPU_TILE_ROWS; r++) {
                    const size_t row = position * block + at + AD_MIN(r, p.rows - 1);
                    p.a[r] = inputs + row * c;
                    p.out[r] = products + row * o + first;
                }
                call->tiles->product(&p);
            }
        }
}

static void transform_outputs(const ad_cpu_call *call, int task, ad_cpu_square at, const float *products, size_t step) {
    enum { BIAS = 2, Y = 3, COEF = 4, RESIDUAL = 5 };
    const ad_op *op = call->op;
    const ad_geometry *g = &op->g;
    const size_t o = (size_t)g->o, line = (size_t)g->ow * o,
                 first = at.image * (size_t)g->oh * line + (size_t)at.row * line + (size_t)at.column * o;
    const float *coef = ad_cpu_at(call, COEF, task), *residual = ad_cpu_at(call, RESIDUAL, task);
    const ad_cpu_winograd p = {.from = products,
                               .from_step = step,
                               .to = (float *)ad_cpu_at(call, Y, task) + first,
                               .to_line = line,
                               .to_step = o,
                               .channels = o,
                               .rows = (size_t)AD_MIN(AD_CPU_SQUARE, g->oh - at.row),
                               .columns = (size_t)AD_MIN(AD_CPU_SQUARE, g->ow - at.column),
                               .bias = ad_cpu_at(call, BIAS, task),
                               .scale = coef,
                               .shift = coef ? coef + o : NULL,
                               .residual = residual ? residual + first : NULL,
                               .bent = ad_cpu_bends(op),
                               .slope = op->i[0] == AD_ACT_LEAKY ? op->f[0] : 0,
                               .limit = op->i[0] == AD_ACT_RELU6 ? 6 : INFINITY};
    call->tiles->winograd_output(&p);
    for (size_t r = 0; r < p.rows && op->i[0] != AD_ACT_NONE && !p.bent; r++)
        ad_cpu_activate(op->i[0], op->f[0], p.to + r * line, p.to + r * line, p.columns * o);
}

void ad_cpu_winograd_run(const ad_cpu_call *backward_or_not) {
    ad_op op;
    const ad_cpu_call of = forward_of(backward_or_not, &op), *call = &of;
    const ad_geometry *g = &call->op->g;
    const layout l = layout_of(call);
    const size_t c = (size_t)g->c, o = (size_t)g->o;
    float *kernels = call->kept ? call->kept : call->scratch, *own = call->kept ? call->scratch : kernels + l.kernels;
    for (int task = 0; task < call->tasks; task++) {
        if ((task == 0 && !call->ready) || call->stride[1]) transform_kernels(call, &l, task, kernels);
        AD_CPU_PARALLEL(call, l.squares.count * c * o)
        for (size_t block = 0; block < l.blocks; block++) {
            float *inputs = own + (size_t)omp_get_thread_num() * l.thread,
                  *products = inputs + AD_CPU_POSITIONS * l.block * c,
                  *patch = products + AD_CPU_POSITIONS * l.block * o;
            const size_t first = block * l.block,
                         count = first < l.squares.count ? AD_MIN(l.block, l.squares.count - first) : 0;
            for (size_t s = 0; s < count; s++)
                transform_inputs(call, ad_cpu_at(call, 0, task), ad_cpu_square_of(&l.squares, first + s),
                                 inputs + s * c, l.block * c, patch);
            if (count) multiply(call, count, inputs, kernels, products, l.block);
            for (size_t s = 0; s < count; s++)
                transform_outputs(call, task, ad_cpu_square_of(&l.squares, first + s), products + s * o, l.block * o);
        }
    }
}
