/* What an adapter does to a model's tensors: how far it moves them, and the model that has them in place of its own. */
#include "fewshot/adapter.h"
#include "io/json.h"
#include "transfer/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of a kernel as it lies in a model. */
static size_t kernel_count(const ad_node *node) {
    const int32_t inputs = node->groups > 1 ? node->channels : node->c;
    return (size_t)(node->k * node->k) * (size_t)inputs * (size_t)node->o;
}

/* Adds the adapter of a kernel whose tensors begin at `first` to the kernel w of a convolution, which lies as an
 * ordinary one in a model. */
static adatom_status merge_kernel(const adatom_adapter *a, int first, const ad_node *node, float *w) {
    const ad_lowrank *how = &a->lowrank;
    ad_lowrank_layer layer = {.b = ad_lowrank_a_count(node, how)};
    layer.gain[0] = layer.b + ad_lowrank_b_count(node, how);
    layer.gain[1] = layer.gain[0] + (size_t)node->o;
    float *block = ad_calloc(a->ctx, layer.gain[1] + (size_t)node->c, sizeof *block);
    if (!block) return ADATOM_OUT_OF_MEMORY;
    for (int part = 0; part < ad_lowrank_parts(a->lowrank.kind); part++) {
        const ad_adapter_tensor *t = &a->tensors[first + part];
        for (size_t e = 0; e < t->elements; e++) block[ad_lowrank_at(node, how, &layer, part, e)] = t->values[e];
    }
    ad_lowrank_merge(node, how, &layer, block, w, w);
    ad_free(block);
    for (size_t e = 0; e < kernel_count(node); e++)
        if (!isfinite(w[e]))
            return ad_fail(a->ctx, ADATOM_BAD_DATA, "the adapter makes the kernel of '%s' infinite", node->name);
    return ADATOM_OK;
}

