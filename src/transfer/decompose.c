/* From a network with any kernels to a decomposed one. */
#include "transfer/dense.h"
#include "transfer/factor.h"
#include "transfer/linear_algebra.h"

#include <adatom/transfer.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Alternating least squares ends when an iteration takes less than this part of the error away, or when nothing is
 * left. */
#define LEAST_GAIN 1e-5
#define NOTHING 1e-24

static void free_layers(ad_fit *fit) {
    for (int l = 0; l < fit->count; l++) {
        ad_free(fit->layers[l].w);
        ad_free(fit->layers[l].psi);
    }
    ad_free(fit->layers);
    ad_free(fit->alpha);
}

/* Pairs of groups of a layer's channels, each with atoms of its own. */
static int pairs_of(const ad_node *node) { return node->group ? node->o / node->group * (node->c / node->group) : 1; }

/* The part of a layer's kernel w [o][c][k2] between groups of channels, pair number `pair`: all of it without
 * groups. */
static adatom_status add_pair(ad_fit *fit, const ad_node *node, int pair, const double *w) {
    const int c = ad_node_channels(node), k2 = node->k * node->k, groups = node->group ? c / node->group : 1;
    ad_fit_layer *layer = &fit->layers[fit->count++];
    *layer = (ad_fit_layer){.o = node->group ? node->group : node->o, .c = c / groups, .k2 = k2};
    const size_t row = (size_t)(layer->c * k2),
                 first = (size_t)(pair / groups * layer->o * c + pair % groups * layer->c) * (size_t)k2;
    layer->w = ad_malloc(fit->ctx, (size_t)layer->o * row, sizeof *layer->w);
    layer->psi = ad_calloc(fit->ctx, (size_t)(fit->m * k2), sizeof *layer->psi);
    if (!layer->w || !layer->psi) return ADATOM_OUT_OF_MEMORY;
    for (size_t o = 0; o < (size_t)layer->o; o++)
        memcpy(layer->w + o * row, w + first + o * (size_t)(c * k2), row * sizeof *w);
    return ADATOM_OK;
}

/* The layers of `to` that use coefficients `shared`, pair of groups by pair, with the kernels they have in `from`: the
 * same nodes. */
static adatom_status gather(const adatom_model *from, const adatom_model *to, int shared, ad_fit *fit) {
    const ad_param *p = &to->net.params[shared];
    adatom_status status = ADATOM_OK;
    size_t count = 0;
    *fit = (ad_fit){.ctx = to->ctx, .o = p->o, .c = p->c, .m = p->m};
    for (int i = 0; i < to->net.node_count; i++)
        if (to->net.nodes[i].coefficients == shared) count += (size_t)pairs_of(&to->net.nodes[i]);
    fit->layers = ad_calloc(fit->ctx, count, sizeof *fit->layers);
    fit->alpha = ad_calloc(fit->ctx, p->logical, sizeof *fit->alpha);
    if (!fit->layers || !fit->alpha) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < to->net.node_count && status == ADATOM_OK; i++) {
        const ad_node *node = &to->net.nodes[i];
        if (node->coefficients != shared) continue;
        double *w = ad_malloc(fit->ctx, ad_dense_count(node), sizeof *w);
        if (!w) return ADATOM_OUT_OF_MEMORY;
        ad_dense_kernel(from, &from->net.nodes[i], w);
        for (int pair = 0; pair < pairs_of(node) && status == ADATOM_OK; pair++) status = add_pair(fit, node, pair, w);
        ad_free(w);
    }
    return status;
}

static adatom_status alternate(ad_fit *fit, int iterations) {
    adatom_status status = ad_fit_atoms(fit);
    if (status != ADATOM_OK || ad_fit_equal(fit)) return status; /* singular vectors are the best already */
    double whole = 0, error = ad_fit_error(fit);
    for (int l = 0; l < fit->count; l++)
        for (int e = 0; e < fit->layers[l].o * fit->layers[l].c * fit->layers[l].k2; e++)
            whole += fit->layers[l].w[e] * fit->layers[l].w[e];
    for (int i = 0; i < iterations && error > NOTHING * whole; i++) {
        AD_TRY(ad_interrupted(fit->ctx));
        AD_TRY(ad_fit_coefficients(fit));
        AD_TRY(ad_fit_atoms(fit));
        const double before = error;
        error = ad_fit_error(fit);
        if (before - error < LEAST_GAIN * before) break;
    }
done:
    return status;
}

static void store(adatom_model *to, int shared, const ad_fit *fit) {
    const ad_param *p = &to->net.params[shared];
    for (size_t e = 0; e < p->logical; e++) to->values[p->offset + ad_param_at(p, 0, e)] = (float)fit->alpha[e];
    if (to->net.made_from.residual) return; /* its atoms are what is added: nothing yet */
    const ad_fit_layer *layer = fit->layers;
    for (int i = 0; i < to->net.node_count; i++) {
        const ad_node *node = &to->net.nodes[i];
        if (node->coefficients != shared) continue;
        float *atoms = to->values + to->net.params[node->atoms].offset;
        for (int pair = 0; pair < pairs_of(node); pair++, layer++)
            for (int e = 0; e < fit->m * layer->k2; e++) *atoms++ = (float)layer->psi[e];
    }
}

static adatom_status fit_coefficients(const adatom_model *from, adatom_model *to, int shared, int iterations) {
    ad_fit fit = {0};
    adatom_status status;
    AD_TRY(gather(from, to, shared, &fit));
    AD_TRY(ad_fit_start(&fit, (uint64_t)shared));
    if (!to->net.made_from.residual) AD_TRY(alternate(&fit, iterations));
    ad_fit_normalise(&fit);
    store(to, shared, &fit);
done:
    free_layers(&fit);
    return status;
}

