/* The first stage of atoms-first and of sum-first (docs/methods.md, "Three exact ways to compute a layer"): atoms
 * applied to x, which makes z. */
#include "verify/reference/internal.h"

/* z is [n][p][q][to][c][m]: an image of to*c*m channels, c those of a group. */
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