/* The notes name the classes of the classifier that the model gets. */
static adatom_status name_classes(const adatom_adapter *a, adatom_model *to) {
    json_error_t error;
    json_t *notes = NULL, *names = json_array(), *one;
    size_t i;
    bool bad = false;
    if (to->notes) /* of an object, or they would not have been read: what fails is memory */
        bad = ad_json_parse(a->ctx, to->notes, strlen(to->notes), &notes, &error) != ADATOM_OK;
    else
        notes = json_object();
    json_array_foreach(json_object_get(a->config, "classes"), i, one)
        ad_json_append(names, json_incref(json_object_get(one, "name")), &bad);
    ad_json_set(notes, "classes", names, &bad);
    char *text = bad ? NULL : ad_json_dump(notes, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(notes);
    ad_free(to->notes);
    to->notes = text ? ad_strdup(a->ctx, text) : NULL;
    free(text); /* jansson's */
    return to->notes ? ADATOM_OK : ad_fail(a->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for the names of classes");
}

/* The network under the adapter, the classifier excluded. An adapter of kernels needs ordinary ones. */
static adatom_status merge_network(const adatom_adapter *a, const adatom_model *model, adatom_model **out) {
    adatom_status status = ADATOM_OK;
    adatom_model *composed = NULL, *to = NULL;
    const bool lowrank = a->lowrank.kind != AD_LOWRANK_NONE;
    if (lowrank) AD_TRY(ad_model_compose(model, &composed));
    const adatom_model *from = lowrank ? composed : model;
    adatom_model_params params = from->net.made_from;
    params.classes = a->info.classes;
    AD_TRY(ad_model_create_blank(model->ctx, &params, &to));
    AD_TRY(ad_model_inherit(to, model));
    AD_TRY(name_classes(a, to));
    ad_model_copy_values(to, from);
    for (int module = 0, param, part; module < a->info.tensors; module++) {
        const int i = ad_adapter_module(a, module);
        const ad_adapter_tensor *t = &a->tensors[i];
        if (ad_adapter_is_alignment(a, t)) continue;
        if (ad_adapter_is_lowrank(t)) {
            const ad_node *node = ad_adapter_node(a, to, t->module);
            AD_TRY(merge_kernel(a, i, node, to->values + to->net.params[node->kernel].offset));
            continue;
        }
        AD_TRY(ad_adapter_param(a, to, i, &param, &part));
        const ad_param *p = &to->net.params[param];
        for (size_t e = 0; e < t->elements; e++) to->values[p->offset + ad_param_at(p, part, e)] = t->values[e];
    }
    *out = to;
    to = NULL;
done:
    adatom_model_destroy(&composed);
    adatom_model_destroy(&to);
    return status;
}

adatom_status ad_adapter_merge(const adatom_adapter *a, const adatom_model *model, adatom_model **out) {
    const ad_call outer = ad_call_begin(a->ctx, NULL, NULL);
    adatom_status status = ADATOM_OK;
    unsigned roles;
    const size_t classes = (size_t)a->info.classes, features = (size_t)a->info.features;
    const float *alignment = ad_adapter_alignment(a);
    double *row = ad_malloc(a->ctx, features, sizeof *row);
    *out = NULL;
    if (!row) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(ad_adapter_check(a, model, &roles, NULL));
    AD_TRY(merge_network(a, model, out));
    const ad_network *net = &(*out)->net;
    float *head = (*out)->values + net->params[net->head].offset,
          *bias = (*out)->values + net->params[net->head_bias].offset;
    for (size_t c = 0; c < classes; c++) {
        const float *w = a->head + c * features;
        double squares = 0;
        for (size_t f = 0; f < features; f++) squares += (double)w[f] * (double)w[f];
        const double factor = (double)a->scale / (a->cosine ? fmax(sqrt(squares), 1e-12) : 1);
        for (size_t f = 0; f < features; f++) row[f] = (double)w[f];
        for (size_t e = 0; e < features && alignment; e++) /* <w, f + D f> is <w + transposed D w, f> */
            for (size_t f = 0; f < features; f++) row[f] += (double)alignment[e * features + f] * (double)w[e];
        for (size_t f = 0; f < features; f++) head[c * features + f] = (float)(factor * row[f]);
        bias[c] = a->bias ? a->bias[c] : 0;
    }
    ad_model_rehash(*out);
done:
    ad_free(row);
    return ad_call_end(a->ctx, &outer, status);
}

adatom_status adatom_adapter_merge(const adatom_adapter *a, const adatom_model *model, adatom_model **out) {
    if (a->mirror)
        ad_log(a->ctx, ADATOM_LOG_WARNING,
               "the adapter takes the mean over a picture and its mirror image, which the merged model does not");
    return ad_adapter_merge(a, model, out);
}

/* A parameter's part before and after. */
static void tensor_change(const ad_param *p, int part, const adatom_model *model, const ad_adapter_tensor *t,
                          float *before, float *after) {
    for (size_t e = 0; e < t->elements; e++) {
        before[e] = model->values[p->offset + ad_param_at(p, part, e)];
        after[e] = t->values[e];
    }
}

/* The map of the features before and after: the identity, and with the alignment. */
static void alignment_change(const ad_adapter_tensor *t, float *before, float *after) {
    const size_t features = (size_t)t->shape[0];
    for (size_t e = 0; e < t->elements; e++) {
        before[e] = e % features == e / features ? 1.0f : 0.0f;
        after[e] = before[e] + t->values[e];
    }
}

/* A kernel [o][c][k][k] before and after its adapter, whose tensors begin at `first`. */
static adatom_status kernel_change(const adatom_adapter *a, int first, const adatom_model *model, const ad_node *node,
                                   float *before, float *after) {
    const ad_param as_ordinary = {.kind = AD_PARAM_KERNEL, .o = node->filters, .c = node->channels, .k = node->k};
    const size_t count = ad_dense_count(node);
    adatom_status status = ADATOM_OUT_OF_MEMORY;
    double *kernel = ad_malloc(a->ctx, count, sizeof *kernel);
    float *w = ad_calloc(a->ctx, kernel_count(node), sizeof *w);
    if (!kernel || !w) goto done;
    ad_dense_kernel(model, node, kernel);
    for (size_t e = 0; e < count; e++) w[ad_param_at(&as_ordinary, 0, e)] = before[e] = (float)kernel[e];
    AD_TRY(merge_kernel(a, first, node, w));
    for (size_t e = 0; e < count; e++) after[e] = w[ad_param_at(&as_ordinary, 0, e)];
done:
    ad_free(kernel);
    ad_free(w);
    return status;
}

/* *values: `elements` numbers before, then as many after; ad_free(*values). */
static adatom_status look_at_tensor(const adatom_adapter *a, const adatom_model *model, int index,
                                    adatom_adapter_tensor *out, float **values) {
    unsigned roles;
    int param, part;
    adatom_status status;
    *out = (adatom_adapter_tensor){0};
    *values = NULL;
    if (index < 0 || index >= a->info.tensors)
        return ad_fail(a->ctx, ADATOM_USAGE, "the adapter has no tensor %d, only %d", index, a->info.tensors);
    AD_TRY(ad_adapter_check(a, model, &roles, NULL));
    const int i = ad_adapter_module(a, index);
    const ad_adapter_tensor *t = &a->tensors[i];
    const ad_node *node = ad_adapter_is_lowrank(t) ? ad_adapter_node(a, model, t->module) : NULL;
    const size_t count = node ? ad_dense_count(node) : t->elements;
    if (!(*values = ad_malloc(a->ctx, 2 * count, sizeof **values))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    *out = (adatom_adapter_tensor){.name = t->module, .rank = t->rank, .elements = count};
    memcpy(out->shape, t->shape, sizeof out->shape);
    if (node) {
        AD_TRY(kernel_change(a, i, model, node, *values, *values + count));
        const int64_t kernel[] = {node->filters, node->channels, node->k, node->k};
        memcpy(out->shape, kernel, sizeof kernel);
    } else if (ad_adapter_is_alignment(a, t)) {
        alignment_change(t, *values, *values + count);
    } else {
        AD_TRY(ad_adapter_param(a, model, i, &param, &part));
        tensor_change(&model->net.params[param], part, model, t, *values, *values + count);
        out->atoms = model->net.params[param].role == AD_ROLE_ATOMS;
    }
    double length = 0, change = 0;
    for (size_t e = 0; e < count; e++) {
        const double old = (double)(*values)[e], moved = (double)(*values)[count + e] - old;
        length += old * old;
        change += moved * moved;
    }
    out->moved = sqrt(change);
    out->relative = length > 0 ? sqrt(change / length) : INFINITY;
done:
    return status;
}

adatom_status adatom_adapter_get_tensor(const adatom_adapter *a, const adatom_model *model, int index,
                                        adatom_adapter_tensor *out) {
    adatom_adapter_tensor info = ADATOM_INIT(adatom_adapter_tensor);
    float *values = NULL;
    adatom_status status = look_at_tensor(a, model, index, &info, &values);
    if (status == ADATOM_OK) status = AD_INFO(a->ctx, adatom_adapter_tensor, &info, out);
    ad_free(values);
    return status;
}

adatom_status adatom_adapter_read_tensor(const adatom_adapter *a, const adatom_model *model, int index, float *before,
                                         float *after, size_t capacity) {
    adatom_adapter_tensor info = ADATOM_INIT(adatom_adapter_tensor);
    float *values = NULL;
    adatom_status status = look_at_tensor(a, model, index, &info, &values);
    if (status == ADATOM_OK && capacity < info.elements)
        status = ad_fail(a->ctx, ADATOM_USAGE, "'%s' has %zu numbers; there is room for %zu", info.name, info.elements,
                         capacity);
    if (status == ADATOM_OK && before) memcpy(before, values, info.elements * sizeof *before);
    if (status == ADATOM_OK && after) memcpy(after, values + info.elements, info.elements * sizeof *after);
    ad_free(values);
    return status;
}
