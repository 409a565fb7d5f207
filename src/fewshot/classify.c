/* Classifying pictures under one or several adapters. The network gives features on the device; the classifiers, a few
 * thousand products a picture, are applied on the host. Adapters that leave the network as it is share one pass; those
 * that move parameters are the tasks of one plan, each with its own copy of what moved. Low-rank ones run one after the
 * other, merged into their kernels. */
#include "fewshot/adapter.h"
#include "fewshot/run.h"

#include <math.h>
#include <string.h>

struct adatom_predictions {
    adatom_context *ctx;
    adatom_predictions_info info;
    int *classes;          /* of each result */
    float **probabilities; /* [images][classes] of each result */
};

typedef struct classification {
    adatom_device *device;
    adatom_context *ctx;
    const ad_engine_api *api;
    const adatom_model *model;
    const adatom_adapter *const *adapters;
    adatom_classify_params p;
    size_t images, done, total;
    ad_rows rows;
    ad_buffer *params;
    adatom_predictions *out;
} classification;

/* Writes the parameters of one task: the model's, and over them the adapter's. */
static adatom_status write_adapted(const classification *c, ad_program *program, const ad_built *built, unsigned roles,
                                   int slot, const adatom_adapter *a) {
    const ad_network *net = &c->model->net;
    adatom_status status = ADATOM_OK;
    float *block = ad_calloc(c->ctx, built->adapted_count, sizeof *block);
    if (!block) return ADATOM_OUT_OF_MEMORY;
    for (int role = 0; role < AD_ROLE_COUNT; role++)
        if (roles >> role & 1)
            memcpy(block + built->role_offset[role], c->model->values + net->role_begin[role],
                   (net->role_begin[role + 1] - net->role_begin[role]) * sizeof(float));
    for (int i = 0, param, part; i < a->count; i++) {
        AD_TRY(ad_adapter_param(a, c->model, i, &param, &part));
        const ad_param *p = &net->params[param];
        float *to = block + built->role_offset[p->role] + p->offset - net->role_begin[p->role];
        for (size_t e = 0; e < a->tensors[i].elements; e++) to[ad_param_at(p, part, e)] = a->tensors[i].values[e];
    }
    const size_t stride = built->plan->tensors[built->adapted].stride;
    status = c->api->program_write(program, built->adapted, (size_t)slot * stride * sizeof(float), block,
                                   built->adapted_count * sizeof(float));
done:
    ad_free(block);
    return status;
}

/* All pictures under the adapters numbered which[count]. roles 0: the model as it is, one task whose features serve
 * them all; else a task for each. */
static adatom_status run(classification *c, unsigned roles, const size_t *which, size_t count) {
    const size_t width = (size_t)c->model->net.features;
    adatom_status status;
    ad_built built = {0};
    ad_program *program = NULL;
    int32_t *index = NULL;
    float *features = NULL;
    ad_build_params p = {.net = &c->model->net,
                         .adapt = roles,
                         .query = (int)c->rows.part,
                         .query_rounds = 1,
                         .head = AD_HEAD_NONE,
                         .data_size = c->model->net.image_size};
    AD_TRY(ad_fit_tasks(c->device, &p, &c->rows, 0, 0, c->p.memory_bytes, 0, roles ? (int)count : 1, &built));
    AD_TRY(ad_program_make(c->device->engine, &built, c->params, &c->rows, &program));
    const size_t tasks = (size_t)p.tasks, batch = (size_t)p.query, stride = built.plan->tensors[built.features].stride;
    index = ad_malloc(c->ctx, tasks * batch, sizeof *index);
    features = ad_malloc(c->ctx, tasks * stride, sizeof *features);
    if (!index || !features) AD_TRY(ADATOM_OUT_OF_MEMORY);
    float norm[8];
    ad_normalisation(c->model, norm);
    AD_TRY(c->api->program_write(program, built.norm, 0, norm, sizeof norm));
    const int32_t zero = 0;
    AD_TRY(c->api->program_write(program, built.eval_counter, 0, &zero, sizeof zero));
    for (size_t group = 0; group < count; group += roles ? tasks : count) {
        AD_TRY(ad_run_segment(c->api, program, AD_SEGMENT_INIT, 1));
        for (size_t t = 0; t < tasks && roles; t++)
            AD_TRY(write_adapted(c, program, &built, roles, (int)t, c->adapters[which[AD_MIN(group + t, count - 1)]]));
        for (size_t at = 0; at < c->images; at += batch) {
            AD_TRY(ad_interrupted(c->ctx));
            AD_TRY(ad_rows_next(&c->rows, NULL, c->images, at, index));
            for (size_t t = 1; t < tasks; t++) memcpy(index + t * batch, index, batch * sizeof *index);
            AD_TRY(c->api->program_write(program, built.query_index, 0, index, tasks * batch * sizeof *index));
            AD_TRY(ad_run_segment(c->api, program, AD_SEGMENT_EVAL, 1));
            AD_TRY(c->api->program_read(program, built.features, 0, features,
                                        ((tasks - 1) * stride + batch * width) * sizeof(float)));
            const size_t n = AD_MIN(batch, c->images - at), here = roles ? AD_MIN(tasks, count - group) : count;
#pragma omp parallel for collapse(2)
            for (size_t r = 0; r < here; r++)
                for (size_t i = 0; i < n; i++) {
                    const size_t result = which[group + r], classes = (size_t)c->out->classes[result];
                    ad_adapter_probabilities(c->adapters[result], features + (roles ? r * stride : 0) + i * width,
                                             c->out->probabilities[result] + (at + i) * classes);
                }
            c->done += n * here;
            ad_report(c->ctx, ADATOM_PHASE_CLASSIFYING, c->done, c->total);
        }
    }
done:
    if (program) c->api->program_destroy(&program);
    ad_built_clear(&built);
    ad_free(index);
    ad_free(features);
    return status;
}

