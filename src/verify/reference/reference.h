/* The judge: every operation of plan/ops.def in double precision, as loops straight from the formulas there. It knows
 * nothing of engines and shares no code with them. Used by the kernel check (verify/check.c) and by the
 * gradient tests. */
#ifndef AD_REFERENCE_H
#define AD_REFERENCE_H

#include "plan/plan.h"

/* One role of an operation. Integers are held as doubles too (all that occur are exact). */
typedef struct ad_reference_role {
    double *value; /* NULL: absent. Element e of task t is value[t*stride + e] */
    double *bound; /* roles that are written: how far a float32 result may be from value; NULL: not wanted */
    size_t stride; /* 0: shared by all tasks */
    size_t count;  /* elements of value and of bound, all tasks included */
} ad_reference_role;

/* Bound of an element that the operation must leave as it is. */
#define AD_REFERENCE_UNTOUCHED (-1.0)

/* Runs op: roles[r] in the order of ops.def (op->t is not looked at). Roles that are updated hold their start values.
 * Aliased roles are given as separate arrays. */
void ad_reference_run(const ad_op *op, const ad_reference_role roles[AD_OP_TENSORS]);

/* The errors that Winograd's F(4x4, 3x3) (ad_engine_api.variant_winograd) may add to the sums of CONV, before what
 * follows them, CONV_DX or CONV_DW: bound[task*(the result's stride) + e]. False: no memory. */
bool ad_reference_winograd(const ad_op *op, const ad_reference_role *roles, double *bound);
#endif
