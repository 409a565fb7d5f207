/* Adapters: what they hold, whether they fit a model. What they do to it is in adapter_merge.c, their files in
 * formats/adapter_*.c, how they are made in adapter_fit.c. */
#include "fewshot/adapter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

adatom_status ad_adapter_create(adatom_context *ctx, int classes, int features, bool cosine, float scale,
                                adatom_adapter **out) {
    adatom_adapter *a = *out = ad_calloc(ctx, 1, sizeof *a);
    if (!a) return ADATOM_OUT_OF_MEMORY;
    a->ctx = ctx;
    a->cosine = cosine;
    a->scale = scale;
    a->info.classes = classes;
    a->info.features = features;
    a->head = ad_calloc(ctx, (size_t)classes * (size_t)features, sizeof(float));
    a->bias = cosine ? NULL : ad_calloc(ctx, (size_t)classes, sizeof(float));
    if (a->head && (cosine || a->bias)) return ADATOM_OK;
    adatom_adapter_destroy(out);
    return ADATOM_OUT_OF_MEMORY;
}

void adatom_adapter_destroy(adatom_adapter **adapter) {
    if (!adapter || !*adapter) return;
    adatom_adapter *a = *adapter;
    for (int i = 0; i < a->count; i++) ad_free(a->tensors[i].values);
    ad_free(a->tensors);
    ad_free(a->head);
    ad_free(a->bias);
    ad_free(a->answers);
    ad_free(a->scores);
    ad_calibration_clear(&a->calibration);
    free(a->config_text); /* jansson's */
    json_decref(a->config);
    ad_free(a);
    *adapter = NULL;
}

adatom_status ad_adapter_add(adatom_adapter *a, const char *module, const char *name, int rank, const int64_t *shape) {
    if (a->count == a->room) {
        const int room = 2 * a->room + 8;
        ad_adapter_tensor *grown = ad_realloc(a->ctx, a->tensors, (size_t)a->room, (size_t)room, sizeof *grown);
        if (!grown) return ADATOM_OUT_OF_MEMORY;
        a->tensors = grown;
        a->room = room;
    }
    ad_adapter_tensor *t = &a->tensors[a->count];
    *t = (ad_adapter_tensor){.rank = rank, .elements = 1};
    snprintf(t->name, sizeof t->name, "%s", name);
    snprintf(t->module, sizeof t->module, "%s", module);
    for (int i = 0; i < rank; i++) t->elements *= (size_t)(t->shape[i] = shape[i]);
    if (!(t->values = ad_calloc(a->ctx, t->elements, sizeof(float)))) return ADATOM_OUT_OF_MEMORY;
    a->count++;
    return ADATOM_OK;
}

uint64_t ad_adapter_hash(const adatom_adapter *a) {
    const size_t classes = (size_t)a->info.classes;
    uint64_t hash = ad_hash(a->head, classes * (size_t)a->info.features * sizeof(float), (uint64_t)classes);
    if (a->bias) hash = ad_hash(a->bias, classes * sizeof(float), hash);
    for (int i = 0; i < a->count; i++) {
        const ad_adapter_tensor *t = &a->tensors[i];
        hash = ad_hash(t->values, t->elements * sizeof(float), ad_hash(t->name, strlen(t->name), hash));
    }
    return hash;
}

adatom_status adatom_adapter_describe(const adatom_adapter *adapter, adatom_adapter_info *out) {
    return AD_INFO(adapter->ctx, adatom_adapter_info, &adapter->info, out);
}

adatom_status adatom_adapter_get_class(const adatom_adapter *adapter, int c, adatom_adapter_class *out) {
    adatom_adapter_class info = ADATOM_INIT(adatom_adapter_class);
    if (c < 0 || c >= adapter->info.classes)
        return ad_fail(adapter->ctx, ADATOM_USAGE, "the adapter has no class %d, only 0 to %d", c,
                       adapter->info.classes - 1);
    json_t *one = json_array_get(json_object_get(adapter->config, "classes"), (size_t)c);
    info.name = json_string_value(json_object_get(one, "name"));
    info.images = (int)json_integer_value(json_object_get(one, "images"));
    info.tested = (int)json_integer_value(json_object_get(one, "tested"));
    info.right = (int)json_integer_value(json_object_get(one, "right"));
    return AD_INFO(adapter->ctx, adatom_adapter_class, &info, out);
}

