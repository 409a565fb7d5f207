/* Coefficients and atoms: composition, and the two ways of applying them in two stages (METHODS: coefficients-first with u,
 * atoms-first with z). */
#include "tests/reference/internal.h"

/* Element [c][m][o] of coefficients whose rows are ld long. */
static size_t alpha_at(const ad_geometry *g, int c, int m, int o, int ld) { return at3(c, m, o, g->m, ld); }

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
                    add(&s, (scale ? scale[o] : 1) * alpha[alpha_at(g, c, m, o, r->op->i[0])] * psi[at2(m, ij, taps)]);
                put_sum(r, 3, at3(ij, c, o, g->c, g->o), s);
            }
}

void ad_reference_COMPOSE_DPSI(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *dw = r->v[0], *alpha = r->v[1];
    const int taps = g->k * g->k;
    for (int m = 0; m < g->m; m++)
        for (int ij = 0; ij < taps; ij++) {
            sum s = {0};
            for (int c = 0; c < g->c; c++)
                for (int o = 0; o < g->o; o++) add(&s, alpha[alpha_at(g, c, m, o, r->op->i[0])] * dw[at3(ij, c, o, g->c, g->o)]);
            put_sum(r, 2, at2(m, ij, taps), s);
        }
}

void ad_reference_COMPOSE_DALPHA(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *dw = r->v[0], *psi = r->v[1];
    const int taps = g->k * g->k, ld = r->op->i[0], rows = r->op->i[1];
    for (int c = 0; c < rows; c++)
        for (int m = 0; m < g->m; m++)
            for (int o = 0; o < ld; o++) {
                if (c < g->c && o < g->o) {
                    sum s = {0};
                    for (int ij = 0; ij < taps; ij++) add(&s, dw[at3(ij, c, o, g->c, g->o)] * psi[at2(m, ij, taps)]);
                    put_sum(r, 2, alpha_at(g, c, m, o, ld), s);
                } else if (!(r->op->flags & AD_ACCUMULATE))
                    put(r, 2, alpha_at(g, c, m, o, ld), 0, 0);
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

/* Coefficients-first. u is [n][h][w][m][o]: an image of m*o channels. */
static size_t u_at(const ad_geometry *g, int n, int row, int column, int m, int o) {
    return at4(n, row, column, m * g->o + o, g->h, g->w, g->m * g->o);
}

void ad_reference_ATOMS(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *u = r->v[0], *psi = r->v[1], *bias = r->v[2];
    for (int n = 0; n < g->n; n++)
        for (int p = 0; p < g->oh; p++)
            for (int q = 0; q < g->ow; q++)
                for (int o = 0; o < g->o; o++) {
                    sum s = {0};
                    if (bias) add(&s, bias[o]);
                    for (int i = 0; i < g->k; i++)
                        for (int j = 0; j < g->k; j++) {
                            int row = input_of(g, p, i, g->h), column = input_of(g, q, j, g->w);
                            if (row < 0 || column < 0) continue;
                            for (int m = 0; m < g->m; m++) add(&s, psi[at3(m, i, j, g->k, g->k)] * u[u_at(g, n, row, column, m, o)]);
                        }
                    put_sum(r, 3, at4(n, p, q, o, g->oh, g->ow, g->o), s);
                }
}

void ad_reference_ATOMS_DU(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *dy = r->v[0], *psi = r->v[1];
    for (int n = 0; n < g->n; n++)
        for (int h = 0; h < g->h; h++)
            for (int column = 0; column < g->w; column++)
                for (int m = 0; m < g->m; m++)
                    for (int o = 0; o < g->o; o++) {
                        sum s = {0};
                        for (int i = 0; i < g->k; i++)
                            for (int j = 0; j < g->k; j++) {
                                int p = output_of(g, h, i, g->oh), q = output_of(g, column, j, g->ow);
                                if (p < 0 || q < 0) continue;
                                add(&s, psi[at3(m, i, j, g->k, g->k)] * dy[at4(n, p, q, o, g->oh, g->ow, g->o)]);
                            }
                        put_sum(r, 2, u_at(g, n, h, column, m, o), s);
                    }
}

void ad_reference_ATOMS_DPSI(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *u = r->v[0], *dy = r->v[1];
    for (int m = 0; m < g->m; m++)
        for (int i = 0; i < g->k; i++)
            for (int j = 0; j < g->k; j++) {
                sum s = {0};
                for (int n = 0; n < g->n; n++)
                    for (int p = 0; p < g->oh; p++)
                        for (int q = 0; q < g->ow; q++) {
                            int row = input_of(g, p, i, g->h), column = input_of(g, q, j, g->w);
                            if (row < 0 || column < 0) continue;
                            for (int o = 0; o < g->o; o++)
                                add(&s, u[u_at(g, n, row, column, m, o)] * dy[at4(n, p, q, o, g->oh, g->ow, g->o)]);
                        }
                put_sum(r, 2, at3(m, i, j, g->k, g->k), s);
            }
}

/* Atoms-first. z is [n][p][q][c][m]: an image of c*m channels. */
static size_t z_at(const ad_geometry *g, int n, int p, int q, int c, int m) {
    return at4(n, p, q, c * g->m + m, g->oh, g->ow, g->c * g->m);
}

void ad_reference_DEPTH(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *x = r->v[0], *psi = r->v[1];
    for (int n = 0; n < g->n; n++)
        for (int p = 0; p < g->oh; p++)
            for (int q = 0; q < g->ow; q++)
                for (int c = 0; c < g->c; c++)
                    for (int m = 0; m < g->m; m++) {
                        sum s = {0};
                        for (int i = 0; i < g->k; i++)
                            for (int j = 0; j < g->k; j++) {
                                int row = input_of(g, p, i, g->h), column = input_of(g, q, j, g->w);
                                if (row < 0 || column < 0) continue;
                                add(&s, psi[at3(m, i, j, g->k, g->k)] * x[at4(n, row, column, c, g->h, g->w, g->c)]);
                            }
                        put_sum(r, 2, z_at(g, n, p, q, c, m), s);
                    }
}

void ad_reference_DEPTH_DX(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *dz = r->v[0], *psi = r->v[1];
    for (int n = 0; n < g->n; n++)
        for (int h = 0; h < g->h; h++)
            for (int column = 0; column < g->w; column++)
                for (int c = 0; c < g->c; c++) {
                    sum s = {0};
                    for (int i = 0; i < g->k; i++)
                        for (int j = 0; j < g->k; j++) {
                            int p = output_of(g, h, i, g->oh), q = output_of(g, column, j, g->ow);
                            if (p < 0 || q < 0) continue;
                            for (int m = 0; m < g->m; m++) add(&s, psi[at3(m, i, j, g->k, g->k)] * dz[z_at(g, n, p, q, c, m)]);
                        }
                    put_sum(r, 2, at4(n, h, column, c, g->h, g->w, g->c), s);
                }
}

void ad_reference_DEPTH_DPSI(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *x = r->v[0], *dz = r->v[1];
    for (int m = 0; m < g->m; m++)
        for (int i = 0; i < g->k; i++)
            for (int j = 0; j < g->k; j++) {
                sum s = {0};
                for (int n = 0; n < g->n; n++)
                    for (int p = 0; p < g->oh; p++)
                        for (int q = 0; q < g->ow; q++) {
                            int row = input_of(g, p, i, g->h), column = input_of(g, q, j, g->w);
                            if (row < 0 || column < 0) continue;
                            for (int c = 0; c < g->c; c++)
                                add(&s, x[at4(n, row, column, c, g->h, g->w, g->c)] * dz[z_at(g, n, p, q, c, m)]);
                        }
                put_sum(r, 2, at3(m, i, j, g->k, g->k), s);
            }
}
