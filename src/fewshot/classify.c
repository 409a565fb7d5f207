/* Classifying pictures under one or several adapters. The network gives features on the device; the classifiers, a few
 * thousand products a picture, are applied on the host. Adapters that leave the network as it is share one pass; those
 * that move parameters are the tasks of one plan, each with its own copy of what moved. Adapters of kernels run one
 * after the other, merged into them. */
#include "fewshot/adapter.h"
#include "fewshot/run_model.h"
#include "fewshot/session.h"

#include <math.h>
#include <string.h>

struct adatom_predictions {
    adatom_context *ctx;
    adatom_predictions_info info;
    int *classes;          /* of each result */
    float **probabilities; /* [images][classes] of each result */
    double **typicality;   /* [images] of each result; NaN where it is not known */
    float reject;
};

typedef struct classification {
    adatom_context *ctx;
    ad_session session;
    const adatom_model *model;
    const adatom_adapter *const *adapters;
    adatom_classify_params p;
    size_t images;
    float *aligned; /* [batch][features] where the adapter has an alignment */
    bool *layers;   /* of the model: those of which an adapter holds a tensor */
    /* The results that the running pass of the pictures is for: which[count], each under the features of a task of its
     * own, or all under those of the only task. */
    const size_t *which;
    size_t count;
    bool own_tasks;
    adatom_predictions *out;
} classification;

/* Writes the parameters of the task in place `slot`: the model's, and over them the adapter's. */
static adatom_status write_adapted(classification *c, int slot, const adatom_adapter *a) {
    const ad_network *net = &c->model->net;
    const ad_built *built = &c->session.built;
    adatom_status status = ADATOM_OK;
    float *block = ad_calloc(c->ctx, built->adapted_count, sizeof *block);
    if (!block) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < net->param_count; i++)
        if (built->at[i] != AD_NOT_ADAPTED)
            memcpy(block + built->at[i], c->model->values + net->params[i].offset,
                   net->params[i].count * sizeof(float));
    for (int i = 0, param, part; i < a->count; i++) {
        AD_TRY(ad_adapter_param(a, c->model, i, &param, &part));
        const ad_param *p = &net->params[param];
        float *to = block + built->at[param];
        for (size_t e = 0; e < a->tensors[i].elements; e++) to[ad_param_at(p, part, e)] = a->tensors[i].values[e];
    }
    AD_TRY(ad_session_write(&c->session, built->adapted, slot, 0, block, built->adapted_count));
done:
    ad_free(block);
    return status;
}

/* Applies the classifiers to the features of n pictures. */
static void take_probabilities(void *user, size_t first, size_t n, const float *features, size_t stride) {
    classification *c = user;
    const size_t width = (size_t)c->model->net.features, task_stride = c->own_tasks ? stride : 0;
#pragma omp parallel for collapse(2)
    for (size_t r = 0; r < c->count; r++)
        for (size_t i = 0; i < n; i++) {
            const size_t result = c->which[r], classes = (size_t)c->out->classes[result];
            const float *row = features + r * task_stride + i * width;
            if (c->aligned) {
                ad_adapter_align(c->adapters[result], ad_adapter_alignment(c->adapters[result]), row,
                                 c->aligned + i * width);
                row = c->aligned + i * width;
            }
            const adatom_adapter *a = c->adapters[result];
            float *to = c->out->probabilities[result] + (first + i) * classes;
            const double familiarity = ad_adapter_scores(a, row, to);
            ad_adapter_probabilities(to, (int)classes, c->p.calibrated ? (double)a->calibration.temperature : 1);
            c->out->typicality[result][first + i] = a->calibration.pictures && isfinite(familiarity)
                                                        ? ad_calibration_typicality(&a->calibration, familiarity)
                                                        : NAN;
        }
    ad_session_tell(&c->session, n * c->count);
}

/* Classifies all pictures under the adapters numbered which[count], which have one `mirror`. roles 0: the model as it
 * is, one task whose features serve them all; else a task for each, with its own copy of what c->layers have of those
 * roles. */
