/* How far CONV, CONV_DX and CONV_DW may be from their values when they are computed by Winograd's F(4x4, 3x3). */
#include "verify/reference/reference.h"
#include "base/base.h"
#include "verify/reference/internal.h"

#include <string.h>

enum { SQUARE = 4, PATCH = 6, TAPS = 3 };

/* The sizes of the numbers in B^T, G and A^T. */
static const double inputs_by[PATCH][PATCH] = {{4, 0, 5, 0, 1, 0}, {0, 4, 4, 1, 1, 0}, {0, 4, 4, 1, 1, 0},
                                               {0, 2, 1, 2, 1, 0}, {0, 2, 1, 2, 1, 0}, {0, 4, 0, 5, 0, 1}};
static const double kernels_by[PATCH][TAPS] = {{1. / 4, 0, 0},
                                               {1. / 6, 1. / 6, 1. / 6},
                                               {1. / 6, 1. / 6, 1. / 6},
                                               {1. / 24, 1. / 12, 1. / 6},
                                               {1. / 24, 1. / 12, 1. / 6},
                                               {0, 0, 1}};
static const double outputs_by[SQUARE][PATCH] = {
    {1, 1, 1, 1, 1, 0}, {0, 1, 1, 2, 2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, 1, 8, 8, 1}};

/* by d by^T of a square of `from` numbers a side, each `step` apart in d: `to` numbers a side. */
static void both_ways(const double *by, int to, int from, const double *d, double *out) {
    double half[PATCH * PATCH] = {0};
    for (int i = 0; i < to; i++)
        for (int j = 0; j < from; j++)
            for (int e = 0; e < from; e++) half[i * from + j] += by[i * from + e] * d[e * from + j];
    for (int i = 0; i < to; i++)
        for (int j = 0; j < to; j++) {
            out[i * to + j] = 0;
            for (int e = 0; e < from; e++) out[i * to + j] += half[i * from + e] * by[j * from + e];
        }
}

/* Magnitudes of the 6 x 6 inputs of channel c from row `top`, column `left` on, transformed. */
static void input_sizes(const task_op *r, int n, int top, int left, int c, double *out) {
    const ad_geometry *g = &r->g;
    double d[PATCH * PATCH];
    for (int i = 0; i < PATCH; i++)
        for (int j = 0; j < PATCH; j++) {
            const bool inside = top + i >= 0 && top + i < g->h && left + j >= 0 && left + j < g->w;
            d[i * PATCH + j] = inside ? fabs(r->v[0][at4(n, top + i, left + j, c, g->h, g->w, g->c)]) : 0;
        }
    both_ways(&inputs_by[0][0], PATCH, PATCH, d, out);
}

/* The same of the 4 x 4 dy of output o; by: A. */
static void result_sizes(const task_op *r, const double *by, int n, int top, int left, int o, double *out) {
    const ad_geometry *g = &r->g;
    double d[SQUARE * SQUARE];
    for (int i = 0; i < SQUARE; i++)
        for (int j = 0; j < SQUARE; j++) {
            const bool inside = top + i < g->oh && left + j < g->ow;
            d[i * SQUARE + j] = inside ? fabs(r->v[1][at4(n, top + i, left + j, o, g->oh, g->ow, g->o)]) : 0;
        }
    both_ways(by, PATCH, SQUARE, d, out);
}

static void square(const task_op *r, const double *kernels, int n, int top, int left, double *inputs, double *bound) {
    const ad_geometry *g = &r->g;
    const size_t positions = PATCH * PATCH;
    for (int c = 0; c < g->c; c++) input_sizes(r, n, top - g->pad, left - g->pad, c, inputs + (size_t)c * positions);
    for (int o = 0; o < g->o; o++) {
        double sums[PATCH * PATCH] = {0}, out[SQUARE * SQUARE];
        for (int c = 0; c < g->c; c++)
            for (size_t e = 0; e < positions; e++)
                sums[e] +=
                    kernels[((size_t)c * (size_t)g->o + (size_t)o) * positions + e] * inputs[(size_t)c * positions + e];
        both_ways(&outputs_by[0][0], SQUARE, PATCH, sums, out);
        for (int i = 0; i < SQUARE && top + i < g->oh; i++)
            for (int j = 0; j < SQUARE && left + j < g->ow; j++)
                bound[at4(n, top + i, left + j, o, g->oh, g->ow, g->o)] =
                    (32 + 2 * sqrt(g->c)) * EPS * out[i * SQUARE + j];
    }
}

/* With U = |G| |g| |G^T| and V = |B^T| |d| |B| the sizes that the transformed kernels and inputs can have, each number
 * of them is wrong by at most the roundings on its way: a direction has three products with rounded numbers and their
 * sums, at most 5 for U, and at most 4 for V. The sums over the channels are those of internal.h, 4 + 2 sqrt(c). A
 * direction of A^T (..) A adds at most 5 roundings, products with powers of two being exact. In all, that many parts in
 * 2^24 of |A^T| (sum over c of U V) |A|. */
