/* The second stage of coefficients-first (docs/methods.md, "Three exact ways to compute a layer"): atoms applied
 * to u. */
#include "verify/reference/internal.h"

/* u is [n][h][w][m][o]: an image of m*o channels. */
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