static adatom_status run_merged(classification *c, size_t which) {
    classification own = *c;
    adatom_model *merged = NULL;
    adatom_status status;
    own.params = NULL;
    AD_TRY(adatom_adapter_merge(c->adapters[which], c->model, &merged));
    own.model = merged;
    AD_TRY(ad_upload_parameters(c->device->engine, merged, &own.params));
    AD_TRY(run(&own, 0, &which, 1));
done:
    c->done = own.done;
    c->rows = own.rows; /* the rooms on the device hold other pictures now */
    if (own.params) c->api->buffer_destroy(c->device->engine, &own.params);
    adatom_model_destroy(&merged);
    return status;
}

/* The model's own classifier in an adapter's form. */
static adatom_status own_classifier(const adatom_model *model, adatom_adapter **out) {
    const ad_network *net = &model->net;
    if (net->way < 1)
        return ad_fail(model->ctx, ADATOM_USAGE, "the model has no classifier of its own: an adapter is needed");
    adatom_status status = ad_adapter_create(model->ctx, net->way, net->features, false, 1.0f, out);
    if (status != ADATOM_OK) return status;
    memcpy((*out)->head, model->values + net->params[net->head].offset, net->params[net->head].logical * sizeof(float));
    memcpy((*out)->bias, model->values + net->params[net->head_bias].offset,
           net->params[net->head_bias].logical * sizeof(float));
    return ADATOM_OK;
}

static adatom_status make_room(classification *c, size_t results) {
    adatom_predictions *o = c->out = ad_calloc(c->ctx, 1, sizeof *o);
    if (!o) return ADATOM_OUT_OF_MEMORY;
    o->ctx = c->ctx;
    o->classes = ad_calloc(c->ctx, results, sizeof *o->classes);
    o->probabilities = ad_calloc(c->ctx, results, sizeof *o->probabilities);
    if (!o->classes || !o->probabilities) return ADATOM_OUT_OF_MEMORY;
    o->info = (adatom_predictions_info){.images = c->images, .results = (int)results};
    for (size_t r = 0; r < results; r++) {
        o->classes[r] = c->adapters[r]->info.classes;
        o->probabilities[r] = ad_malloc(c->ctx, c->images, (size_t)o->classes[r] * sizeof(float));
        if (!o->probabilities[r]) return ADATOM_OUT_OF_MEMORY;
    }
    return ADATOM_OK;
}

/* Room for two batches of pictures, which each run passes through. */
static adatom_status upload(classification *c, const adatom_dataset *dataset) {
    adatom_status status;
    c->rows = ad_picture_rows(c->device->engine, dataset);
    AD_TRY(ad_rows_plan(&c->rows, 2, AD_MIN((size_t)c->p.batch, c->images)));
    AD_TRY(ad_rows_create(&c->rows));
    AD_TRY(ad_upload_parameters(c->device->engine, c->model, &c->params));
done:
    return status;
}

