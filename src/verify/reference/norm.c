/* Batch norm, activation, residual. */
#include "verify/reference/activation.h"

static size_t pixels(const ad_geometry *g) { return (size_t)g->n * (size_t)g->h * (size_t)g->w; }

/* The mean is a sum of n terms divided by n. A deviation x - mean carries its own rounding and the mean's error E, so
 * the sum of squares has the error of a sum plus sum 2|d|E + E^2. */
void ad_reference_BN_STATS(const task_op *r) {
    const size_t channels = (size_t)r->g.c, count = pixels(&r->g);
    for (size_t c = 0; c < channels; c++) {
        sum s = {0}, squares = {0};
        for (size_t e = 0; e < count; e++) add(&s, r->v[0][e * channels + c]);
        const double mean = s.value / (double)count, error = (sum_bound(s) + DIVISION * fabs(s.value)) / (double)count;
        double carried = 0;
        for (size_t e = 0; e < count; e++) {
            const double d = r->v[0][e * channels + c] - mean;
            add(&squares, d * d);
            carried += 2 * fabs(d) * error + error * error;
        }
        put(r, 1, c, mean, error);
        put(r, 1, channels + c, squares.value / (double)count,
            (sum_bound(squares) + DIVISION * squares.value + carried) / (double)count);
    }
}

/* scale: one addition, 1/sqrt, one product. shift: that again times mean, and two more roundings. */
void ad_reference_BN_FOLD(const task_op *r) {
    const size_t channels = (size_t)r->g.c;
    const double *stats = r->v[0], *gamma = r->v[1], *beta = r->v[2];
    for (size_t c = 0; c < channels; c++) {
        const double scale = gamma[c] / sqrt(stats[channels + c] + r->op->f[0]), product = stats[c] * scale;
        put(r, 3, c, scale, (RSQRT + 3 * EPS) * fabs(scale));
        put(r, 3, channels + c, beta[c] - product, (RSQRT + 6 * EPS) * fabs(product) + 2 * EPS * fabs(beta[c]));
    }
}

void ad_reference_BN_RUNNING(const task_op *r) {
    const size_t channels = (size_t)r->g.c;
    const double rate = r->op->f[0];
    for (size_t e = 0; e < 2 * channels; e++) {
        sum s = {0};
        add(&s, (1 - rate) * r->v[1][e]);
        add(&s, rate * r->v[0][e] * (e < channels ? 1 : r->op->f[1]));
        put(r, 1, e, s.value, sum_bound(s));
    }
}

/* scale[c] x + shift[c] + residual at element e; coef and residual may be NULL. */
static sum affine_at(const task_op *r, const double *x, const double *coef, const double *residual, size_t e) {
    const size_t channels = (size_t)r->g.c, c = e % channels;
    sum s = {0};
    add(&s, coef ? coef[c] * x[e] : x[e]);
    if (coef) add(&s, coef[channels + c]);
    if (residual) add(&s, residual[e]);
    return s;
}

void ad_reference_AFFINE(const task_op *r) {
    const size_t count = pixels(&r->g) * (size_t)r->g.c;
    for (size_t e = 0; e < count; e++) {
        const sum s = affine_at(r, r->v[0], r->v[1], r->v[2], e);
        put(r, 3, e, activate(r->op, s.value), activation_bound(r->op, s.value, sum_bound(s)));
    }
}

/* d = dy act' at element e, and what it may be off by. */
static double activated_back(const task_op *r, const double *x, const double *coef, const double *y, const double *dy,
                             size_t e, double *error) {
    *error = 0;
    if (ad_act_by_output(r->op->i[0])) return dy[e] * activate_slope(r->op, y[e]);
    const sum v = affine_at(r, x, coef, NULL, e);
    *error = fabs(dy[e]) * activation_slope_bound(r->op, v.value, coef ? sum_bound(v) : 0);
    return dy[e] * activate_slope(r->op, v.value);
}

void ad_reference_AFFINE_SUMS(const task_op *r) {
    const size_t channels = (size_t)r->g.c, count = pixels(&r->g);
    const double *x = r->v[0], *stats = r->v[3];
    for (size_t c = 0; c < channels; c++) {
        sum first = {0}, second = {0};
        double carried = 0, carried_x = 0;
        for (size_t e = c; e < count * channels; e += channels) {
            double error = 0;
            const double d = activated_back(r, x, r->v[5], r->v[1], r->v[2], e, &error);
            add(&first, d);
            add(&second, d * (x[e] - stats[c]));
            carried += error;
            carried_x += error * fabs(x[e] - stats[c]);
        }
        put(r, 4, c, first.value, sum_bound(first) + carried);
        put(r, 4, channels + c, second.value, sum_bound(second) + carried_x);
    }
}

/* Every result is a product of a few factors and one (A, dgamma) or three (B) factors 1/sqrt(var + eps). */
void ad_reference_BN_BACK(const task_op *r) {
    const size_t channels = (size_t)r->g.c;
    const double *sums = r->v[0], *stats = r->v[1], *gamma = r->v[2], count = (double)pixels(&r->g);
    const double one = RSQRT + 4 * EPS, three = 3 * RSQRT + 2 * DIVISION + 8 * EPS;
    for (size_t c = 0; c < channels; c++) {
        const double inverse = 1 / sqrt(stats[channels + c] + r->op->f[0]);
        const double a = gamma[c] * inverse;
        const double b = r->op->i[0] ? -gamma[c] * inverse * inverse * inverse * sums[channels + c] / count : 0;
        const double from_sum = r->op->i[0] ? a * sums[c] / count : 0, from_mean = b * stats[c];
        put(r, 3, c, inverse * sums[channels + c], one * fabs(inverse * sums[channels + c]));
        put(r, 4, c, sums[c], 0);
        put(r, 5, c, a, one * fabs(a));
        put(r, 5, channels + c, b, three * fabs(b));
        put(r, 5, 2 * channels + c, -from_sum - from_mean,
            (one + DIVISION + 3 * EPS) * fabs(from_sum) + (three + 3 * EPS) * fabs(from_mean));
    }
}

void ad_reference_AFFINE_BACK(const task_op *r) {
    const size_t channels = (size_t)r->g.c, count = pixels(&r->g) * channels;
    const double *back = r->v[2], *x = r->v[3];
    for (size_t e = 0; e < count; e++) {
        const size_t c = e % channels;
        double error = 0;
        const double d = activated_back(r, x, r->v[6], r->v[0], r->v[1], e, &error);
        sum dx = {0}, dresidual = {0};
        add(&dx, back ? back[c] * d : d);
        if (x && !r->op->i[1]) {
            add(&dx, (back ? back[channels + c] : 0) * x[e]);
            add(&dx, back ? back[2 * channels + c] : 0);
        }
        add(&dresidual, d);
        put(r, 4, e, dx.value, sum_bound(dx) + fabs(back ? back[c] : 1) * error);
        put_sum(r, 5, e, dresidual);
    }
}