static bool forward_bounds(const ad_op *op, const ad_reference_role *roles, double *bound) {
    const ad_geometry *g = &op->g;
    const size_t positions = PATCH * PATCH, c = (size_t)g->c, o = (size_t)g->o;
    double *kernels = ad_malloc(NULL, c * o * positions, sizeof *kernels),
           *inputs = ad_malloc(NULL, c * positions, sizeof *inputs);
    for (int task = 0; kernels && inputs && task < op->tasks; task++) {
        task_op r = {.op = op, .g = *g, .task = task};
        r.v[0] = roles[0].value + (size_t)task * roles[0].stride;
        r.v[1] = roles[1].value + (size_t)task * roles[1].stride;
        for (size_t e = 0; e < c * o; e++) {
            double taps[TAPS * TAPS];
            for (size_t tap = 0; tap < TAPS * TAPS; tap++) taps[tap] = fabs(r.v[1][tap * c * o + e]);
            both_ways(&kernels_by[0][0], PATCH, TAPS, taps, kernels + e * positions);
        }
        for (int n = 0; n < g->n; n++)
            for (int top = 0; top < g->oh; top += SQUARE)
                for (int left = 0; left < g->ow; left += SQUARE)
                    square(&r, kernels, n, top, left, inputs, bound + (size_t)task * roles[3].stride);
    }
    const bool made = kernels && inputs;
    ad_free(kernels);
    ad_free(inputs);
    return made;
}

/* CONV_DX is the CONV of dy with the kernels turned by half and their channels exchanged. */
static bool backward_bounds(const ad_op *op, const ad_reference_role *roles, double *bound) {
    ad_op of = *op;
    const ad_geometry *g = &op->g;
    const size_t c = (size_t)g->c, o = (size_t)g->o, taps = TAPS * TAPS;
    of.kind = AD_OP_CONV;
    of.g.h = g->oh;
    of.g.w = g->ow;
    of.g.c = g->o;
    of.g.oh = g->h;
    of.g.ow = g->w;
    of.g.o = g->c;
    of.g.pad = TAPS - 1 - g->pad;
    const ad_reference_role *w = &roles[1];
    const int tasks = w->stride ? op->tasks : 1;
    double *turned = ad_malloc(NULL, (size_t)tasks * taps * c * o, sizeof *turned);
    if (!turned) return false;
    for (int task = 0; task < tasks; task++)
        for (size_t tap = 0; tap < taps; tap++)
            for (size_t row = 0; row < o; row++)
                for (size_t column = 0; column < c; column++)
                    turned[(((size_t)task * taps + tap) * o + row) * c + column] =
                        w->value[(size_t)task * w->stride + ((taps - 1 - tap) * c + column) * o + row];
    ad_reference_role forward[AD_OP_TENSORS] = {roles[0], {.value = turned, .stride = w->stride ? taps * c * o : 0}};
    forward[3] = roles[2];
    const bool made = forward_bounds(&of, forward, bound);
    ad_free(turned);
    return made;
}

/* CONV_DW: each square's inputs as above, U = |A| |dy| |A^T|, whose numbers have at most 3 roundings of a direction,
 * and the sums of U V over the squares, of which G^T (..) G makes the result with at most 5 a direction: 28 + 2
 * sqrt(squares) in all. */
static bool gradient_bounds(const ad_op *op, const ad_reference_role *roles, double *bound) {
    const ad_geometry *g = &op->g;
    const size_t positions = PATCH * PATCH, c = (size_t)g->c, o = (size_t)g->o;
    const double squares = (double)g->n * ceil((double)g->oh / SQUARE) *
                           ceil((double)g->ow / SQUARE), /* of which one makes a sum */
        parts = (28 + 2 * sqrt(squares)) * EPS;
    double *sums = ad_malloc(NULL, c * o * positions, sizeof *sums),
           *inputs = ad_malloc(NULL, c * positions, sizeof *inputs),
           *results = ad_malloc(NULL, o * positions, sizeof *results), turned[PATCH * SQUARE], kernels[TAPS * PATCH];
    for (int i = 0; i < PATCH; i++) {
        for (int j = 0; j < SQUARE; j++) turned[i * SQUARE + j] = outputs_by[j][i];
        for (int j = 0; j < TAPS; j++) kernels[j * PATCH + i] = kernels_by[i][j];
    }
    const bool made = sums && inputs && results;
    for (int task = 0; made && task < op->tasks; task++) {
        task_op r = {.op = op, .g = *g, .task = task};
        r.v[0] = roles[0].value + (size_t)task * roles[0].stride;
        r.v[1] = roles[1].value + (size_t)task * roles[1].stride;
        memset(sums, 0, c * o * positions * sizeof *sums);
        for (int n = 0; n < g->n; n++)
            for (int top = 0; top < g->oh; top += SQUARE)
                for (int left = 0; left < g->ow; left += SQUARE) {
                    for (int e = 0; e < g->c; e++)
                        input_sizes(&r, n, top - g->pad, left - g->pad, e, inputs + (size_t)e * positions);
                    for (int e = 0; e < g->o; e++)
                        result_sizes(&r, turned, n, top, left, e, results + (size_t)e * positions);
                    for (size_t row = 0; row < c; row++)
                        for (size_t column = 0; column < o; column++)
                            for (size_t e = 0; e < positions; e++)
                                sums[(row * o + column) * positions + e] +=
                                    inputs[row * positions + e] * results[column * positions + e];
                }
        for (size_t e = 0; e < c * o; e++) {
            double out[TAPS * TAPS];
            both_ways(kernels, TAPS, PATCH, sums + e * positions, out);
            for (size_t tap = 0; tap < TAPS * TAPS; tap++)
                bound[(size_t)task * roles[2].stride + tap * c * o + e] = parts * out[tap];
        }
    }
    ad_free(sums);
    ad_free(inputs);
    ad_free(results);
    return made;
}

bool ad_reference_winograd(const ad_op *op, const ad_reference_role *roles, double *bound) {
    return op->kind == AD_OP_CONV_DW   ? gradient_bounds(op, roles, bound)
           : op->kind == AD_OP_CONV_DX ? backward_bounds(op, roles, bound)
                                       : forward_bounds(op, roles, bound);
}
