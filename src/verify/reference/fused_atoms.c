/* Both stages of a decomposed convolution in one. */
#include "verify/reference/internal.h"

#include <stdlib.h>

/* Adds factor * part, whose terms are terms of the whole. */
static void add_part(sum *s, double factor, sum part) {
    s->value += factor * part.value;
    s->magnitude += fabs(factor) * part.magnitude;
    s->terms += part.terms;
}

void ad_reference_FUSED_ATOMS(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *x = r->v[0], *packed = r->v[1], *psi = r->v[2], *bias = r->v[3];
    const int responses = g->c * g->m;
    sum *z = malloc((size_t)responses * sizeof *z);
    if (!z) return; /* then nothing is expected to be written, and the check fails */
    for (int n = 0; n < g->n; n++)
        for (int p = 0; p < g->oh; p++)
            for (int q = 0; q < g->ow; q++) {
                for (int cm = 0; cm < responses; cm++) {
                    z[cm] = (sum){0};
                    for (int i = 0; i < g->k; i++)
                        for (int j = 0; j < g->k; j++) {
                            const int row = input_of(g, p, i, g->h), column = input_of(g, q, j, g->w);
                            if (row < 0 || column < 0) continue;
                            add(&z[cm], psi[at3(cm % g->m, i, j, g->k, g->k)] *
                                            x[at4(n, row, column, cm / g->m, g->h, g->w, g->c)]);
                        }
                }
                for (int o = 0; o < g->o; o++) {
                    sum s = {0};
                    if (bias) add(&s, bias[o]);
                    for (int cm = 0; cm < responses; cm++) add_part(&s, packed[at2(cm, o, g->o)], z[cm]);
                    put_sum(r, 4, at4(n, p, q, o, g->oh, g->ow, g->o), s);
                }
            }
    free(z);
}

void ad_reference_FUSED_ATOMS_DX(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *dy = r->v[0], *packed = r->v[1], *psi = r->v[2];
    const int responses = g->m * g->o;
    sum *du = malloc((size_t)responses * sizeof *du);
    if (!du) return;
    for (int n = 0; n < g->n; n++)
        for (int h = 0; h < g->h; h++)
            for (int w = 0; w < g->w; w++) {
                for (int mo = 0; mo < responses; mo++) {
                    du[mo] = (sum){0};
                    for (int i = 0; i < g->k; i++)
                        for (int j = 0; j < g->k; j++) {
                            const int p = output_of(g, h, i, g->oh), q = output_of(g, w, j, g->ow);
                            if (p < 0 || q < 0) continue;
                            add(&du[mo], psi[at3(mo / g->o, i, j, g->k, g->k)] *
                                             dy[at4(n, p, q, mo % g->o, g->oh, g->ow, g->o)]);
                        }
                }
                for (int c = 0; c < g->c; c++) {
                    sum s = {0};
                    for (int mo = 0; mo < responses; mo++) add_part(&s, packed[at2(c, mo, responses)], du[mo]);
                    put_sum(r, 3, at4(n, h, w, c, g->h, g->w, g->c), s);
                }
            }
    free(du);
}
