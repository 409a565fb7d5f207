#include "fewshot/run_model.h"

#include <string.h>

/* Features that tell their network's hash must be the model's; others of that many numbers may be. */
static adatom_status check_network(const adatom_model *model, const adatom_dataset_info *data) {
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &m);
    if (data->features != m.features)
        return ad_fail(model->ctx, ADATOM_BAD_DATA, "'%s' holds %d features of each picture, the model has %d",
                       data->name, data->features, m.features);
    if (data->model_hash[0] && strcmp(data->model_hash, m.hash) != 0)
        return ad_fail(model->ctx, ADATOM_BAD_DATA,
                       "'%s' holds features of another network (hash %s); this model's hash is %s", data->name,
                       data->model_hash, m.hash);
    return ADATOM_OK;
}

adatom_status ad_run_model_choose(adatom_context *ctx, const adatom_model *model, const adatom_dataset *dataset,
                                  ad_run_model *out) {
    adatom_dataset_info data = ADATOM_INIT(adatom_dataset_info);
    *out = (ad_run_model){.model = model};
    adatom_dataset_describe(dataset, &data);
    if (data.listed)
        return ad_fail(ctx, ADATOM_USAGE, "the pictures of '%s' are only listed: features can be computed of them",
                       data.name);
    if (!data.features)
        return model ? ADATOM_OK : ad_fail(ctx, ADATOM_USAGE, "'%s' holds pictures, which need a model", data.name);
    if (model) return check_network(model, &data);
    adatom_status status = ad_model_create_bare(ctx, data.features, data.model_hash, &out->own);
    out->model = out->own;
    return status;
}

void ad_run_model_clear(ad_run_model *run) { adatom_model_destroy(&run->own); }

adatom_status ad_run_model_method(adatom_context *ctx, const adatom_dataset *dataset, const ad_settings *settings) {
    adatom_dataset_info data = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(dataset, &data);
    if (data.features && settings->mirror)
        return ad_fail(ctx, ADATOM_USAGE, "'%s' holds features, which have no mirror images", data.name);
    if (!data.features || !settings->backbone) return ADATOM_OK;
    if (settings->bn != AD_BN_FROZEN)
        return ad_fail(ctx, ADATOM_USAGE,
                       "statistics of batch norm need pictures, and '%s' holds features: take frozen", data.name);
    return ad_fail(
        ctx, ADATOM_USAGE,
        "'%s' adapts the network, and '%s' holds features: methods that leave it as it is are centroid, head, "
        "cosine, logistic, lda, knn, bd-cspn and simpleshot",
        settings->name, data.name);
}

bool ad_run_model_unlabelled(const adatom_dataset *dataset) {
    adatom_dataset_info data = ADATOM_INIT(adatom_dataset_info);
    const char *name = NULL;
    size_t first, count;
    adatom_dataset_describe(dataset, &data);
    return data.classes == 1 && adatom_dataset_class(dataset, 0, &name, &first, &count) == ADATOM_OK && !*name;
}
