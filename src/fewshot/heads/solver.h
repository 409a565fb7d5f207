/* Classifiers that are solved on the host from the features of one episode, in double precision, by inner products of
 * features alone: no matrix is larger than pictures x pictures. docs/methods.md ("Heads on features") has the
 * mathematics. */
#ifndef AD_FEWSHOT_SOLVER_H
#define AD_FEWSHOT_SOLVER_H

#include "base/base.h"

typedef enum ad_solver {
    AD_SOLVER_NONE,
    AD_SOLVER_LOGISTIC,     /* multinomial logistic regression */
    AD_SOLVER_DISCRIMINANT, /* linear discriminant analysis with a shrunk covariance */
    AD_SOLVER_NEIGHBOURS,   /* nearest neighbours by cosine */
    AD_SOLVER_RECTIFIED,    /* rectified prototypes; looks at all queries together */
    AD_SOLVER_CENTRED       /* nearest class mean of features less a mean, to length 1 */
} ad_solver;

typedef struct ad_solver_settings {
    ad_solver solver;
    double inverse_penalty; /* logistic: C > 0 */
    double shrinkage;       /* discriminant: in (0, 1], or 0: Ledoit and Wolf's */
    int neighbours;         /* at least 1; more than there are: all */
} ad_solver_settings;

/* Pictures are rows of a table. Support picture i is of class labels[i], each class has at least one. */
typedef struct ad_solver_task {
    const float *table;
    const float *centre; /* centred: [features], taken away before anything else */
    size_t features;
    int way, supports, queries;
    const int32_t *support, *query, *labels;
} ad_solver_task;

/* Doubles that ad_solve needs as scratch. */
size_t ad_solver_scratch(const ad_solver_settings *settings, const ad_solver_task *task);

/* log_probabilities [queries][way]: a class that cannot be is -INFINITY, and what is no number says that features were
 * none, or that sums overflowed. Calls on different memory may run side by side. */
void ad_solve(const ad_solver_settings *settings, const ad_solver_task *task, double *scratch,
              double *log_probabilities);
#endif
