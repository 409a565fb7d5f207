/* Kernels and the sizes of their channels. */
#include "verify/reference/internal.h"

/* The channel that element e of a kernel [k*k][c][o] belongs to, and their number. */
static size_t channel_of(const task_op *r, size_t e) {
    const size_t c = (size_t)r->g.c, o = (size_t)r->g.o;
    return r->op->i[0] ? e / o % c : e % o;
}
static size_t channels_of(const task_op *r) { return (size_t)(r->op->i[0] ? r->g.c : r->g.o); }
static size_t elements_of(const task_op *r) { return (size_t)(r->g.k * r->g.k) * (size_t)r->g.c * (size_t)r->g.o; }

/* The sum over channel x of a*b. */
static sum channel_sum(const task_op *r, size_t x, const double *a, const double *b) {
    sum s = {0};
    for (size_t e = 0; e < elements_of(r); e++)
        if (channel_of(r, e) == x) add(&s, a[e] * b[e]);
    return s;
}

/* The relative error of a norm: half of that of the sum of squares, and the square root's; 1e-12 is rounded too. */
void ad_reference_WEIGHT_NORM(const task_op *r) {
    for (size_t x = 0; x < channels_of(r); x++) {
        const sum squares = channel_sum(r, x, r->v[0], r->v[0]);
        const double norm = fmax(sqrt(squares.value), 1e-12);
        put(r, 1, x, norm, norm * ((4 + 2 * sqrt(squares.terms)) / 2 * EPS + SQRT + EPS));
    }
}

void ad_reference_WEIGHT_SCALE(const task_op *r) {
    for (size_t e = 0; e < elements_of(r); e++) {
        const size_t x = channel_of(r, e);
        const double value = r->v[0][e] * r->v[1][x] / r->v[2][x];
        put(r, 3, e, value, (DIVISION + 2 * EPS) * fabs(value));
    }
}

void ad_reference_WEIGHT_SCALE_BACK(const task_op *r) {
    const double *w = r->v[0], *gain = r->v[1], *norms = r->v[2], *dy = r->v[3];
    for (size_t x = 0; x < channels_of(r); x++) {
        const sum s = channel_sum(r, x, dy, w);
        put(r, 5, x, s.value / norms[x], (sum_bound(s) + DIVISION * fabs(s.value)) / fabs(norms[x]));
    }
    for (size_t e = 0; e < elements_of(r); e++) {
        const size_t x = channel_of(r, e);
        const double value = dy[e] * gain[x] / norms[x];
        put(r, 4, e, value, (DIVISION + 2 * EPS) * fabs(value));
    }
}
