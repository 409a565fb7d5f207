/* Multinomial logistic regression with the penalty |W|^2 / (2C) and a free intercept, to convergence: Newton's method,
 * each step by conjugate gradients. The rows of W are sums of support pictures, W = A X, so that A [supports][way] and
 * the intercepts stand for W everywhere; inner products of two such are those of W. */
#include "fewshot/heads/solver_parts.h"

#include <math.h>
#include <string.h>

enum { NEWTON_STEPS = 50, HALVINGS = 40 };
static const double TOLERANCE = 1e-9; /* of the gradient's length */

typedef struct problem {
    const ad_gram *g;
    double inverse_penalty;
} problem;

/* Of a vector of unknowns: a [n][way], then intercepts [way]. */
static size_t unknowns(const ad_gram *g) { return ((size_t)g->supports + 1) * (size_t)g->way; }

size_t ad_logistic_scratch(int supports, int way) {
    const size_t n = (size_t)supports * (size_t)way, v = n + (size_t)way;
    return 7 * v + 4 * n;
}

/* out [n][way] = K a: the scores of the supports without intercepts. */
static void multiply(const ad_gram *g, const double *a, double *out) {
    const size_t n = (size_t)g->supports, way = (size_t)g->way;
    memset(out, 0, n * way * sizeof *out);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < way; k++) out[i * way + k] += g->inner[i * n + j] * a[j * way + k];
}

/* The inner product of two vectors of unknowns, u of which K a is `inner`. */
static double product(const ad_gram *g, const double *inner, const double *u, const double *v) {
    const size_t n = (size_t)g->supports * (size_t)g->way, all = n + (size_t)g->way;
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += inner[i] * v[i];
    for (size_t i = n; i < all; i++) sum += u[i] * v[i];
    return sum;
}

/* The objective at x, whose K a is `inner`; p [n][way]: the probabilities there. */
static double objective(const problem *q, const double *x, const double *inner, double *p) {
    const ad_gram *g = q->g;
    const size_t n = (size_t)g->supports, way = (size_t)g->way;
    const double *intercepts = x + n * way;
    double loss = 0, square = 0;
    for (size_t i = 0; i < n; i++) {
        double *row = p + i * way;
        for (size_t k = 0; k < way; k++) row[k] = inner[i * way + k] + intercepts[k];
        ad_log_softmax(row, g->way);
        loss -= row[g->labels[i]];
        for (size_t k = 0; k < way; k++) {
            row[k] = exp(row[k]);
            square += x[i * way + k] * inner[i * way + k];
        }
    }
    return loss + square / (2 * q->inverse_penalty);
}

/* out = the gradient at x, whose probabilities are p. */
static void gradient(const problem *q, const double *x, const double *p, double *out) {
    const ad_gram *g = q->g;
    const size_t n = (size_t)g->supports, way = (size_t)g->way;
    memset(out + n * way, 0, way * sizeof *out);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < way; k++) {
            const double d = p[i * way + k] - (g->labels[i] == (int32_t)k);
            out[i * way + k] = d + x[i * way + k] / q->inverse_penalty;
            out[n * way + k] += d;
        }
}

/* out = the second derivative along v, whose K a is `inner`. */
static void curvature(const problem *q, const double *p, const double *v, const double *inner, double *out) {
    const ad_gram *g = q->g;
    const size_t n = (size_t)g->supports, way = (size_t)g->way;
    const double *intercepts = v + n * way;
    memset(out + n * way, 0, way * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        const double *row = p + i * way;
        double mean = 0;
        for (size_t k = 0; k < way; k++) mean += row[k] * (inner[i * way + k] + intercepts[k]);
        for (size_t k = 0; k < way; k++) {
            const double d = row[k] * (inner[i * way + k] + intercepts[k] - mean);
            out[i * way + k] = d + v[i * way + k] / q->inverse_penalty;
            out[n * way + k] += d;
        }
    }
}

/* step = minus the inverse of the curvature times r, the gradient. Room for three vectors and K of two. */
static void newton_step(const problem *q, const double *p, double *r, double *step, double *room) {
    const ad_gram *g = q->g;
    const size_t all = unknowns(g), n = (size_t)g->supports * (size_t)g->way;
    double *v = room, *c = v + all, *of_r = c + all, *of_v = of_r + n;
    memset(step, 0, all * sizeof *step);
    for (size_t i = 0; i < all; i++) v[i] = -r[i];
    multiply(g, r, of_r);
    double square = product(g, of_r, r, r);
    const double enough = square * 1e-6;
    for (size_t turn = 0; turn < 2 * all && square > enough; turn++) {
        multiply(g, v, of_v);
        curvature(q, p, v, of_v, c);
        const double along = product(g, of_v, v, c);
        if (!(along > 0)) break;
        const double by = square / along, before = square;
        for (size_t i = 0; i < all; i++) {
            step[i] += by * v[i];
            r[i] += by * c[i];
        }
        multiply(g, r, of_r);
        square = product(g, of_r, r, r);
        for (size_t i = 0; i < all; i++) v[i] = square / before * v[i] - r[i];
    }
}

void ad_logistic(const ad_solver_settings *settings, const ad_gram *g, double *scratch, double *log_probabilities) {
    const size_t all = unknowns(g), way = (size_t)g->way, supports = (size_t)g->supports, n = supports * way;
    const problem q = {.g = g, .inverse_penalty = settings->inverse_penalty};
    double *x = scratch, *next = x + all, *slope = next + all, *step = slope + all, *room = step + all,
           *inner = room + 2 * all + 2 * n, *p = inner + n;
    memset(x, 0, all * sizeof *x);
    memset(inner, 0, n * sizeof *inner);
    double value = objective(&q, x, inner, p);
    for (int turn = 0; turn < NEWTON_STEPS; turn++) {
        gradient(&q, x, p, slope);
        multiply(g, slope, inner);
        const double length = sqrt(product(g, inner, slope, slope));
        if (!(length > TOLERANCE)) break;
        newton_step(&q, p, slope, step, room); /* slope is used up */
        double by = 1, changed = value;
        for (int half = 0; half < HALVINGS; half++, by /= 2) {
            for (size_t i = 0; i < all; i++) next[i] = x[i] + by * step[i];
            multiply(g, next, inner);
            changed = objective(&q, next, inner, p);
            if (changed <= value) break;
        }
        if (!(changed <= value)) break;
        memcpy(x, next, all * sizeof *x);
        value = changed;
    }
    for (int query = 0; query < g->queries; query++) {
        const double *with = g->inner + (supports + (size_t)query) * supports;
        double *scores = log_probabilities + (size_t)query * way;
        memcpy(scores, x + n, way * sizeof *scores);
        for (size_t i = 0; i < supports; i++)
            for (size_t k = 0; k < way; k++) scores[k] += with[i] * x[i * way + k];
        ad_log_softmax(scores, g->way);
    }
}