/* What both networks have: norms, statistics, head, ordinary kernels; and the kernels that residual layers keep. */
static adatom_status copy_rest(const adatom_model *from, adatom_model *to) {
    for (int i = 0; i < to->net.param_count; i++) {
        const ad_param *p = &to->net.params[i];
        for (int j = 0; j < from->net.param_count && p->role != AD_ROLE_ATOMS && p->role != AD_ROLE_COEFFICIENTS; j++)
            if (strcmp(from->net.params[j].name, p->name) == 0)
                memcpy(to->values + p->offset, from->values + from->net.params[j].offset,
                       p->count * sizeof *to->values);
    }
    for (int i = 0; i < to->net.node_count; i++) {
        const ad_node *node = &to->net.nodes[i];
        if (node->kind != AD_NODE_CONV || node->kernel < 0) continue;
        const size_t count = ad_dense_count(node);
        double *w = ad_malloc(to->ctx, count, sizeof *w);
        if (!w) return ADATOM_OUT_OF_MEMORY;
        const ad_param *p = &to->net.params[node->kernel];
        ad_dense_kernel(from, &from->net.nodes[i], w);
        for (size_t e = 0; e < count; e++) to->values[p->offset + ad_param_at(p, 0, e)] = (float)w[e];
        ad_free(w);
    }
    return ADATOM_OK;
}

static adatom_status check_atoms(adatom_context *ctx, const ad_network *net) {
    const int group = net->made_from.group;
    if (group > 0 && net->made_from.atoms <= group * group) return ADATOM_OK; /* there are that many singular vectors */
    if (group > 0)
        return ad_fail(ctx, ADATOM_USAGE, "%d atoms are more than the %d pairs of channels of two groups",
                       net->made_from.atoms, group * group);
    for (int i = 0; i < net->node_count; i++)
        if (net->nodes[i].m > net->nodes[i].k * net->nodes[i].k && !net->made_from.residual)
            return ad_fail(ctx, ADATOM_USAGE,
                           "%d atoms are more than the %d x %d kernels of %s have numbers; %d are exact, more need the "
                           "residual mode",
                           net->nodes[i].m, net->nodes[i].k, net->nodes[i].k, net->nodes[i].name,
                           net->nodes[i].k * net->nodes[i].k);
    return ADATOM_OK;
}

adatom_status adatom_model_decompose(const adatom_model *model, const adatom_decompose_params *params,
                                     adatom_model **out) {
    adatom_decompose_params p;
    adatom_model_params to_make = model->net.made_from;
    adatom_model *to = NULL;
    uint64_t done = 0, total = 0;
    *out = NULL;
    adatom_status status = AD_PARAMS(model->ctx, adatom_decompose_params, params, &p);
    const ad_call outer = ad_call_begin(model->ctx, p.progress, p.user);
    AD_TRY(status);
    to_make.sharing = p.sharing ? p.sharing : ADATOM_SHARING_LAYER;
    to_make.atoms = p.atoms;
    to_make.group = p.group;
    to_make.residual = p.residual;
    to_make.decompose_first = p.decompose_first;
    if (to_make.sharing == ADATOM_SHARING_NONE)
        AD_TRY(
            ad_fail(model->ctx, ADATOM_USAGE,
                    "sharing none is no decomposition; known: layer, stage, net, group-layer, group-stage, group-net"));
    if (p.iterations < 0)
        AD_TRY(
            ad_fail(model->ctx, ADATOM_USAGE, "the number of iterations is %d; it must not be negative", p.iterations));
    AD_TRY(ad_model_create_blank(model->ctx, &to_make, &to));
    AD_TRY(check_atoms(model->ctx, &to->net));
    AD_TRY(copy_rest(model, to));
    for (int i = 0; i < to->net.param_count; i++) total += to->net.params[i].kind == AD_PARAM_COEFFICIENTS;
    for (int i = 0; i < to->net.param_count; i++) {
        if (to->net.params[i].kind != AD_PARAM_COEFFICIENTS) continue;
        AD_TRY(fit_coefficients(model, to, i, p.iterations ? p.iterations : 100));
        ad_report(model->ctx, ADATOM_PHASE_DECOMPOSING, ++done, total);
        AD_TRY(ad_interrupted(model->ctx));
    }
    AD_TRY(ad_model_inherit(to, model));
    ad_model_rehash(to);
    *out = to;
    to = NULL;
done:
    adatom_model_destroy(&to);
    return ad_call_end(model->ctx, &outer, status);
}

adatom_status adatom_model_singular_values(const adatom_model *model, int layer, float *values, size_t capacity,
                                           size_t *count) {
    *count = 0;
    const ad_node *node = ad_dense_layer(model, layer);
    if (!node) return ADATOM_USAGE;
    const int k2 = node->k * node->k, pairs = node->o * ad_node_channels(node), rows = AD_MAX(pairs, k2);
    *count = (size_t)AD_MIN(k2, pairs);
    if (!values) return ADATOM_OK;
    if (capacity < *count)
        return ad_fail(model->ctx, ADATOM_USAGE, "%s has %zu singular values; there is room for %zu", node->name,
                       *count, capacity);
    adatom_status status = ADATOM_OUT_OF_MEMORY;
    double *w = ad_calloc(model->ctx, (size_t)rows * (size_t)k2, sizeof *w),
           *s = ad_malloc(model->ctx, (size_t)k2, sizeof *s);
    if (w && s) {
        ad_dense_kernel(model, node, w);
        status = ad_svd(model->ctx, w, rows, k2, false, s);
        for (size_t i = 0; i < *count && status == ADATOM_OK; i++) values[i] = (float)s[i];
    }
    ad_free(w);
    ad_free(s);
    return status;
}
