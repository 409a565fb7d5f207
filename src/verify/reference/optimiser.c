/* Optimisers. Bounds: a step is a short chain of products and sums; each rounding is
 * relative to the absolute terms at that place. */
#include "verify/reference/internal.h"

void ad_reference_SGD(const task_op *r) {
    const float *f = r->op->f;
    const int step = (int)r->v[4][0];
    const double lr = r->v[3][8 * step + r->op->i[1]];
    for (size_t e = 0; e < (size_t)r->g.c; e++) {
        const double p = r->v[0][e], grad = r->v[1][e], before = r->v[2][e];
        const double d = grad + f[2] * p, d_size = fabs(grad) + fabs(f[2] * p);
        const double velocity = step == 0 ? d : f[0] * before + (1.0 - f[1]) * d;
        const double v_size = step == 0 ? d_size : fabs(f[0] * before) + fabs((1.0 - f[1]) * d_size);
        const double change = r->op->i[0] ? d + f[0] * velocity : velocity;
        const double c_size = r->op->i[0] ? d_size + fabs(f[0]) * v_size : v_size;
        put(r, 2, e, velocity, 6 * EPS * v_size);
        put(r, 0, e, p - lr * change, 12 * EPS * fabs(lr) * c_size + EPS * fabs(p - lr * change));
    }
}

/* The square root of v with error E is off by at most min(E/sqrt(v), sqrt(E)). */
void ad_reference_ADAM(const task_op *r) {
    const double beta1 = r->op->f[0], beta2 = r->op->f[1], eps = r->op->f[2], decay = r->op->f[3];
    const bool decoupled = r->op->i[0];
    const double *row = r->v[4] + 8 * (int)r->v[5][0], lr = row[r->op->i[1]];
    for (size_t e = 0; e < (size_t)r->g.c; e++) {
        const double p = r->v[0][e], grad = r->v[1][e];
        const double d = grad + (decoupled ? 0 : decay * p), d_size = fabs(grad) + (decoupled ? 0 : fabs(decay * p));
        const double first = beta1 * r->v[2][e] + (1 - beta1) * d, second = beta2 * r->v[3][e] + (1 - beta2) * d * d;
        const double first_error = 6 * EPS * (fabs(beta1 * r->v[2][e]) + fabs(1 - beta1) * d_size);
        const double second_error = 8 * EPS * (fabs(beta2 * r->v[3][e]) + fabs(1 - beta2) * d_size * d_size);
        const double v = second / row[7], v_error = second_error / row[7] + DIVISION * v;
        const double root = sqrt(v), root_error = fmin(v_error / fmax(root, 1e-300), sqrt(v_error)) + SQRT * root;
        const double divisor = root + eps, ratio = first / row[6] / divisor;
        const double ratio_error =
            first_error / row[6] / divisor + fabs(ratio) * (root_error / divisor + 2 * DIVISION + 2 * EPS);
        const double change = ratio + (decoupled ? decay * p : 0), after = p - lr * change;
        put(r, 2, e, first, first_error);
        put(r, 3, e, second, second_error);
        put(r, 0, e, after,
            fabs(lr) * (ratio_error + 4 * EPS * (fabs(ratio) + (decoupled ? fabs(decay * p) : 0))) +
                2 * EPS * fabs(after));
    }
}