/* The probabilities of a picture are all finite or all NaN. */
static void count_lost(adatom_predictions *o) {
    for (int r = 0; r < o->info.results; r++)
        for (size_t i = 0; i < o->info.images; i++) {
            float *row = o->probabilities[r] + i * (size_t)o->classes[r];
            bool finite = true;
            for (int c = 0; c < o->classes[r]; c++) finite = finite && isfinite(row[c]);
            for (int c = 0; c < o->classes[r] && !finite; c++) row[c] = NAN;
            o->info.lost += !finite;
        }
}

/* c->p: the caller's. */
static adatom_status classify(classification *c, const adatom_dataset *dataset, adatom_predictions **out) {
    const double start = ad_seconds();
    const adatom_model *model = c->model;
    const adatom_adapter *const *adapters = c->p.adapters;
    const size_t adapter_count = c->p.adapter_count, results = AD_MAX(adapter_count, (size_t)1);
    adatom_adapter *own = NULL;
    const adatom_adapter *only = NULL;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_status status;
    size_t *which = ad_calloc(c->ctx, 2 * results, sizeof *which), shared = 0, moved = 0;
    if (!which) return ADATOM_OUT_OF_MEMORY;
    adatom_dataset_describe(dataset, &info);
    c->images = info.images;
    c->total = results * info.images;
    if (!c->p.batch) c->p.batch = 32;
    if (c->p.batch < 1)
        AD_TRY(ad_fail(c->ctx, ADATOM_USAGE, "batches of %d pictures: at least 1 is possible", c->p.batch));
    if (info.image_size != model->net.image_size)
        AD_TRY(ad_fail(c->ctx, ADATOM_BAD_DATA, "the pictures are %d pixels, the model wants %d", info.image_size,
                       model->net.image_size));
    unsigned roles = 0;
    if (adapter_count == 0) {
        AD_TRY(own_classifier(model, &own));
        only = own;
        c->adapters = &only;
        shared = 1;
    }
    for (size_t i = 0; i < adapter_count; i++) {
        unsigned held;
        AD_TRY(ad_adapter_check(adapters[i], model, &held));
        if (adapters[i]->lowrank.kind != AD_LOWRANK_NONE) continue;
        if (held)
            which[results + moved++] = i;
        else
            which[shared++] = i;
        roles |= held;
    }
    AD_TRY(make_room(c, results));
    AD_TRY(upload(c, dataset));
    if (shared) AD_TRY(run(c, 0, which, shared));
    if (moved) AD_TRY(run(c, roles, which + results, moved));
    for (size_t i = 0; i < adapter_count; i++)
        if (adapters[i]->lowrank.kind != AD_LOWRANK_NONE) AD_TRY(run_merged(c, i));
    c->out->info.shared = (int)shared;
    c->out->info.seconds = ad_seconds() - start;
    c->out->info.images_per_s = (double)c->images / c->out->info.seconds;
    count_lost(c->out);
    *out = c->out;
    c->out = NULL;
done:
    if (c->params) c->api->buffer_destroy(c->device->engine, &c->params);
    ad_rows_clear(&c->rows);
    adatom_predictions_destroy(&c->out);
    adatom_adapter_destroy(&own);
    ad_free(which);
    return status;
}

adatom_status adatom_classify(adatom_device *device, const adatom_model *model, const adatom_dataset *dataset,
                              const adatom_classify_params *params, adatom_predictions **out) {
    classification c = {.device = device, .ctx = device->ctx, .api = device->engine->api, .model = model};
    *out = NULL;
    adatom_status status = AD_PARAMS(c.ctx, adatom_classify_params, params, &c.p);
    const ad_call outer = ad_call_begin(c.ctx, c.p.progress, c.p.user);
    c.adapters = c.p.adapters;
    if (status == ADATOM_OK) status = classify(&c, dataset, out);
    return ad_call_end(c.ctx, &outer, status);
}

adatom_status adatom_predictions_describe(const adatom_predictions *predictions, adatom_predictions_info *out) {
    return AD_INFO(predictions->ctx, adatom_predictions_info, &predictions->info, out);
}

const float *adatom_predictions_get(const adatom_predictions *p, int result, size_t image, int *classes) {
    if (result < 0 || result >= p->info.results || image >= p->info.images) return NULL;
    *classes = p->classes[result];
    return p->probabilities[result] + image * (size_t)p->classes[result];
}

void adatom_predictions_destroy(adatom_predictions **predictions) {
    if (!predictions || !*predictions) return;
    adatom_predictions *p = *predictions;
    for (int r = 0; p->probabilities && r < p->info.results; r++) ad_free(p->probabilities[r]);
    ad_free(p->probabilities);
    ad_free(p->classes);
    ad_free(p);
    *predictions = NULL;
}
