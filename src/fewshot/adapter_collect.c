/* From a task on the device to an adapter: its numbers, and the configuration that says where they come from. */
#include "fewshot/adapter_fit.h"
#include "fewshot/provenance.h"
#include "io/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static adatom_status check_finite(const ad_adapter_fit *f, const char *name, const float *values, size_t count) {
    for (size_t e = 0; e < count; e++)
        if (!isfinite(values[e]))
            return ad_fail(f->ctx, ADATOM_FAILED,
                           "adapting diverged (tensor '%s' is not finite); lower the learning rate", name);
    return ADATOM_OK;
}

/* values: the adapted block. */
static adatom_status collect_lowrank(const ad_adapter_fit *f, const float *values, adatom_adapter *a) {
    const ad_built *built = &f->session.built;
    adatom_status status = ADATOM_OK;
    for (int l = 0; l < built->lowrank_count; l++) {
        const ad_lowrank_layer *layer = &built->lowrank[l];
        const ad_node *node = &f->model->net.nodes[layer->node];
        for (int part = 0; part < ad_lowrank_parts(a->lowrank.kind); part++) {
            char name[AD_PARAM_NAME];
            int64_t shape[4];
            const int rank = ad_lowrank_file(node, &a->lowrank, part, name, shape);
            AD_TRY(ad_adapter_add(a, node->name, name, rank, shape));
            const ad_adapter_tensor *t = &a->tensors[a->count - 1];
            for (size_t e = 0; e < t->elements; e++)
                t->values[e] = values[ad_lowrank_at(node, &a->lowrank, layer, part, e)];
            AD_TRY(check_finite(f, t->name, t->values, t->elements));
        }
    }
done:
    return status;
}

static adatom_status collect_alignment(const ad_adapter_fit *f, const float *values, adatom_adapter *a) {
    const ad_built *built = &f->session.built;
    const int64_t shape[] = {f->features, f->features};
    if (built->alignment < 0) return ADATOM_OK;
    const adatom_status status = ad_adapter_add(a, AD_ADAPTER_ALIGNMENT, AD_ADAPTER_ALIGNMENT, 2, shape);
    if (status != ADATOM_OK) return status;
    const ad_adapter_tensor *t = &a->tensors[a->count - 1];
    memcpy(t->values, values + built->alignment_offset, t->elements * sizeof *values);
    return check_finite(f, t->name, t->values, t->elements);
}

/* values: the adapted block, and the statistics after it. */
static adatom_status collect_parameters(const ad_adapter_fit *f, const float *values, adatom_adapter *a) {
    const ad_network *net = &f->model->net;
    const ad_built *built = &f->session.built;
    adatom_status status = ADATOM_OK;
    for (int i = 0; i < net->param_count; i++) {
        const ad_param *p = &net->params[i];
        const bool statistics = p->role == AD_ROLE_STATISTICS && built->statistics >= 0;
        if (!statistics && built->at[i] == AD_NOT_ADAPTED) continue;
        const float *from =
            values + (statistics ? built->adapted_count + p->offset - net->role_begin[p->role] : built->at[i]);
        for (int part = 0; part < ad_param_parts(p); part++) {
            char name[AD_PARAM_NAME];
            int64_t shape[AD_PARAM_RANK];
            const int rank = ad_param_file(p, part, name, shape);
            AD_TRY(ad_adapter_add(a, name, name, rank, shape));
            const ad_adapter_tensor *t = &a->tensors[a->count - 1];
            for (size_t e = 0; e < t->elements; e++) t->values[e] = from[ad_param_at(p, part, e)];
            AD_TRY(check_finite(f, t->name, t->values, t->elements));
        }
    }
done:
    return status;
}

