#include "transfer/dense.h"

#include <adatom/transfer.h>
#include <math.h>

size_t ad_dense_count(const ad_node *node) {
    return (size_t)node->o * (size_t)ad_node_channels(node) * (size_t)node->k * (size_t)node->k;
}

void ad_dense_kernel(const adatom_model *model, const ad_node *node, double *out) {
    const size_t o = (size_t)node->o, c = (size_t)ad_node_channels(node), k2 = (size_t)node->k * (size_t)node->k,
                 m = (size_t)node->m;
    const ad_param *params = model->net.params;
    for (size_t e = 0; e < o * c * k2; e++)
        out[e] = node->kernel < 0
                     ? 0
                     : (double)model->values[params[node->kernel].offset + ad_param_at(&params[node->kernel], 0, e)];
    if (m == 0) return;
    const ad_param *shared = &params[node->coefficients];
    /* Channels of a group: all where there are no groups. */
    const size_t group_o = node->group ? (size_t)node->group : o, group_c = node->group ? group_o : c;
    const float *alpha = model->values + shared->offset, *atoms = model->values + params[node->atoms].offset;
    for (size_t pair = 0; pair < o * c; pair++) {
        const size_t to = pair / c, from = pair % c;
        const float *psi = atoms + (to / group_o * (c / group_c) + from / group_c) * m * k2;
        for (size_t a = 0; a < m; a++) {
            const double coefficient = (double)alpha[(from % group_c * m + a) * (size_t)shared->o + to % group_o];
            for (size_t ij = 0; ij < k2; ij++) out[pair * k2 + ij] += coefficient * (double)psi[a * k2 + ij];
        }
    }
}

const ad_node *ad_dense_layer(const adatom_model *model, int index) {
    adatom_layer_info info = ADATOM_INIT(adatom_layer_info);
    if (adatom_model_layer(model, index, &info) != ADATOM_OK) return NULL;
    if (info.kernel > 0 && info.kind[0] == 'c') return &model->net.nodes[index + 1];
    ad_fail(model->ctx, ADATOM_USAGE, "layer %d, %s, is no convolution", index, info.name);
    return NULL;
}

adatom_status adatom_model_kernel(const adatom_model *model, int layer, float *values, size_t capacity, size_t *count) {
    *count = 0;
    const ad_node *node = ad_dense_layer(model, layer);
    if (!node) return ADATOM_USAGE;
    *count = ad_dense_count(node);
    if (!values) return ADATOM_OK;
    if (capacity < *count)
        return ad_fail(model->ctx, ADATOM_USAGE, "the kernel of %s has %zu numbers; there is room for %zu", node->name,
                       *count, capacity);
    double *kernel = ad_malloc(model->ctx, *count, sizeof *kernel);
    if (!kernel) return ADATOM_OUT_OF_MEMORY;
    ad_dense_kernel(model, node, kernel);
    for (size_t e = 0; e < *count; e++) values[e] = (float)kernel[e];
    ad_free(kernel);
    return ADATOM_OK;
}

adatom_status adatom_model_atoms(const adatom_model *model, int layer, float *values, size_t capacity, size_t *count) {
    *count = 0;
    const ad_node *node = ad_dense_layer(model, layer);
    if (!node) return ADATOM_USAGE;
    *count = node->m ? model->net.params[node->atoms].count : 0;
    if (!values) return ADATOM_OK;
    if (capacity < *count)
        return ad_fail(model->ctx, ADATOM_USAGE, "the atoms of %s are %zu numbers; there is room for %zu", node->name,
                       *count, capacity);
    for (size_t e = 0; e < *count; e++) values[e] = model->values[model->net.params[node->atoms].offset + e];
    return ADATOM_OK;
}

adatom_status adatom_model_distance(const adatom_model *model, const adatom_model *other, int layer, double *relative) {
    const ad_node *a = ad_dense_layer(model, layer), *b = ad_dense_layer(other, layer);
    if (!a || !b) return ADATOM_USAGE;
    const size_t count = ad_dense_count(a);
    if (ad_dense_count(b) != count || a->k != b->k || a->o != b->o)
        return ad_fail(model->ctx, ADATOM_USAGE,
                       "layer %s of one model is no layer of the other: their kernels have other sizes", a->name);
    double *kernels = ad_malloc(model->ctx, 2 * count, sizeof *kernels), difference = 0, norm = 0;
    if (!kernels) return ADATOM_OUT_OF_MEMORY;
    ad_dense_kernel(model, a, kernels);
    ad_dense_kernel(other, b, kernels + count);
    for (size_t e = 0; e < count; e++) {
        difference += (kernels[e] - kernels[count + e]) * (kernels[e] - kernels[count + e]);
        norm += kernels[e] * kernels[e];
    }
    *relative = difference == 0 ? 0 : sqrt(difference / norm);
    ad_free(kernels);
    return ADATOM_OK;
}