const int32_t *adatom_adapter_answers(const adatom_adapter *adapter, size_t *images) {
    *images = adapter->answer_count;
    return adapter->answers;
}

const float *adatom_adapter_scores(const adatom_adapter *adapter, size_t *images) {
    *images = adapter->scores ? adapter->answer_count : 0;
    return adapter->scores;
}

adatom_status ad_adapter_param(const adatom_adapter *a, const adatom_model *model, int i, int *param, int *part) {
    const ad_adapter_tensor *t = &a->tensors[i];
    for (*param = 0; *param < model->net.param_count; ++*param) {
        const ad_param *p = &model->net.params[*param];
        for (*part = 0; p->role != AD_ROLE_HEAD && *part < ad_param_parts(p); ++*part) {
            char name[AD_PARAM_NAME];
            int64_t shape[AD_PARAM_RANK];
            const int rank = ad_param_file(p, *part, name, shape);
            if (strcmp(name, t->name) != 0) continue;
            if (rank == t->rank && memcmp(shape, t->shape, (size_t)rank * sizeof *shape) == 0) return ADATOM_OK;
            return ad_fail(a->ctx, ADATOM_BAD_DATA,
                           "the adapter's tensor '%s' does not have the shape that it has in the model", name);
        }
    }
    return ad_fail(a->ctx, ADATOM_BAD_DATA, "the adapter's tensor '%s' is not in the model", t->name);
}

int ad_adapter_module(const adatom_adapter *a, int module) {
    int i = 0;
    for (; module > 0; module--) i += ad_adapter_is_lowrank(&a->tensors[i]) ? ad_lowrank_parts(a->lowrank.kind) : 1;
    return i;
}

const ad_node *ad_adapter_node(const adatom_adapter *a, const adatom_model *model, const char *module) {
    for (int i = 0; i < model->net.node_count; i++)
        if (ad_lowrank_adapts(a->lowrank.kind, &model->net.nodes[i]) && strcmp(model->net.nodes[i].name, module) == 0)
            return &model->net.nodes[i];
    return NULL;
}

/* A tensor of an adapter of kernels. */
static adatom_status check_lowrank(const adatom_adapter *a, const adatom_model *model, const ad_adapter_tensor *t,
                                   int part) {
    char name[AD_PARAM_NAME];
    int64_t shape[4];
    const ad_node *node = ad_adapter_node(a, model, t->module);
    if (!node)
        return ad_fail(a->ctx, ADATOM_BAD_DATA, "the model has no convolution '%s' that could have such an adapter",
                       t->module);
    const int rank = ad_lowrank_file(node, &a->lowrank, part, name, shape);
    if (rank == t->rank && memcmp(shape, t->shape, (size_t)rank * sizeof *shape) == 0) return ADATOM_OK;
    char asks[40] = "asks for";
    if (a->lowrank.kind != AD_LOWRANK_TSA) snprintf(asks, sizeof asks, "and rank %d ask for", (int)a->lowrank.rank);
    return ad_fail(a->ctx, ADATOM_BAD_DATA,
                   "the adapter's tensor '%s' does not have the shape that the model's kernel %s", name, asks);
}

static adatom_status check_alignment(const adatom_adapter *a, const ad_adapter_tensor *t) {
    const int64_t features = a->info.features;
    if (t->rank == 2 && t->shape[0] == features && t->shape[1] == features) return ADATOM_OK;
    return ad_fail(a->ctx, ADATOM_BAD_DATA, "the adapter's tensor '%s' does not have the shape [%lld, %lld]", t->name,
                   (long long)features, (long long)features);
}