adatom_status ad_adapter_fit_collect(ad_adapter_fit *f, adatom_adapter *a) {
    ad_session *s = &f->session;
    const ad_built *built = &s->built;
    const ad_network *net = &f->model->net;
    const size_t statistics = net->role_begin[AD_ROLE_STATISTICS + 1] - net->role_begin[AD_ROLE_STATISTICS];
    const size_t classes = (size_t)f->info.classes, weights = classes * (size_t)f->features;
    adatom_status status = ADATOM_OK;
    float *values = ad_malloc(f->ctx, AD_MAX(built->adapted_count + statistics, (size_t)1), sizeof *values);
    if (!values) return ADATOM_OUT_OF_MEMORY;
    if (built->adapted >= 0) AD_TRY(ad_session_read(s, built->adapted, 0, values, built->adapted_count));
    if (built->statistics >= 0)
        AD_TRY(ad_session_read(s, built->statistics, 0, values + built->adapted_count, statistics));
    AD_TRY(collect_parameters(f, values, a));
    a->lowrank = f->settings.lowrank;
    AD_TRY(collect_lowrank(f, values, a));
    AD_TRY(collect_alignment(f, values, a));
    AD_TRY(ad_session_read(s, built->head, 0, a->head, weights));
    if (a->bias) AD_TRY(ad_session_read(s, built->head_bias, 0, a->bias, classes));
    AD_TRY(check_finite(f, "head.weight", a->head, weights));
    if (a->bias) AD_TRY(check_finite(f, "head.bias", a->bias, classes));
done:
    ad_free(values);
    return status;
}

/* ---- the configuration ---- */

static json_t *list_classes(const ad_adapter_fit *f, const ad_adapter_fit_checkpoint *best, bool *bad) {
    json_t *classes = json_array();
    for (int k = 0; k < f->info.classes; k++) {
        const char *name;
        size_t first, count;
        adatom_dataset_class(f->dataset, k, &name, &first, &count);
        ad_json_append(classes,
                       json_pack("{s:s, s:i, s:i, s:i}", "name", name, "images", (int)count, "tested", best->tested[k],
                                 "right", best->right[k]),
                       bad);
    }
    return classes;
}

static json_t *describe_method(const ad_adapter_fit *f, const ad_adapter_fit_checkpoint *best, bool *bad) {
    char augment[ADATOM_AUGMENT_TEXT_BYTES];
    json_t *method = ad_settings_json(&f->settings);
    adatom_augment_text(f->p.augment, augment, sizeof augment);
    ad_json_set(method, "steps", json_integer(best->steps), bad);
    ad_json_set(method, "batch", json_integer(f->fresh ? AD_MIN(f->p.batch, f->images) : f->images), bad);
    ad_json_set(method, "augment", json_string(augment), bad);
    if (f->p.augment & ~(uint32_t)ADATOM_AUGMENT_NONE) ad_json_set(method, "shift", json_integer(f->p.shift), bad);
    return method;
}

static json_t *describe_estimate(const ad_adapter_fit *f, const ad_adapter_fit_checkpoint *best, int fitted_right,
                                 bool *bad) {
    json_t *estimate = json_pack("{s:s, s:i, s:i, s:i, s:i, s:b}", "kind", adatom_estimate_name(f->p.estimate),
                                 "tested", best->all_tested, "right", best->all_right, "fitted", f->images,
                                 "fitted_right", fitted_right, "early_stop", f->checkpoint_count > 1);
    if (best->lost_tasks) { /* the tasks of the estimate and those that are not in it */
        ad_json_set(estimate, "tasks", json_integer(f->folds), bad);
        ad_json_set(estimate, "diverged", json_integer(best->lost_tasks), bad);
    }
    if (f->p.estimate == ADATOM_ESTIMATE_FOLDS) ad_json_set(estimate, "folds", json_integer(f->folds), bad);
    if (f->p.estimate == ADATOM_ESTIMATE_HOLDOUT)
        ad_json_set(estimate, "holdout", json_real((double)f->p.holdout), bad);
    return estimate;
}

json_t *ad_adapter_fit_configuration(const ad_adapter_fit *f, const ad_adapter_fit_checkpoint *best, int fitted_right) {
    json_t *c = json_object();
    bool bad = false;
#define SET(key, value) ad_json_set(c, key, value, &bad)
    SET("tool_version", json_string(ADATOM_VERSION));
    if (f->p.command) SET("command", ad_json_text(f->ctx, f->p.command));
    if (f->p.base_model) SET("base_model_name_or_path", ad_json_text(f->ctx, f->p.base_model));
    SET("base_model", ad_provenance_model(f->model, f->dataset));
    SET("preprocessing", ad_provenance_preprocessing(f->model, f->dataset));
    SET("method", describe_method(f, best, &bad));
    SET("dataset", json_pack("{s:s, s:s, s:i}", "name", f->info.name, "hash", f->info.hash, "images", f->images));
    SET("device", ad_provenance_device(f->device));
    SET("classes", list_classes(f, best, &bad));
    SET("estimate", describe_estimate(f, best, fitted_right, &bad));
    if (f->choice) SET("choice", json_incref(f->choice));
#undef SET
    if (!bad) return c;
    json_decref(c);
    return NULL;
}
