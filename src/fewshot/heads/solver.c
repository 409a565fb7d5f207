/* Inner products of an episode's pictures, and what each solver is given. */
#include "fewshot/heads/solver_parts.h"
#include "transfer/linear_algebra.h"

#include <math.h>

/* Whether the features are taken to length 1 before. */
static bool unit_length(const ad_solver_settings *s) { return s->solver != AD_SOLVER_DISCRIMINANT; }

static size_t rows_of(const ad_solver_task *t) { return (size_t)t->supports + (size_t)t->queries; }

/* Rows and inner products: what every solver has. */
static size_t shared_floats(const ad_solver_task *t) { return rows_of(t) * (t->features + (size_t)t->supports); }

size_t ad_solver_scratch(const ad_solver_settings *s, const ad_solver_task *t) {
    size_t own = 0;
    switch (s->solver) {
    case AD_SOLVER_LOGISTIC: own = ad_logistic_scratch(t->supports, t->way); break;
    case AD_SOLVER_DISCRIMINANT: own = ad_discriminant_scratch(t->supports, t->queries, t->way); break;
    case AD_SOLVER_NEIGHBOURS: own = ad_neighbours_scratch(t->supports); break;
    case AD_SOLVER_CENTRED: own = ad_centred_scratch(t->way); break;
    case AD_SOLVER_RECTIFIED: own = ad_rectified_scratch(t->queries, t->way, t->features); break;
    case AD_SOLVER_NONE: break;
    }
    return shared_floats(t) + own;
}

/* Row i of x, of the table's row. Features of length 0 stay what they are. */
static void read_row(const ad_solver_settings *s, const ad_solver_task *t, int32_t row, double *x) {
    const float *from = t->table + (size_t)row * t->features;
    const bool centred = s->solver == AD_SOLVER_CENTRED;
    for (size_t e = 0; e < t->features; e++) x[e] = (double)from[e] - (centred ? (double)t->centre[e] : 0);
    if (!unit_length(s)) return;
    const double length = sqrt(ad_dot(t->features, x, 1, x, 1));
    for (size_t e = 0; e < t->features && length > 0; e++) x[e] /= length;
}

void ad_solve(const ad_solver_settings *s, const ad_solver_task *t, double *scratch, double *log_probabilities) {
    const size_t rows = rows_of(t), supports = (size_t)t->supports;
    double *x = scratch, *inner = x + rows * t->features, *own = inner + rows * supports;
    for (size_t i = 0; i < rows; i++) {
        double *row = x + i * t->features;
        read_row(s, t, i < supports ? t->support[i] : t->query[i - supports], row);
        for (size_t j = 0; j < supports; j++)
            inner[i * supports + j] = j > i ? 0 : ad_dot(t->features, row, 1, x + j * t->features, 1);
        for (size_t j = 0; j < i && i < supports; j++) inner[j * supports + i] = inner[i * supports + j];
    }
    const ad_gram gram = {
        .supports = t->supports, .queries = t->queries, .way = t->way, .inner = inner, .labels = t->labels};
    switch (s->solver) {
    case AD_SOLVER_LOGISTIC: ad_logistic(s, &gram, own, log_probabilities); break;
    case AD_SOLVER_DISCRIMINANT: ad_discriminant(s, &gram, t->features, own, log_probabilities); break;
    case AD_SOLVER_NEIGHBOURS: ad_neighbours(s, &gram, own, log_probabilities); break;
    case AD_SOLVER_CENTRED: ad_centred(&gram, own, log_probabilities); break;
    case AD_SOLVER_RECTIFIED: ad_rectified(&gram, x, t->features, own, log_probabilities); break;
    case AD_SOLVER_NONE: break;
    }
}
