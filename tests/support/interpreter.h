/* Runs whole plans through the double-precision reference: it judges plans as src/verify/reference
 * judges operations. */
#ifndef AD_TESTS_INTERPRETER_H
#define AD_TESTS_INTERPRETER_H

#include "plan/plan.h"

typedef struct interpreter {
    const ad_plan *plan;
    double *arenas[AD_MAX_ARENAS]; /* one number per element (4 bytes; 1 in arenas of uint8) */
    /* The gradient takes the norms of kernels for constants. While hold is set, WEIGHT_NORM gives again what it gave
     * the last time without. */
    bool hold;
    double **held; /* per operation */
} interpreter;

interpreter *interpreter_create(const ad_plan *plan);
void interpreter_destroy(interpreter **in);
/* The numbers of a tensor: element e of task t at [t*stride + e]. */
double *interpreter_tensor(interpreter *in, int tensor);
void interpreter_run(interpreter *in, ad_segment_id segment);
#endif
