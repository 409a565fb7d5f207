/* CONV_DW by the transposed form of Winograd's F(4x4, 3x3): the 6 x 6 inputs of each square of 4 x 4 outputs and their
 * dy are transformed, for each of 36 positions a matrix product sums over the squares, and the sums become 3 x 3
 * numbers at the end: 36 products in the place of 144. Squares come in blocks whose numbers stay in a cache; each
 * number of the sums is added to by one thread, in the order of the squares. */
#include "cpu/winograd.h"

#include <omp.h>
#include <string.h>

/* The least and most squares of a block, between which their numbers take about so many bytes; the most rows of an
 * item's part of the sums. */
enum { LEAST_SQUARES = 64, MOST_SQUARES = 128, BLOCK_BYTES = 8 << 20, PART_ROWS = 96 };

typedef struct layout {
    ad_cpu_squares squares;
    size_t block;       /* squares of a block */
    size_t parts, rows; /* of the inputs' channels, for each position; channels of a part */
    size_t sums, inputs,
        results; /* floats: sums [position][c][o], inputs [position][block][c], results [position][panel][block][o's] */
    size_t thread; /* floats of a thread: of a patch */
} layout;

static layout layout_of(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, o = (size_t)g->o, square = AD_CPU_POSITIONS * (c + o) * sizeof(float);
    layout l = {.squares = ad_cpu_squares_of(g), .parts = (c + PART_ROWS - 1) / PART_ROWS};
    l.block = AD_MIN(AD_MAX(BLOCK_BYTES / square, (size_t)LEAST_SQUARES), (size_t)MOST_SQUARES);
    l.block = AD_MIN(l.block, l.squares.count);
    l.rows = ad_cpu_round_up((c + l.parts - 1) / l.parts, AD_CPU_TILE_ROWS);
    l.sums = AD_CPU_POSITIONS * c * o;
    l.inputs = AD_CPU_POSITIONS * l.block * c;
    l.results = AD_CPU_POSITIONS * l.block * o;
    l.thread = AD_CPU_POSITIONS * AD_MAX(c, o);
    return l;
}

size_t ad_cpu_dw_winograd_scratch(const ad_cpu_call *call) {
    const layout l = layout_of(call);
    return l.sums + l.inputs + l.results + (size_t)call->threads * l.thread;
}

/* What a square has in a transformed array: for each position and each panel of `width` channels, one after the other
 * for the block's squares, so that what is read together lies together. to: the place of the first. */
static void transform(const ad_cpu_image *image, int top, int left, int side, size_t block, size_t width, size_t square,
                      float *to, float *room, void (*by)(const ad_cpu_winograd *)) {
    const ad_cpu_patch patch = ad_cpu_patch_of(image, top, left, side, room);
    ad_cpu_winograd p = {.from_line = patch.line, .from_step = image->channels, .to_step = block * image->channels};
    for (size_t first = 0; first < image->channels; first += width) {
        p.channels = AD_MIN(width, image->channels - first);
        p.from = patch.from + first;
        p.to = to + block * first + square * p.channels;
        by(&p);
    }
}

/* Squares [first, first + count) of a task. */
static void transform_block(const ad_cpu_call *call, const layout *l, int task, size_t first, size_t count) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, o = (size_t)g->o;
    float *inputs = call->scratch + l->sums, *results = inputs + l->inputs, *rooms = results + l->results;
    AD_CPU_PARALLEL(call, count * AD_CPU_POSITIONS * (c + o))
    for (size_t s = 0; s < count; s++) {
        const ad_cpu_square at = ad_cpu_square_of(&l->squares, first + s);
        float *room = rooms + (size_t)omp_get_thread_num() * l->thread;
        const ad_cpu_image x = {(const float *)ad_cpu_at(call, 0, task) + at.image * (size_t)g->h * (size_t)g->w * c,
                                g->h, g->w, c};
        const ad_cpu_image dy = {(const float *)ad_cpu_at(call, 1, task) + at.image * (size_t)g->oh * (size_t)g->ow * o,
                                 g->oh, g->ow, o};
        transform(&x, at.row - g->pad, at.column - g->pad, AD_CPU_PATCH, l->block, c, s, inputs, room,
                  call->tiles->winograd_input);
        transform(&dy, at.row, at.column, AD_CPU_SQUARE, l->block, call->tiles->width, s, results, room,
                  call->tiles->winograd_result);
    }
}

/* sums[position][c][o] += over the block's squares, inputs[position][square][c] * results[position][square of o]. */
static void multiply_block(const ad_cpu_call *call, const layout *l, size_t count) {
    const ad_geometry *g = &call->op->g;
    const size_t c = (size_t)g->c, o = (size_t)g->o, width = call->tiles->width;
    const float *inputs = call->scratch + l->sums, *results = inputs + l->inputs;
    AD_CPU_PARALLEL(call, count * AD_CPU_POSITIONS * c * o)
    for (size_t item = 0; item < AD_CPU_POSITIONS * l->parts; item++) {
        const size_t position = item / l->parts, row = item % l->parts * l->rows;
        if (row >= c) continue;
        ad_cpu_outer p = {.a = inputs + position * l->block * c + row,
                          .a_step = c,
                          .lines = 1,
                          .count = count,
                          .rows = AD_MIN(l->rows, c - row),
                          .ld = o};
        for (size_t first = 0; first < o; first += width) {
            p.b = results + (position * o + first) * l->block;
            p.b_step = p.columns = AD_MIN(width, o - first);
            p.out = call->scratch + (position * c + row) * o + first;
            call->tiles->outer(&p);
        }
    }
}

void ad_cpu_dw_winograd_run(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const layout l = layout_of(call);
    const size_t c = (size_t)g->c, o = (size_t)g->o;
    for (int task = 0; task < call->tasks; task++) {
        memset(call->scratch, 0, l.sums * sizeof(float));
        for (size_t first = 0; first < l.squares.count; first += l.block) {
            const size_t count = AD_MIN(l.block, l.squares.count - first);
            transform_block(call, &l, task, first, count);
            multiply_block(call, &l, count);
        }
        AD_CPU_PARALLEL(call, l.sums)
        for (size_t row = 0; row < c; row++) {
            const ad_cpu_winograd p = {.from = call->scratch + row * o,
                                       .from_step = c * o,
                                       .to = (float *)ad_cpu_at(call, 2, task) + row * o,
                                       .to_line = 3 * c * o,
                                       .to_step = c * o,
                                       .channels = o,
                                       .accumulate = ad_cpu_accumulates(call)};
            call->tiles->winograd_gradient(&p);
        }
    }
}