static adatom_status classify_under(classification *c, unsigned roles, const size_t *which, size_t count) {
    ad_session *s = &c->session;
    adatom_status status;
    const ad_build_params build = {.net = &s->model->net,
                                   .adapt = roles,
                                   .layers = c->layers,
                                   .query = (int)s->rows.part,
                                   .query_rounds = 1,
                                   .head = AD_HEAD_NONE,
                                   .fast = true,
                                   .mirror = c->adapters[which[0]]->mirror,
                                   .data_size = s->model->net.image_size};
    const ad_tasks_wanted wanted = {.most = roles ? (int)count : 1, .memory_bytes = c->p.memory_bytes};
    AD_TRY(ad_session_plan_tasks(s, &build, &wanted));
    AD_TRY(ad_session_begin(s, NULL, 0));
    const size_t tasks = (size_t)s->build.tasks, group = roles ? tasks : count;
    for (size_t at = 0; at < count; at += group) {
        AD_TRY(ad_session_start(s));
        for (size_t t = 0; t < tasks && roles; t++)
            AD_TRY(write_adapted(c, (int)t, c->adapters[which[AD_MIN(at + t, count - 1)]]));
        c->which = which + at;
        c->count = AD_MIN(group, count - at);
        c->own_tasks = roles != 0;
        AD_TRY(ad_session_pass(s, NULL, c->images, take_probabilities, c));
    }
done:
    return status;
}

/* Classifies all pictures under an adapter of kernels: the model becomes one with its kernels. */
static adatom_status classify_merged(classification *c, size_t which) {
    adatom_model *merged = NULL;
    adatom_status status;
    AD_TRY(ad_adapter_merge(c->adapters[which], c->model, &merged));
    if (ad_adapter_alignment(c->adapters[which])) {
        c->aligned = ad_malloc(c->ctx, c->session.rows.part * (size_t)c->model->net.features, sizeof *c->aligned);
        if (!c->aligned) AD_TRY(ADATOM_OUT_OF_MEMORY);
    }
    ad_session_change_model(&c->session, merged);
    AD_TRY(classify_under(c, 0, &which, 1));
done:
    ad_session_change_model(&c->session, c->model);
    ad_free(c->aligned);
    c->aligned = NULL;
    adatom_model_destroy(&merged);
    return status;
}

/* The model's own classifier in an adapter's form. */
static adatom_status own_classifier(const adatom_model *model, adatom_adapter **out) {
    const ad_network *net = &model->net;
    if (net->way < 1)
        return ad_fail(model->ctx, ADATOM_USAGE,
                       "the model has no classifier of its own: make an adapter from pictures of your classes ('adatom "
                       "adapt'), and classify with that (--adapter)");
    adatom_status status = ad_adapter_create(model->ctx, net->way, net->features, false, 1.0f, out);
    if (status != ADATOM_OK) return status;
    memcpy((*out)->head, model->values + net->params[net->head].offset, net->params[net->head].logical * sizeof(float));
    memcpy((*out)->bias, model->values + net->params[net->head_bias].offset,
           net->params[net->head_bias].logical * sizeof(float));
    return ADATOM_OK;
}

static adatom_status make_predictions(classification *c, size_t results) {
    adatom_predictions *o = c->out = ad_calloc(c->ctx, 1, sizeof *o);
    if (!o) return ADATOM_OUT_OF_MEMORY;
    o->ctx = c->ctx;
    o->classes = ad_calloc(c->ctx, results, sizeof *o->classes);
    o->probabilities = ad_calloc(c->ctx, results, sizeof *o->probabilities);
    o->typicality = ad_calloc(c->ctx, results, sizeof *o->typicality);
    o->reject = c->p.reject;
    if (!o->classes || !o->probabilities || !o->typicality) return ADATOM_OUT_OF_MEMORY;
    o->info = (adatom_predictions_info){.images = c->images, .results = (int)results};
    for (size_t r = 0; r < results; r++) {
        o->classes[r] = c->adapters[r]->info.classes;
        o->probabilities[r] = ad_malloc(c->ctx, c->images, (size_t)o->classes[r] * sizeof(float));
        o->typicality[r] = ad_malloc(c->ctx, c->images, sizeof(double));
        if (!o->probabilities[r] || !o->typicality[r]) return ADATOM_OUT_OF_MEMORY;
    }
    return ADATOM_OK;
}

/* Room for two batches of pictures, which each run passes through. */
static adatom_status make_picture_room(classification *c, const adatom_dataset *dataset, int size) {
    ad_row_stream *rows = &c->session.rows;
    const size_t part = AD_MIN((size_t)c->p.batch, c->images);
    ad_session_use_pictures(&c->session, adatom_dataset_pixels(dataset, 0), size);
    return ad_row_stream_lay_out(rows, 2, part) ? ad_row_stream_create(rows) : ad_row_stream_too_large(rows, 2 * part);
}

