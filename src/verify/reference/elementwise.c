/* Addition, averages, constants, copies, and the step counter. */
#include "verify/reference/internal.h"

void ad_reference_ADD(const task_op *r) {
    for (size_t e = 0; e < (size_t)r->g.c; e++) {
        sum s = {0};
        add(&s, r->v[0][e]);
        add(&s, r->op->i[0] ? -r->v[1][e] : r->v[1][e]);
        put(r, 2, e, s.value, EPS * fabs(s.value));
    }
}

void ad_reference_BLEND(const task_op *r) {
    const double kept = r->op->f[0];
    for (size_t e = 0; e < (size_t)r->g.c; e++) {
        const double old = kept * r->v[1][e], fresh = (1 - kept) * r->v[0][e];
        put(r, 1, e, old + fresh, 3 * EPS * (fabs(old) + fabs(fresh)) + 3 * FLUSHED);
    }
}

void ad_reference_ADVANCE(const task_op *r) {
    if (r->task == 0) put(r, 0, 0, r->v[0][0] + 1, 0);
}

void ad_reference_FILL(const task_op *r) {
    for (size_t e = 0; e < (size_t)r->g.c; e++) put(r, 0, e, r->op->f[(int)e == r->op->i[0] - 1 ? 1 : 0], 0);
}

void ad_reference_COPY(const task_op *r) {
    for (size_t e = 0; e < (size_t)r->g.c; e++) put(r, 1, e, r->v[0][(size_t)r->op->i[0] + e], 0);
}
