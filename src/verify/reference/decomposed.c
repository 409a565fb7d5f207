/* Coefficients and atoms: composition, and the two ways of applying them in two stages (docs/methods.md, "Three exact
 * ways to compute a layer"): coefficients-first with u, atoms-first with z. */
#include "verify/reference/internal.h"

/* Channels of a group, of inputs or outputs: all of them where there are no groups. */
static int group_c(const ad_geometry *g) { return g->group ? g->group : g->c; }
static int group_o(const ad_geometry *g) { return g->group ? g->group : g->o; }
/* Groups. */
static int groups_c(const ad_geometry *g) { return g->group ? g->c / g->group : 1; }
static int groups_o(const ad_geometry *g) { return g->group ? g->o / g->group : 1; }

/* Element [c][m][o] of coefficients whose rows are ld long. */
static size_t alpha_at(const ad_geometry *g, int c, int m, int o, int ld) {
    return at3(c % group_c(g), m, o % group_o(g), g->m, ld);
}
/* Element [m][ij] of the atoms between input group `from` and output group `to`. */
static size_t psi_at(const ad_geometry *g, int to, int from, int m, int ij) {
    return at4(to, from, m, ij, groups_c(g), g->m, g->k * g->k);
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
                            for (int m = 0; m < g->m; m++)
                                add(&s, psi[at3(m, i, j, g->k, g->k)] * u[u_at(g, n, row, column, m, o)]);
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

/* Atoms-first. z is [n][p][q][to][c][m]: an image of that many channels, c of a group. */
static size_t z_at(const ad_geometry *g, int n, int p, int q, int to, int c, int m) {
    const int channels = group_c(g) * g->m;
    return at4(n, p, q, to * channels + c * g->m + m, g->oh, g->ow, groups_o(g) * channels);
}

void ad_reference_DEPTH(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *x = r->v[0], *psi = r->v[1];
    const int inputs = group_c(g);
    for (int n = 0; n < g->n; n++)
        for (int p = 0; p < g->oh; p++)
            for (int q = 0; q < g->ow; q++)
                for (int to = 0; to < groups_o(g); to++)
                    for (int c = 0; c < inputs; c++)
                        for (int m = 0; m < g->m; m++) {
                            sum s = {0};
                            for (int i = 0; i < g->k; i++)
                                for (int j = 0; j < g->k; j++) {
                                    int row = input_of(g, p, i, g->h), column = input_of(g, q, j, g->w);
                                    if (row < 0 || column < 0) continue;
                                    for (int from = 0; from < groups_c(g); from++)
                                        add(&s, psi[psi_at(g, to, from, m, i * g->k + j)] *
                                                    x[at4(n, row, column, from * inputs + c, g->h, g->w, g->c)]);
                                }
                            put_sum(r, 2, z_at(g, n, p, q, to, c, m), s);
                        }
}

void ad_reference_DEPTH_DX(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *dz = r->v[0], *psi = r->v[1];
    const int inputs = group_c(g);
    for (int n = 0; n < g->n; n++)
        for (int h = 0; h < g->h; h++)
            for (int column = 0; column < g->w; column++)
                for (int c = 0; c < g->c; c++) {
                    sum s = {0};
                    for (int i = 0; i < g->k; i++)
                        for (int j = 0; j < g->k; j++) {
                            int p = output_of(g, h, i, g->oh), q = output_of(g, column, j, g->ow);
                            if (p < 0 || q < 0) continue;
                            for (int to = 0; to < groups_o(g); to++)
                                for (int m = 0; m < g->m; m++)
                                    add(&s, psi[psi_at(g, to, c / inputs, m, i * g->k + j)] *
                                                dz[z_at(g, n, p, q, to, c % inputs, m)]);
                        }
                    put_sum(r, 2, at4(n, h, column, c, g->h, g->w, g->c), s);
                }
}

/* One number of the gradient. */
static sum depth_dpsi(const task_op *r, int to, int from, int m, int i, int j) {
    const ad_geometry *g = &r->g;
    const int inputs = group_c(g);
    sum s = {0};
    for (int n = 0; n < g->n; n++)
        for (int p = 0; p < g->oh; p++)
            for (int q = 0; q < g->ow; q++) {
                int row = input_of(g, p, i, g->h), column = input_of(g, q, j, g->w);
                if (row < 0 || column < 0) continue;
                for (int c = 0; c < inputs; c++)
                    add(&s, r->v[0][at4(n, row, column, from * inputs + c, g->h, g->w, g->c)] *
                                r->v[1][z_at(g, n, p, q, to, c, m)]);
            }
    return s;
}

void ad_reference_DEPTH_DPSI(const task_op *r) {
    const ad_geometry *g = &r->g;
    for (int to = 0; to < groups_o(g); to++)
        for (int from = 0; from < groups_c(g); from++)
            for (int m = 0; m < g->m; m++)
                for (int ij = 0; ij < g->k * g->k; ij++)
                    put_sum(r, 2, psi_at(g, to, from, m, ij), depth_dpsi(r, to, from, m, ij / g->k, ij % g->k));
}
