/* Sums over tasks. Each term is rounded as ops.def says, so that the result is one number and not a range: two
 * roundings in double precision, of a product that is exact there and of a sum, are those of float32. */
#include "verify/reference/internal.h"

void ad_reference_TASK_SUM(const task_op *r) {
    const bool added = r->op->flags & AD_ACCUMULATE;
    for (size_t e = 0; e < (size_t)r->g.c; e++) {
        double total = added ? r->v[1][e] : 0;
        for (int task = 0; task < r->op->i[0]; task++) {
            const double product = (double)r->op->f[0] * r->v[0][(size_t)task * r->stride[0] + e];
            total = (double)(float)(total + (double)(float)product);
        }
        put(r, 1, e, total, r->op->i[0] * FLUSHED);
    }
}
