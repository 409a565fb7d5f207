/* Low-rank adapters: where they start, and merged into kernels. */
#include "tests/network/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* w0 of a convolution, ordinary or composed. */
static void base_kernel(const adatom_model *model, const ad_node *node, float *w) {
    const size_t taps = (size_t)(node->k * node->k), c = (size_t)node->c, o = (size_t)node->o, m = (size_t)node->m;
    const ad_param *params = model->net.params;
    if (m == 0) {
        memcpy(w, model->values + params[node->kernel].offset, taps * c * o * sizeof *w);
        return;
    }
    const float *alpha = model->values + params[node->coefficients].offset,
                *psi = model->values + params[node->atoms].offset;
    const size_t ld = (size_t)params[node->coefficients].o, gc = node->group ? (size_t)node->group : c,
                 go = node->group ? gc : o;
    for (size_t ij = 0; ij < taps; ij++)
        for (size_t row = 0; row < c; row++)
            for (size_t k = 0; k < o; k++) {
                double sum = 0;
                const float *atoms = psi + (k / go * (c / gc) + row / gc) * m * taps;
                for (size_t a = 0; a < m; a++)
                    sum += (double)alpha[(row % gc * m + a) * ld + k % go] * (double)atoms[a * taps + ij];
                w[(ij * c + row) * o + k] = (float)sum;
            }
}

/* An ordinary network of the same shape; kernels with the adapters of block merged where there are any. */
static adatom_model *merged_model(const setting *s, const inputs *in, const ad_built *b, const float *block) {
    const adatom_model_params params = {.size = sizeof(adatom_model_params),
                                        .arch = s->arch,
                                        .sharing = ADATOM_SHARING_NONE,
                                        .image_size = s->size,
                                        .width = s->width,
                                        .seed = 1};
    adatom_model *dense = NULL;
    must(adatom_model_create(ctx, &params, &dense), "dense");
    for (int i = 0; i < in->model->net.node_count; i++) {
        const ad_node *from = &in->model->net.nodes[i], *to = &dense->net.nodes[i];
        const int pairs[][2] = {{from->gamma, to->gamma}, {from->beta, to->beta}, {from->statistics, to->statistics}};
        for (size_t k = 0; k < AD_COUNT(pairs) && from->kind == AD_NODE_NORM; k++) {
            const ad_param *a = &in->model->net.params[pairs[k][0]], *z = &dense->net.params[pairs[k][1]];
            memcpy(dense->values + z->offset, in->model->values + a->offset, a->count * sizeof(float));
        }
        if (from->kind != AD_NODE_CONV) continue;
        float *w = dense->values + dense->net.params[to->kernel].offset;
        base_kernel(in->model, from, w);
        for (int l = 0; l < b->lowrank_count && block; l++)
            if (b->lowrank[l].node == i) ad_lowrank_merge(from, &s->lowrank, &b->lowrank[l], block, w, w);
    }
    return dense;
}

/* The largest difference between the query features of a task of run, which has a linear head, and those of an ordinary
 * network, relative to the largest feature. */
static double features_differ(const setting *s, const inputs *in, const ad_built *b, interpreter *run,
                              adatom_model *dense, int task) {
    setting plain = *s;
    plain.head = AD_HEAD_NONE;
    plain.lowrank = (ad_lowrank){0};
    inputs other = *in;
    other.model = dense;
    ad_built features = make_plan(&plain, &other);
    interpreter *reference = start(&plain, &features, &other);
    interpreter_run(reference, AD_SEGMENT_EVAL);
    interpreter_run(run, AD_SEGMENT_EVAL);
    int last = -1; /* what the head multiplies */
    for (int i = 0; i < b->plan->segments[AD_SEGMENT_EVAL].count; i++) {
        const ad_op *op = &b->plan->ops[b->plan->segments[AD_SEGMENT_EVAL].first + i];
        if (op->kind == AD_OP_LINEAR && op->t[1] == b->head) last = op->t[0];
    }
    if (last < 0) return INFINITY;
    const size_t count = (size_t)(WAY * SHOT) * (size_t)in->model->net.features;
    const double *x = interpreter_tensor(run, last) + (size_t)task * b->plan->tensors[last].stride;
    const double *y = interpreter_tensor(reference, features.features) +
                      (size_t)task * features.plan->tensors[features.features].stride;
    double worst = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        worst = fmax(worst, fabs(x[i] - y[i]));
        largest = fmax(largest, fabs(y[i]));
    }
    interpreter_destroy(&reference);
    ad_built_clear(&features);
    return worst / largest;
}

void check_merge(const setting *original, int number) {
    setting s = *original;
    s.adapt = 0;
    s.head = AD_HEAD_LINEAR;
    s.init = AD_HEAD_MEANS;
    s.bn = AD_BN_FROZEN;
    inputs in = make_inputs(&s, 0.01f);
    ad_built b = make_plan(&s, &in);
    interpreter *run = start(&s, &b, &in);
    const double *adapted = interpreter_tensor(run, b.adapted);
    float *block = malloc(b.adapted_count * sizeof *block);
    for (int step = 0; step < STEPS; step++) interpreter_run(run, AD_SEGMENT_STEP);
    double moved = 0, merged = 0, base = 0;
    for (int task = 0; task < TASKS; task++) {
        for (size_t i = 0; i < b.adapted_count; i++) block[i] = (float)adapted[(size_t)task * b.adapted_count + i];
        adatom_model *plain = merged_model(&s, &in, &b, NULL), *dense = merged_model(&s, &in, &b, block);
        moved = fmax(moved, features_differ(&s, &in, &b, run, plain, task));
        merged = fmax(merged, features_differ(&s, &in, &b, run, dense, task));
        adatom_model_destroy(&plain);
        adatom_model_destroy(&dense);
    }
    /* B as it starts, gains at the sizes of w0: the model itself. */
    interpreter_run(run, AD_SEGMENT_INIT);
    interpret_adapters(&s, &b, &in, run);
    for (int l = 0; l < b.lowrank_count; l++)
        for (int task = 0; task < TASKS; task++) {
            const size_t count = (size_t)in.model->net.nodes[b.lowrank[l].node].o * (size_t)s.lowrank.rank;
            memset(interpreter_tensor(run, b.adapted) + (size_t)task * b.adapted_count + b.lowrank[l].b, 0,
                   count * sizeof(double));
        }
    adatom_model *plain = merged_model(&s, &in, &b, NULL);
    for (int task = 0; task < TASKS; task++) base = fmax(base, features_differ(&s, &in, &b, run, plain, task));
    adatom_model_destroy(&plain);
    if (!(moved > 1e-2) || !(merged < 1e-5) || !(base < 1e-6)) {
        fprintf(stderr,
                "setting %d (%s %s): features off by %g from the adapters merged, by %g from the model at the start; "
                "adapters move them by "
                "%g\n",
                number, s.arch, s.sharing, merged, base, moved);
        failures++;
    }
    free(block);
    interpreter_destroy(&run);
    ad_built_clear(&b);
    free_inputs(&in);
}
