/* Coefficients and atoms multiplied to kernels, and the gradients of both. */
#include "verify/reference/internal.h"

/* Element [c][m][o] of coefficients whose rows are ld long. */
static size_t alpha_at(const ad_geometry *g, int c, int m, int o, int ld) {
    return at3(c % group_c(g), m, o % group_o(g), g->m, ld);
}

void ad_reference_COMPOSE(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *alpha = r->v[0], *psi = r->v[1], *scale = r->v[2], *base = r->v[4];
    const int taps = g->k * g->k;
    for (int ij = 0; ij < taps; ij++)
        for (int c = 0; c < g->c; c++)
            for (int o = 0; o < g->o; o++) {
                sum s = {0};
                if (base) add(&s, (scale ? scale[o] : 1) * base[at3(ij, c, o, g->c, g->o)]);
                for (int m = 0; m < g->m; m++)
                    add(&s, (scale ? scale[o] : 1) * alpha[alpha_at(g, c, m, o, r->op->i[0])] *
                                psi[psi_at(g, o / group_o(g), c / group_c(g), m, ij)]);
                put_sum(r, 3, at3(ij, c, o, g->c, g->o), s);
            }
}

void ad_reference_COMPOSE_DPSI(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *dw = r->v[0], *alpha = r->v[1];
    const int inputs = group_c(g), outputs = group_o(g);
    for (int to = 0; to < groups_o(g); to++)
        for (int from = 0; from < groups_c(g); from++)
            for (int m = 0; m < g->m; m++)
                for (int ij = 0; ij < g->k * g->k; ij++) {
                    sum s = {0};
                    for (int c = from * inputs; c < (from + 1) * inputs; c++)
                        for (int o = to * outputs; o < (to + 1) * outputs; o++)
                            add(&s, alpha[alpha_at(g, c, m, o, r->op->i[0])] * dw[at3(ij, c, o, g->c, g->o)]);
                    put_sum(r, 2, psi_at(g, to, from, m, ij), s);
                }
}

void ad_reference_COMPOSE_DALPHA(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *dw = r->v[0], *psi = r->v[1];
    const int taps = g->k * g->k, ld = r->op->i[0], rows = r->op->i[1], inputs = group_c(g), outputs = group_o(g);
    for (int c = 0; c < rows; c++)
        for (int m = 0; m < g->m; m++)
            for (int o = 0; o < ld; o++) {
                if (c < inputs && o < outputs) {
                    sum s = {0};
                    for (int from = 0; from < groups_c(g); from++)
                        for (int to = 0; to < groups_o(g); to++)
                            for (int ij = 0; ij < taps; ij++)
                                add(&s, dw[at3(ij, from * inputs + c, to * outputs + o, g->c, g->o)] *
                                            psi[psi_at(g, to, from, m, ij)]);
                    put_sum(r, 2, at3(c, m, o, g->m, ld), s);
                } else if (!(r->op->flags & AD_ACCUMULATE))
                    put(r, 2, at3(c, m, o, g->m, ld), 0, 0);
            }
}

void ad_reference_PACK(const task_op *r) {
    const ad_geometry *g = &r->g;
    for (int c = 0; c < g->c; c++)
        for (int m = 0; m < g->m; m++)
            for (int o = 0; o < g->o; o++) {
                double value = (r->v[1] ? r->v[1][o] : 1) * r->v[0][alpha_at(g, c, m, o, r->op->i[0])];
                put(r, 2, at3(c, m, o, g->m, g->o), value, EPS * fabs(value));
            }
}
