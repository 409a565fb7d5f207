/* Runs whole plans through the double-precision reference: the judge of plans, as tests/reference is of operations. */
#ifndef AD_TESTS_INTERPRETER_H
#define AD_TESTS_INTERPRETER_H

#include "plan/plan.h"

typedef struct interpreter {
    const ad_plan *plan;
    double *arenas[AD_MAX_ARENAS]; /* one number per element (4 bytes; 1 in arenas of uint8) */
    bool hold; /* norms of kernels are constants of the gradient: WEIGHT_NORM gives again what it gave last without hold
                */
    double **held; /* per operation */
} interpreter;

interpreter *interpreter_create(const ad_plan *plan);
void interpreter_destroy(interpreter **in);
/* The numbers of a tensor: element e of task t at [t*stride + e]. */
double *interpreter_tensor(interpreter *in, int tensor);
void interpreter_run(interpreter *in, ad_segment_id segment);
#endif
