/* Ordinary (or composed) convolution and its gradients. */
#include "verify/reference/internal.h"

void ad_reference_CONV(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *x = r->v[0], *w = r->v[1], *bias = r->v[2];
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
                            for (int c = 0; c < g->c; c++)
                                add(&s, w[at3(i * g->k + j, c, o, g->c, g->o)] *
                                            x[at4(n, row, column, c, g->h, g->w, g->c)]);
                        }
                    put_sum(r, 3, at4(n, p, q, o, g->oh, g->ow, g->o), s);
                }
}

void ad_reference_CONV_DX(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *dy = r->v[0], *w = r->v[1];
    for (int n = 0; n < g->n; n++)
        for (int h = 0; h < g->h; h++)
            for (int column = 0; column < g->w; column++)
                for (int c = 0; c < g->c; c++) {
                    sum s = {0};
                    for (int i = 0; i < g->k; i++)
                        for (int j = 0; j < g->k; j++) {
                            int p = output_of(g, h, i, g->oh), q = output_of(g, column, j, g->ow);
                            if (p < 0 || q < 0) continue;
                            for (int o = 0; o < g->o; o++)
                                add(&s,
                                    w[at3(i * g->k + j, c, o, g->c, g->o)] * dy[at4(n, p, q, o, g->oh, g->ow, g->o)]);
                        }
                    put_sum(r, 2, at4(n, h, column, c, g->h, g->w, g->c), s);
                }
}

void ad_reference_CONV_DW(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *x = r->v[0], *dy = r->v[1];
    for (int i = 0; i < g->k; i++)
        for (int j = 0; j < g->k; j++)
            for (int c = 0; c < g->c; c++)
                for (int o = 0; o < g->o; o++) {
                    sum s = {0};
                    for (int n = 0; n < g->n; n++)
                        for (int p = 0; p < g->oh; p++)
                            for (int q = 0; q < g->ow; q++) {
                                int row = input_of(g, p, i, g->h), column = input_of(g, q, j, g->w);
                                if (row < 0 || column < 0) continue;
                                add(&s, x[at4(n, row, column, c, g->h, g->w, g->c)] *
                                            dy[at4(n, p, q, o, g->oh, g->ow, g->o)]);
                            }
                    put_sum(r, 2, at3(i * g->k + j, c, o, g->c, g->o), s);
                }
}

void ad_reference_CONV_DBIAS(const task_op *r) {
    const ad_geometry *g = &r->g;
    for (int o = 0; o < g->o; o++) {
        sum s = {0};
        for (int n = 0; n < g->n; n++)
            for (int p = 0; p < g->oh; p++)
                for (int q = 0; q < g->ow; q++) add(&s, r->v[0][at4(n, p, q, o, g->oh, g->ow, g->o)]);
        put_sum(r, 1, (size_t)o, s);
    }
}
