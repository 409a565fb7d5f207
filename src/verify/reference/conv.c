/* Ordinary (or composed) convolution, also in groups of channels, and its gradients. */
#include "verify/reference/activation.h"

/* Output o of a grouped convolution reads ad_group_inputs(g) inputs, from this one on. */
static int first_input(const ad_geometry *g, int o) { return o / ad_group_outputs(g) * ad_group_inputs(g); }

/* y = act(scale v + shift + residual): one more sum of products, whose first terms are scaled. */
static void put_output(const task_op *r, size_t at, int o, sum v) {
    const double *coef = r->v[4], *residual = r->v[5];
    if (!ad_op_has_epilogue(r->op)) {
        put_sum(r, 3, at, v);
        return;
    }
    if (coef) {
        v.value *= coef[o];
        v.magnitude *= fabs(coef[o]);
        add(&v, coef[r->g.o + o]);
    }
    if (residual) add(&v, residual[at]);
    put(r, 3, at, activate(r->op, v.value), activation_bound(r->op, v.value, sum_bound(v)));
}

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
                            for (int c = 0; c < ad_group_inputs(g); c++)
                                add(&s, w[at3(i * g->k + j, c, o, ad_group_inputs(g), g->o)] *
                                            x[at4(n, row, column, first_input(g, o) + c, g->h, g->w, g->c)]);
                        }
                    put_output(r, at4(n, p, q, o, g->oh, g->ow, g->o), o, s);
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
                            for (int o = 0; o < g->o; o++) {
                                const int own = c - first_input(g, o);
                                if (own < 0 || own >= ad_group_inputs(g)) continue;
                                add(&s, w[at3(i * g->k + j, own, o, ad_group_inputs(g), g->o)] *
                                            dy[at4(n, p, q, o, g->oh, g->ow, g->o)]);
                            }
                        }
                    put_sum(r, 2, at4(n, h, column, c, g->h, g->w, g->c), s);
                }
}

void ad_reference_CONV_DW(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *x = r->v[0], *dy = r->v[1];
    for (int i = 0; i < g->k; i++)
        for (int j = 0; j < g->k; j++)
            for (int c = 0; c < ad_group_inputs(g); c++)
                for (int o = 0; o < g->o; o++) {
                    sum s = {0};
                    for (int n = 0; n < g->n; n++)
                        for (int p = 0; p < g->oh; p++)
                            for (int q = 0; q < g->ow; q++) {
                                int row = input_of(g, p, i, g->h), column = input_of(g, q, j, g->w);
                                if (row < 0 || column < 0) continue;
                                add(&s, x[at4(n, row, column, first_input(g, o) + c, g->h, g->w, g->c)] *
                                            dy[at4(n, p, q, o, g->oh, g->ow, g->o)]);
                            }
                    put_sum(r, 2, at3(i * g->k + j, c, o, ad_group_inputs(g), g->o), s);
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
