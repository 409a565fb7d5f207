/* Linear discriminant analysis: Gaussians of one covariance C = (1 - s) W + s (trace W / features) I, W the mean square
 * of the supports' distances R from their class means. C = a R'R + c I with R [supports][features], so that
 * f'C^-1 g = (f'g - (R f)'(c/a I + R R')^-1 (R g)) / c, in inner products alone. */
#include "fewshot/heads/solver_parts.h"
#include "transfer/linear_algebra.h"

#include <math.h>
#include <string.h>

size_t ad_discriminant_scratch(int supports, int queries, int way) {
    const size_t n = (size_t)supports, m = (size_t)queries, w = (size_t)way;
    return w + w * (n + m) + 2 * n * n + 2 * w * n + m * n;
}

/* Ledoit and Wolf's shrinkage of W [J. Multivariate Analysis 2004], from the distances' inner products rr [n][n]. */
static double optimal_shrinkage(const double *rr, size_t n, double features) {
    double fourth = 0, square = 0, trace = 0;
    for (size_t i = 0; i < n; i++) {
        trace += rr[i * n + i];
        fourth += rr[i * n + i] * rr[i * n + i];
        for (size_t j = 0; j < n; j++) square += rr[i * n + j] * rr[i * n + j];
    }
    const double count = (double)n, mean = trace / count / features, of_w = square / count / count;
    const double distance = (of_w - features * mean * mean) / features;
    const double error = (fourth / count - of_w) / count / features;
    return error > 0 && distance > 0 ? fmin(error / distance, 1) : 0;
}

/* rows [count][n] minus, at each support, the mean over the supports of its class: inner products with R. */
static void minus_means(const ad_gram *g, double *rows, size_t count, double *sum) {
    const size_t n = (size_t)g->supports, way = (size_t)g->way;
    for (size_t r = 0; r < count; r++) {
        double *row = rows + r * n;
        for (size_t k = 0; k < way; k++) {
            size_t members = 0;
            sum[k] = 0;
            for (size_t i = 0; i < n; i++)
                if (g->labels[i] == (int32_t)k) {
                    sum[k] += row[i];
                    members++;
                }
            sum[k] /= (double)members;
        }
        for (size_t i = 0; i < n; i++) row[i] -= sum[g->labels[i]];
    }
}

/* out[k][i] = the mean of class k times picture i, all of them. */
static void means_inner(const ad_gram *g, double *out) {
    const size_t n = (size_t)g->supports, all = n + (size_t)g->queries;
    for (size_t k = 0; k < (size_t)g->way; k++) {
        size_t members = 0;
        double *row = out + k * all;
        memset(row, 0, all * sizeof *row);
        for (size_t j = 0; j < n; j++) {
            if (g->labels[j] != (int32_t)k) continue;
            members++;
            for (size_t i = 0; i < all; i++) row[i] += g->inner[i * n + j];
        }
        for (size_t i = 0; i < all; i++) row[i] /= (double)members;
    }
}

void ad_discriminant(const ad_solver_settings *s, const ad_gram *g, size_t features, double *scratch,
                     double *log_probabilities) {
    const size_t n = (size_t)g->supports, m = (size_t)g->queries, way = (size_t)g->way, all = n + m;
    double *sums = scratch, *means = sums + way, *rr = means + way * all, *system = rr + n * n,
           *of_means = system + n * n, *solved = of_means + way * n, *of_queries = solved + way * n;
    means_inner(g, means);
    /* R R' = R X' less the class means of its columns; both lessenings are minus_means of rows. */
    memcpy(rr, g->inner, n * n * sizeof *rr);
    minus_means(g, rr, n, sums);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            const double swap = rr[i * n + j];
            rr[i * n + j] = rr[j * n + i];
            rr[j * n + i] = swap;
        }
    minus_means(g, rr, n, sums);
    double trace = 0;
    for (size_t i = 0; i < n; i++) trace += rr[i * n + i];
    const double shrinkage = s->shrinkage > 0 ? s->shrinkage : optimal_shrinkage(rr, n, (double)features);
    /* As little of I as can be told apart from none keeps it invertible. Where no class has two different pictures
     * nothing is known of the covariance, and any multiple of I gives the same classes. */
    const double spread = trace / (double)n, least = 1e-10 * spread;
    const double a = spread > 0 ? (1 - shrinkage) / (double)n : 0,
                 c = spread > 0 ? fmax(shrinkage * spread / (double)features, least) : 1;
    for (size_t k = 0; k < way; k++) memcpy(of_means + k * n, means + k * all, n * sizeof *of_means);
    minus_means(g, of_means, way, sums);
    memcpy(of_queries, g->inner + n * n, m * n * sizeof *of_queries);
    minus_means(g, of_queries, m, sums);
    memcpy(solved, of_means, way * n * sizeof *solved);
    memcpy(system, rr, n * n * sizeof *system);
    for (size_t i = 0; i < n && a > 0; i++) system[i * n + i] += c / a;
    bool bad = a > 0 && !ad_solve_positive((int)n, system, (int)way, solved);
    if (a == 0.0) memset(solved, 0, way * n * sizeof *solved);
    for (size_t k = 0; k < way; k++) {
        size_t members = 0;
        double square = 0;
        for (size_t i = 0; i < n; i++)
            if (g->labels[i] == (int32_t)k) {
                square += means[k * all + i];
                members++;
            }
        square = square / (double)members - ad_dot(n, solved + k * n, 1, of_means + k * n, 1);
        const double constant = log((double)members / (double)n) - square / c / 2;
        for (size_t q = 0; q < m; q++)
            log_probabilities[q * way + k] =
                bad ? NAN
                    : (means[k * all + n + q] - ad_dot(n, solved + k * n, 1, of_queries + q * n, 1)) / c + constant;
    }
    for (size_t q = 0; q < m; q++) ad_log_softmax(log_probabilities + q * way, g->way);
}