/* Features are there already: all classifiers are applied on the host. */
static adatom_status classify_features(classification *c, const adatom_dataset *dataset,
                                       const adatom_dataset_info *info) {
    enum { AT_ONCE = 4096 };
    const size_t results = AD_MAX(c->p.adapter_count, (size_t)1);
    size_t *which = ad_calloc(c->ctx, results, sizeof *which);
    adatom_status status = ADATOM_OK;
    if (!which) return ADATOM_OUT_OF_MEMORY;
    for (size_t r = 0; r < c->p.adapter_count; r++) AD_TRY(ad_adapter_check_features(c->adapters[r], info));
    AD_TRY(make_predictions(c, results));
    for (size_t r = 0; r < results; r++) which[r] = r;
    c->which = which;
    c->count = results;
    for (size_t at = 0; at < c->images; at += AT_ONCE) {
        AD_TRY(ad_interrupted(c->ctx));
        take_probabilities(c, at, AD_MIN((size_t)AT_ONCE, c->images - at), adatom_dataset_features(dataset, at), 0);
    }
    c->out->info.shared = (int)results;
done:
    ad_free(which);
    return status;
}

/* The adapters of tensors with that `mirror`, and that hold tensors of the model or do not: which[count]. */
static size_t choose_alike(const classification *c, const unsigned *held, bool mirror, bool moves, size_t *which) {
    size_t count = 0;
    for (size_t i = 0; i < AD_MAX(c->p.adapter_count, (size_t)1); i++) {
        const adatom_adapter *a = c->adapters[i];
        if (a->lowrank.kind == AD_LOWRANK_NONE && a->mirror == mirror && (held[i] != 0) == moves) which[count++] = i;
    }
    return count;
}

static adatom_status classify_pictures(classification *c, const adatom_dataset *dataset,
                                       const adatom_dataset_info *info) {
    const size_t adapter_count = c->p.adapter_count, results = AD_MAX(adapter_count, (size_t)1);
    const int size = c->model->net.image_size;
    size_t *which = ad_calloc(c->ctx, results, sizeof *which);
    unsigned *held = ad_calloc(c->ctx, results, sizeof *held), roles = 0; /* the model's own classifier holds none */
    adatom_status status = ADATOM_OK;
    c->layers = ad_calloc(c->ctx, (size_t)c->model->net.node_count, sizeof *c->layers);
    if (!which || !held || !c->layers) AD_TRY(ADATOM_OUT_OF_MEMORY);
    if (info->image_size != size)
        AD_TRY(
            ad_fail(c->ctx, ADATOM_BAD_DATA, "the pictures are %d pixels, the model wants %d", info->image_size, size));
    for (size_t i = 0; i < adapter_count; i++) {
        AD_TRY(ad_adapter_check(c->adapters[i], c->model, &held[i], c->layers));
        if (c->adapters[i]->lowrank.kind == AD_LOWRANK_NONE) roles |= held[i];
    }
    AD_TRY(make_predictions(c, results));
    AD_TRY(make_picture_room(c, dataset, size));
    for (int mirror = 0; mirror < 2; mirror++)
        for (int moves = 0; moves < 2; moves++) {
            const size_t count = choose_alike(c, held, mirror, moves, which);
            if (count) AD_TRY(classify_under(c, moves ? roles : 0, which, count));
            if (!moves) c->out->info.shared += (int)count;
        }
    for (size_t i = 0; i < adapter_count; i++)
        if (c->adapters[i]->lowrank.kind != AD_LOWRANK_NONE) AD_TRY(classify_merged(c, i));
done:
    ad_free(c->layers);
    ad_free(held);
    ad_free(which);
    return status;
}

