/* Heads that compare directions: nearest neighbours, nearest class means, and rectified prototypes. */
#include "fewshot/heads/solver_parts.h"
#include "transfer/linear_algebra.h"

#include <math.h>
#include <string.h>

/* ---- nearest neighbours: votes exp(cosine / TEMPERATURE) of the most similar supports ---- */

static const double TEMPERATURE = 0.07;

size_t ad_neighbours_scratch(int supports) { return (size_t)supports; }

void ad_neighbours(const ad_solver_settings *s, const ad_gram *g, double *scratch, double *log_probabilities) {
    const size_t n = (size_t)g->supports, way = (size_t)g->way, votes = AD_MIN((size_t)s->neighbours, n);
    for (size_t q = 0; q < (size_t)g->queries; q++) {
        const double *cosines = g->inner + (n + q) * n;
        double *out = log_probabilities + q * way, *left = scratch, most = -INFINITY, sum = 0;
        memcpy(left, cosines, n * sizeof *left);
        memset(out, 0, way * sizeof *out);
        for (size_t vote = 0; vote < votes; vote++) {
            size_t best = n; /* of equal ones the first */
            for (size_t i = 0; i < n; i++)
                if (left[i] > -INFINITY && (best == n || left[i] > left[best])) best = i;
            if (best == n) break;
            if (vote == 0) most = left[best];
            const double weight = exp((left[best] - most) / TEMPERATURE);
            out[g->labels[best]] += weight;
            sum += weight;
            left[best] = -INFINITY;
        }
        for (size_t k = 0; k < way; k++) out[k] = sum > 0 ? log(out[k] / sum) : NAN;
    }
}

/* ---- nearest class means [Wang et al., SimpleShot, arXiv 1911.04623] ---- */

size_t ad_centred_scratch(int way) { return 2 * (size_t)way; }

/* |x - mean|^2 less |x|^2, by inner products. */
void ad_centred(const ad_gram *g, double *scratch, double *log_probabilities) {
    const size_t n = (size_t)g->supports, way = (size_t)g->way;
    double *members = scratch, *squares = members + way;
    memset(scratch, 0, 2 * way * sizeof *scratch);
    for (size_t i = 0; i < n; i++) members[g->labels[i]]++;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (g->labels[i] == g->labels[j]) squares[g->labels[i]] += g->inner[i * n + j];
    for (size_t k = 0; k < way; k++) squares[k] /= members[k] * members[k];
    for (size_t q = 0; q < (size_t)g->queries; q++) {
        const double *with = g->inner + (n + q) * n;
        double *out = log_probabilities + q * way;
        for (size_t k = 0; k < way; k++) out[k] = -squares[k];
        for (size_t i = 0; i < n; i++) out[g->labels[i]] += 2 * with[i] / members[g->labels[i]];
        ad_log_softmax(out, g->way);
    }
}

/* ---- rectified prototypes [Liu et al., Prototype Rectification for Few-shot Learning, ECCV 2020] ---- */

/* Queries that join a class at most, and the weight of a picture's cosine to its prototype. */
enum { MOST_JOINED = 8 };
static const double SHARPNESS = 10;

size_t ad_rectified_scratch(int queries, int way, size_t features) {
    return 2 * (size_t)way * features + features + 2 * (size_t)queries;
}

static void to_length_1(double *x, size_t features) {
    const double length = sqrt(ad_dot(features, x, 1, x, 1));
    for (size_t e = 0; e < features && length > 0; e++) x[e] /= length;
}

/* Rows `first` on of x towards the mean of the supports: what all queries differ by from all supports. */
static void shift_queries(const ad_gram *g, double *x, size_t features, double *difference) {
    const size_t n = (size_t)g->supports, m = (size_t)g->queries;
    memset(difference, 0, features * sizeof *difference);
    for (size_t i = 0; i < n; i++) ad_add_scaled(features, 1 / (double)n, x + i * features, 1, difference, 1);
    for (size_t q = 0; q < m; q++) ad_add_scaled(features, -1 / (double)m, x + (n + q) * features, 1, difference, 1);
    for (size_t q = 0; q < m; q++) {
        ad_add_scaled(features, 1, difference, 1, x + (n + q) * features, 1);
        to_length_1(x + (n + q) * features, features);
    }
}

/* The queries of class k that are surest of it join its supports in a mean weighted by their cosines. */
static void rectify(const ad_gram *g, const double *x, size_t features, size_t k, const double *prototype,
                    const double *class_of, double *sureness, double *out) {
    const size_t n = (size_t)g->supports, m = (size_t)g->queries;
    double sum = 0;
    memset(out, 0, features * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        if (g->labels[i] != (int32_t)k) continue;
        const double weight = exp(SHARPNESS * ad_dot(features, x + i * features, 1, prototype, 1));
        ad_add_scaled(features, weight, x + i * features, 1, out, 1);
        sum += weight;
    }
    for (int joined = 0; joined < MOST_JOINED; joined++) {
        size_t best = m;
        for (size_t q = 0; q < m; q++)
            if (class_of[q] == (double)k && sureness[q] > -INFINITY && (best == m || sureness[q] > sureness[best]))
                best = q;
        if (best == m) break;
        sureness[best] = -INFINITY;
        const double *row = x + (n + best) * features;
        const double weight = exp(SHARPNESS * ad_dot(features, row, 1, prototype, 1));
        ad_add_scaled(features, weight, row, 1, out, 1);
        sum += weight;
    }
    for (size_t e = 0; e < features; e++) out[e] /= sum;
    to_length_1(out, features);
}

/* Scores of the queries: SHARPNESS times their cosines to the prototypes. */
static void score(const ad_gram *g, const double *x, size_t features, const double *prototypes, double *out) {
    const size_t n = (size_t)g->supports, way = (size_t)g->way;
    for (size_t q = 0; q < (size_t)g->queries; q++) {
        for (size_t k = 0; k < way; k++)
            out[q * way + k] = SHARPNESS * ad_dot(features, x + (n + q) * features, 1, prototypes + k * features, 1);
        ad_log_softmax(out + q * way, g->way);
    }
}

void ad_rectified(const ad_gram *g, double *x, size_t features, double *scratch, double *log_probabilities) {
    const size_t n = (size_t)g->supports, m = (size_t)g->queries, way = (size_t)g->way;
    double *prototypes = scratch, *rectified = prototypes + way * features, *difference = rectified + way * features,
           *class_of = difference + features, *sureness = class_of + m;
    shift_queries(g, x, features, difference);
    memset(prototypes, 0, way * features * sizeof *prototypes);
    for (size_t i = 0; i < n; i++)
        ad_add_scaled(features, 1, x + i * features, 1, prototypes + (size_t)g->labels[i] * features, 1);
    for (size_t k = 0; k < way; k++) to_length_1(prototypes + k * features, features);
    score(g, x, features, prototypes, log_probabilities);
    for (size_t q = 0; q < m; q++) {
        const double *of = log_probabilities + q * way;
        size_t best = 0;
        for (size_t k = 1; k < way; k++)
            if (of[k] > of[best]) best = k;
        class_of[q] = (double)best;
        sureness[q] = of[best];
    }
    for (size_t k = 0; k < way; k++)
        rectify(g, x, features, k, prototypes + k * features, class_of, sureness, rectified + k * features);
    score(g, x, features, rectified, log_probabilities);
}
