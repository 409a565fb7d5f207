/* What the solvers of solver.h share. */
#ifndef AD_FEWSHOT_SOLVER_PARTS_H
#define AD_FEWSHOT_SOLVER_PARTS_H

#include "fewshot/heads/solver.h"

/* An episode by its inner products. Rows are pictures: first the supports, then the queries. */
typedef struct ad_gram {
    int supports, queries, way;
    const double *inner;   /* [supports + queries][supports]: with the supports */
    const int32_t *labels; /* [supports] */
} ad_gram;

size_t ad_logistic_scratch(int supports, int way);
void ad_logistic(const ad_solver_settings *settings, const ad_gram *gram, double *scratch, double *log_probabilities);
size_t ad_discriminant_scratch(int supports, int queries, int way);
void ad_discriminant(const ad_solver_settings *settings, const ad_gram *gram, size_t features, double *scratch,
                     double *log_probabilities);

size_t ad_centred_scratch(int way);
void ad_centred(const ad_gram *gram, double *scratch, double *log_probabilities);

/* Of the pictures' own rows x [supports + queries][features], of length 1. */
size_t ad_neighbours_scratch(int supports);
void ad_neighbours(const ad_solver_settings *settings, const ad_gram *gram, double *scratch, double *log_probabilities);
size_t ad_rectified_scratch(int queries, int way, size_t features);
void ad_rectified(const ad_gram *gram, double *x, size_t features, double *scratch, double *log_probabilities);

/* log softmax of `count` scores, in place. */
void ad_log_softmax(double *scores, int count);
#endif