/* Whether every adapter is calibrated by as many pictures as the params ask for. */
static adatom_status check_calibrated(const classification *c) {
    const float share = c->p.reject;
    if (!(share >= 0 && share < 1))
        return ad_fail(c->ctx, ADATOM_USAGE, "%g is no part of the pictures to refuse: more than 0, less than 1",
                       (double)share);
    if (!c->p.calibrated && share == 0) return ADATOM_OK;
    if (c->p.adapter_count == 0)
        return ad_fail(c->ctx, ADATOM_USAGE,
                       "the model's own classifier is not calibrated, only adapters are: make one ('adatom adapt')");
    for (size_t i = 0; i < c->p.adapter_count; i++) {
        const ad_calibration *of = &c->adapters[i]->calibration;
        if (of->pictures == 0)
            return ad_fail(c->ctx, ADATOM_USAGE,
                           "adapter number %zu is not calibrated: make it anew with an estimate of its accuracy, which "
                           "calibrates it ('adatom adapt')",
                           i + 1);
        if (share > 0 && share < (float)ad_calibration_least(of))
            return ad_fail(
                c->ctx, ADATOM_USAGE,
                "adapter number %zu is calibrated by %d pictures, by which no less than a part of %.3g can be "
                "refused; ask for that, or adapt to more pictures",
                i + 1, of->pictures, ad_calibration_least(of));
    }
    return ADATOM_OK;
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
            if (!finite) o->typicality[r][i] = NAN;
            o->info.refused += adatom_predictions_refused(o, r, i);
        }
}

/* An engine with lanes computes in a processor's caches, which hold a few pictures. */
static int default_batch(const ad_engine *engine) {
    ad_limits limits = {0};
    engine->api->limits(engine, &limits);
    return limits.lanes ? 8 : 32;
}

/* c->p: the caller's. */
static adatom_status classify(classification *c, const adatom_dataset *dataset, adatom_predictions **out) {
    const double start = ad_seconds();
    adatom_adapter *own = NULL;
    const adatom_adapter *only = NULL;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_status status = ADATOM_OK;
    adatom_dataset_describe(dataset, &info);
    c->images = info.images;
    if (!c->p.batch) c->p.batch = default_batch(c->session.device->engine);
    c->session.progress.phase = ADATOM_PHASE_CLASSIFYING;
    c->session.progress.total = AD_MAX(c->p.adapter_count, (size_t)1) * info.images;
    if (c->p.batch < 1)
        AD_TRY(ad_fail(c->ctx, ADATOM_USAGE, "batches of %d pictures: at least 1 is possible", c->p.batch));
    AD_TRY(check_calibrated(c));
    if (c->p.adapter_count == 0) {
        AD_TRY(own_classifier(c->model, &own));
        only = own;
        c->adapters = &only;
    }
    AD_TRY(info.features ? classify_features(c, dataset, &info) : classify_pictures(c, dataset, &info));
    c->out->info.seconds = ad_seconds() - start;
    c->out->info.images_per_s = (double)c->images / c->out->info.seconds;
    count_lost(c->out);
    *out = c->out;
    c->out = NULL;
done:
    ad_session_clear(&c->session);
    adatom_predictions_destroy(&c->out);
    adatom_adapter_destroy(&own);
    return status;
}

adatom_status adatom_classify(adatom_device *device, const adatom_model *model, const adatom_dataset *dataset,
                              const adatom_classify_params *params, adatom_predictions **out) {
    classification c = {.ctx = device->ctx};
    ad_run_model run = {0};
    *out = NULL;
    adatom_status status = AD_PARAMS(c.ctx, adatom_classify_params, params, &c.p);
    const ad_call outer = ad_call_begin(c.ctx, c.p.progress, c.p.user);
    c.adapters = c.p.adapters;
    if (status == ADATOM_OK) status = ad_run_model_choose(c.ctx, model, dataset, &run);
    if (status == ADATOM_OK) {
        c.model = run.model;
        c.session = ad_session_of(device, run.model);
        status = classify(&c, dataset, out);
    }
    ad_run_model_clear(&run);
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

double adatom_predictions_typicality(const adatom_predictions *p, int result, size_t image) {
    if (result < 0 || result >= p->info.results || image >= p->info.images) return NAN;
    return p->typicality[result][image];
}

bool adatom_predictions_refused(const adatom_predictions *p, int result, size_t image) {
    return p->reject > 0 && (float)adatom_predictions_typicality(p, result, image) <= p->reject;
}

void adatom_predictions_destroy(adatom_predictions **predictions) {
    if (!predictions || !*predictions) return;
    adatom_predictions *p = *predictions;
    for (int r = 0; p->probabilities && r < p->info.results; r++) ad_free(p->probabilities[r]);
    for (int r = 0; p->typicality && r < p->info.results; r++) ad_free(p->typicality[r]);
    ad_free(p->probabilities);
    ad_free(p->typicality);
    ad_free(p->classes);
    ad_free(p);
    *predictions = NULL;
}
