/* Layer norm over the channels of each position. */
#include "verify/reference/internal.h"

static size_t positions(const task_op *r) { return (size_t)r->g.n * (size_t)r->g.h * (size_t)r->g.w; }

/* The mean and the variance are off as in BN_STATS. r is off by its own rounding, that of the sum with f[0], and by
 * what the variance's error makes of it, at most where the variance is too small. */
void ad_reference_LAYER_NORM(const task_op *r) {
    const size_t channels = (size_t)r->g.c;
    const double *gamma = r->v[1], *beta = r->v[2], count = (double)channels, epsilon = r->op->f[0];
    for (size_t p = 0; p < positions(r); p++) {
        const double *x = r->v[0] + p * channels;
        sum s = {0}, squares = {0};
        for (size_t c = 0; c < channels; c++) add(&s, x[c]);
        const double mean = s.value / count, error = (sum_bound(s) + DIVISION * fabs(s.value)) / count;
        double carried = 0;
        for (size_t c = 0; c < channels; c++) {
            const double d = x[c] - mean;
            add(&squares, d * d);
            carried += 2 * fabs(d) * error + error * error;
        }
        const double variance = squares.value / count;
        const double off = (sum_bound(squares) + DIVISION * squares.value + carried) / count;
        const double inverse = 1 / sqrt(variance + epsilon), lowest = fmax(variance - off, 0) + epsilon;
        const double inverse_off = 1 / sqrt(lowest) - inverse + (RSQRT + 2 * EPS) * inverse;
        put(r, 4, 2 * p, mean, error);
        put(r, 4, 2 * p + 1, inverse, inverse_off);
        for (size_t c = 0; c < channels; c++) {
            const double d = x[c] - mean, product = gamma[c] * d * inverse;
            put(r, 3, p * channels + c, product + beta[c],
                fabs(gamma[c]) * ((error + 2 * EPS * fabs(d)) * (inverse + inverse_off) + fabs(d) * inverse_off) +
                    EPS * (4 * fabs(product) + 2 * fabs(beta[c])));
        }
    }
}

void ad_reference_LAYER_NORM_BACK(const task_op *r) {
    const size_t channels = (size_t)r->g.c;
    const double *gamma = r->v[1], *stats = r->v[2], count = (double)channels;
    for (size_t p = 0; p < positions(r); p++) {
        const double *x = r->v[0] + p * channels, *dy = r->v[3] + p * channels;
        const double mean = stats[2 * p], inverse = stats[2 * p + 1];
        sum first = {0}, second = {0};
        for (size_t c = 0; c < channels; c++) {
            add(&first, gamma[c] * dy[c]);
            add(&second, gamma[c] * dy[c] * (x[c] - mean) * inverse);
        }
        const double a = first.value / count, b = second.value / count;
        const double a_off = (sum_bound(first) + DIVISION * fabs(first.value)) / count,
                     b_off = (sum_bound(second) + DIVISION * fabs(second.value)) / count;
        for (size_t c = 0; c < channels; c++) {
            const double u = (x[c] - mean) * inverse;
            sum dx = {0};
            add(&dx, inverse * gamma[c] * dy[c]);
            add(&dx, -inverse * a);
            add(&dx, -inverse * u * b);
            const double carried = fabs(inverse) * (a_off + fabs(u) * b_off);
            if (r->op->flags & AD_ACCUMULATE) add(&dx, r->v[4][p * channels + c]);
            put(r, 4, p * channels + c, dx.value, sum_bound(dx) + carried);
        }
    }
}

void ad_reference_LAYER_NORM_SUMS(const task_op *r) {
    const size_t channels = (size_t)r->g.c;
    const double *x = r->v[0], *stats = r->v[1], *dy = r->v[2];
    for (size_t c = 0; c < channels; c++) {
        sum first = {0}, second = {0};
        for (size_t p = 0; p < positions(r); p++) {
            const size_t e = p * channels + c;
            add(&first, dy[e]);
            add(&second, dy[e] * (x[e] - stats[2 * p]) * stats[2 * p + 1]);
        }
        put(r, 3, c, first.value, sum_bound(first));
        put(r, 3, channels + c, second.value, sum_bound(second));
    }
}