static adatom_status check_variance(const adatom_adapter *a, const ad_adapter_tensor *t) {
    for (size_t e = 0; e < t->elements; e++)
        if (t->values[e] < 0)
            return ad_fail(a->ctx, ADATOM_BAD_DATA,
                           "the adapter's tensor '%s' has the variance %g at element %zu; none is negative", t->name,
                           (double)t->values[e], e);
    return ADATOM_OK;
}

adatom_status ad_adapter_check(const adatom_adapter *a, const adatom_model *model, unsigned *roles, bool *layers) {
    adatom_status status = ADATOM_OK;
    char hash[17];
    *roles = 0;
    ad_hash_hex(model->hash, hash);
    if (strcmp(a->info.model_hash, AD_ADAPTER_UNKNOWN) == 0)
        AD_TRY(ad_fail(a->ctx, ADATOM_BAD_DATA,
                       "the adapter was made of features of a network that is not known: it classifies features"));
    if (strcmp(hash, a->info.model_hash) != 0)
        AD_TRY(ad_fail(a->ctx, ADATOM_BAD_DATA, "the adapter belongs to another model (hash %s); this one's hash is %s",
                       a->info.model_hash, hash));
    if (a->info.features != model->net.features)
        AD_TRY(ad_fail(a->ctx, ADATOM_BAD_DATA, "the adapter's classifier takes %d features, the model has %d",
                       a->info.features, model->net.features));
    for (int i = 0, param, part; i < a->count; i++) {
        const ad_adapter_tensor *t = &a->tensors[i];
        if (ad_adapter_is_lowrank(t)) {
            for (part = 0; part < ad_lowrank_parts(a->lowrank.kind); part++)
                AD_TRY(check_lowrank(a, model, t + part, part));
            i += part - 1;
        } else if (ad_adapter_is_alignment(a, t)) {
            AD_TRY(check_alignment(a, t));
        } else {
            AD_TRY(ad_adapter_param(a, model, i, &param, &part));
            *roles |= 1u << model->net.params[param].role;
            if (layers) ad_layers_mark(&model->net, param, layers);
            if (model->net.params[param].role == AD_ROLE_STATISTICS && part == 1) AD_TRY(check_variance(a, t));
        }
    }
done:
    return status;
}

adatom_status ad_adapter_check_features(const adatom_adapter *a, const adatom_dataset_info *features) {
    const bool known = strcmp(a->info.model_hash, AD_ADAPTER_UNKNOWN) != 0, told = features->model_hash[0] != 0;
    if (a->count > 0)
        return ad_fail(a->ctx, ADATOM_BAD_DATA,
                       "the adapter (%s) changes the network, so that it classifies pictures, not features",
                       a->info.method);
    if (a->mirror)
        return ad_fail(a->ctx, ADATOM_BAD_DATA,
                       "the adapter takes the mean over a picture and its mirror image, so that it classifies "
                       "pictures, not features");
    if (a->info.features != features->features)
        return ad_fail(a->ctx, ADATOM_BAD_DATA, "the adapter's classifier takes %d features, '%s' has %d",
                       a->info.features, features->name, features->features);
    if (known && told && strcmp(a->info.model_hash, features->model_hash) != 0)
        return ad_fail(a->ctx, ADATOM_BAD_DATA,
                       "the adapter belongs to another network (hash %s) than the features of '%s' (hash %s)",
                       a->info.model_hash, features->name, features->model_hash);
    if (known != told)
        ad_log(a->ctx, ADATOM_LOG_WARNING,
               "whether the features of '%s' are of the adapter's network is not known: %s does not tell its network",
               features->name, known ? "their file" : "the adapter");
    return ADATOM_OK;
}

const float *ad_adapter_alignment(const adatom_adapter *a) {
    for (int i = 0; i < a->count; i++)
        if (ad_adapter_is_alignment(a, &a->tensors[i])) return a->tensors[i].values;
    return NULL;
}

/* Eight rows' sums at a time, which do not wait for each other; each is added up in the order of the features. */
enum { TOGETHER = 8 };

