/* Depthwise convolution and its gradients: one kernel a channel. */
#include "verify/reference/activation.h"

/* An error of the sum is scaled like the sum; the other terms are added to the product. */
void ad_reference_DEPTHWISE(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *x = r->v[0], *w = r->v[1], *bias = r->v[2], *coef = r->v[4], *residual = r->v[5];
    for (int n = 0; n < g->n; n++)
        for (int p = 0; p < g->oh; p++)
            for (int q = 0; q < g->ow; q++)
                for (int c = 0; c < g->c; c++) {
                    const size_t at = at4(n, p, q, c, g->oh, g->ow, g->c);
                    sum s = {0}, v = {0};
                    if (bias) add(&s, bias[c]);
                    for (int i = 0; i < g->k; i++)
                        for (int j = 0; j < g->k; j++) {
                            int row = input_of(g, p, i, g->h), column = input_of(g, q, j, g->w);
                            if (row < 0 || column < 0) continue;
                            add(&s, w[at2(i * g->k + j, c, g->c)] * x[at4(n, row, column, c, g->h, g->w, g->c)]);
                        }
                    const double scale = coef ? coef[c] : 1;
                    add(&v, scale * s.value);
                    if (coef) add(&v, coef[g->c + c]);
                    if (residual) add(&v, residual[at]);
                    const double error = fabs(scale) * sum_bound(s) + (coef || residual ? sum_bound(v) : 0);
                    put(r, 3, at, activate(r->op, v.value), activation_bound(r->op, v.value, error));
                }
}

void ad_reference_DEPTHWISE_DX(const task_op *r) {
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
                            add(&s, w[at2(i * g->k + j, c, g->c)] * dy[at4(n, p, q, c, g->oh, g->ow, g->c)]);
                        }
                    put_sum(r, 2, at4(n, h, column, c, g->h, g->w, g->c), s);
                }
}

void ad_reference_DEPTHWISE_DW(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *x = r->v[0], *dy = r->v[1];
    for (int i = 0; i < g->k; i++)
        for (int j = 0; j < g->k; j++)
            for (int c = 0; c < g->c; c++) {
                sum s = {0};
                for (int n = 0; n < g->n; n++)
                    for (int p = 0; p < g->oh; p++)
                        for (int q = 0; q < g->ow; q++) {
                            int row = input_of(g, p, i, g->h), column = input_of(g, q, j, g->w);
                            if (row < 0 || column < 0) continue;
                            add(&s,
                                x[at4(n, row, column, c, g->h, g->w, g->c)] * dy[at4(n, p, q, c, g->oh, g->ow, g->c)]);
                        }
                put_sum(r, 2, at2(i * g->k + j, c, g->c), s);
            }
}