/* Rows first .. first+7 of a matrix; past its end the last one again, whose result is not used. */
static void eight_rows(const float *matrix, size_t count, size_t features, size_t first, const float *rows[TOGETHER]) {
    for (size_t r = 0; r < TOGETHER; r++) rows[r] = matrix + AD_MIN(first + r, count - 1) * features;
}

/* sums[r] += sum over f: rows[r][f] * x[r][f], in as many parts as a wide vector has lanes: the same whatever the
 * processor's are. */
AD_CLONES static void add_eight_products(const float *const rows[TOGETHER], const float *const x[TOGETHER],
                                         size_t features, double sums[TOGETHER]) {
    enum { LANES = 8 };
    for (int r = 0; r < TOGETHER; r++) {
        const float *a = rows[r], *b = x[r];
        double sum[LANES] = {0};
        size_t f = 0;
        for (; f + LANES <= features; f += LANES)
            for (size_t lane = 0; lane < LANES; lane++) sum[lane] += (double)a[f + lane] * (double)b[f + lane];
        for (size_t lane = 0; f < features; f++, lane++) sum[lane] += (double)a[f] * (double)b[f];
        for (size_t apart = LANES / 2; apart > 0; apart /= 2)
            for (size_t lane = 0; lane < apart; lane++) sum[lane] += sum[lane + apart];
        sums[r] += sum[0];
    }
}

void ad_adapter_align(const adatom_adapter *a, const float *alignment, const float *x, float *aligned) {
    const size_t features = (size_t)a->info.features;
    const float *rows[TOGETHER], *same[TOGETHER];
    for (size_t r = 0; r < TOGETHER; r++) same[r] = x;
    for (size_t first = 0; first < features; first += TOGETHER) {
        double sums[TOGETHER];
        for (size_t r = 0; r < TOGETHER; r++) sums[r] = (double)x[AD_MIN(first + r, features - 1)];
        eight_rows(alignment, features, features, first, rows);
        add_eight_products(rows, same, features, sums);
        for (size_t r = 0; r < TOGETHER && first + r < features; r++) aligned[first + r] = (float)sums[r];
    }
}

double ad_adapter_scores(const adatom_adapter *a, const float *x, float *scores) {
    const size_t features = (size_t)a->info.features;
    const int classes = a->info.classes;
    const float *rows[TOGETHER], *same[TOGETHER];
    double length = 0, most = -INFINITY;
    for (int r = 0; r < TOGETHER; r++) same[r] = x;
    for (size_t f = 0; f < features; f++) length += (double)x[f] * (double)x[f];
    for (int first = 0; first < classes; first += TOGETHER) {
        double dots[TOGETHER] = {0}, own[TOGETHER] = {0};
        eight_rows(a->head, (size_t)classes, features, (size_t)first, rows);
        add_eight_products(rows, same, features, dots);
        if (a->cosine) add_eight_products(rows, rows, features, own);
        for (int r = 0; r < TOGETHER && first + r < classes; r++) {
            const int c = first + r;
            if (a->cosine) dots[r] /= fmax(sqrt(length), 1e-12) * fmax(sqrt(own[r]), 1e-12); /* as ROW_NORM */
            const double logit = (double)a->scale * dots[r] + (a->bias ? (double)a->bias[c] : 0);
            scores[c] = (float)logit;
            most = fmax(most, a->cosine ? dots[r] : logit);
        }
    }
    return a->cosine ? most : most / fmax(sqrt(length), 1e-12);
}

void ad_adapter_probabilities(float *scores, int classes, double temperature) {
    double largest = -INFINITY, sum = 0;
    for (int c = 0; c < classes; c++) largest = fmax(largest, (double)scores[c]);
    for (int c = 0; c < classes; c++)
        sum += (double)(scores[c] = (float)exp(((double)scores[c] - largest) / temperature));
    for (int c = 0; c < classes; c++) scores[c] = (float)((double)scores[c] / sum);
}
