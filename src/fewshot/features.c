#include "fewshot/features.h"

#include "fewshot/run.h"

#include <string.h>

typedef struct features {
    uint64_t model;
    char dataset[17];
    size_t images, width;
    float *values; /* [images][width] */
    bool *present; /* [images] */
} features;

static void features_free(void *data) {
    features *f = data;
    if (!f) return;
    ad_free(f->values);
    ad_free(f->present);
    ad_free(f);
}

/* The device's cache if it is for this model and data, else an empty one put in its place. NULL: out of memory. */
static features *cache_of(adatom_device *device, const adatom_model *model, const adatom_dataset_info *info) {
    features *f = device->kept.data;
    if (f && f->model == model->hash && strcmp(f->dataset, info->hash) == 0) return f;
    features_free(f);
    device->kept.data = NULL;
    f = ad_calloc(device->ctx, 1, sizeof *f);
    if (!f) return NULL;
    f->model = model->hash;
    memcpy(f->dataset, info->hash, sizeof f->dataset);
    f->images = info->images;
    f->width = (size_t)model->net.features;
    f->values = ad_malloc(device->ctx, f->images, f->width * sizeof(float));
    f->present = ad_calloc(device->ctx, f->images, sizeof(bool));
    if (!f->values || !f->present) {
        features_free(f);
        return NULL;
    }
    device->kept.data = f;
    device->kept.free = features_free;
    return f;
}

adatom_status ad_features_compute(adatom_device *device, const adatom_model *model, const ad_rows *pictures, int size,
                                  void (*take)(void *user, size_t first, size_t count, const float *values), void *user) {
    ad_engine *engine = device->engine;
    const ad_engine_api *api = engine->api;
    const size_t count = pictures->rows, batch = AD_MIN(count, (size_t)32), width = (size_t)model->net.features;
    adatom_status status;
    ad_buffer *params = NULL;
    ad_program *program = NULL;
    ad_built built = {0};
    float *values = ad_malloc(device->ctx, batch * width, sizeof *values);
    int32_t *index = ad_malloc(device->ctx, batch, sizeof *index);
    if (!values || !index) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    AD_TRY(ad_upload_parameters(engine, model, &params));
    const ad_build_params p = {.net = &model->net,
                               .tasks = 1,
                               .query = (int)batch,
                               .query_rounds = 1,
                               .head = AD_HEAD_NONE,
                               .data_size = size,
                               .chunks = pictures->chunks,
                               .chunk_count = pictures->chunk_count};
    AD_TRY(ad_build(device->ctx, &p, &built));
    AD_TRY(ad_program_make(engine, &built, params, pictures, &program));
    float norm[8];
    const int32_t zero = 0;
    ad_normalisation(model, norm);
    AD_TRY(api->program_write(program, built.norm, 0, norm, sizeof norm));
    AD_TRY(api->program_write(program, built.eval_counter, 0, &zero, sizeof zero));
    AD_TRY(api->program_run(program, AD_SEGMENT_INIT, 1));
    for (size_t at = 0; at < count; at += batch) {
        AD_TRY(ad_interrupted(device->ctx));
        const size_t n = AD_MIN(batch, count - at);
        for (size_t i = 0; i < batch; i++) index[i] = (int32_t)AD_MIN(at + i, count - 1);
        AD_TRY(api->program_write(program, built.query_index, 0, index, batch * sizeof *index));
        AD_TRY(api->program_run(program, AD_SEGMENT_EVAL, 1));
        AD_TRY(api->program_read(program, built.features, 0, values, n * width * sizeof *values));
        take(user, at, n, values);
    }
done:
    if (program) api->program_destroy(&program);
    if (params) api->buffer_destroy(engine, &params);
    ad_built_clear(&built);
    ad_free(values);
    ad_free(index);
    return status;
}

typedef struct wanted {
    features *to;
    const int32_t *images;
} wanted;

static void keep(void *user, size_t first, size_t count, const float *values) {
    const wanted *w = user;
    for (size_t i = 0; i < count; i++) {
        const size_t image = (size_t)w->images[first + i];
        memcpy(w->to->values + image * w->to->width, values + i * w->to->width, w->to->width * sizeof *values);
        w->to->present[image] = true;
    }
}

/* Runs pictures `images[count]` through the network. */
static adatom_status extract(adatom_device *device, const adatom_model *model, const adatom_dataset *dataset,
                             const adatom_dataset_info *info, const int32_t *images, size_t count, features *to) {
    ad_rows pictures = {0};
    adatom_status status = ad_upload_pictures(device->engine, dataset, images, count, &pictures);
    if (status == ADATOM_OK) status = ad_features_compute(device, model, &pictures, info->size, keep, &(wanted){to, images});
    ad_rows_clear(&pictures);
    return status;
}

adatom_status ad_features_rows(adatom_device *device, const adatom_model *model, const adatom_dataset *dataset, const int32_t *images,
                               size_t count, ad_rows *out) {
    adatom_dataset_info info;
    adatom_dataset_describe(dataset, &info);
    adatom_status status;
    *out = (ad_rows){0};
    features *cache = cache_of(device, model, &info);
    int32_t *missing = ad_malloc(device->ctx, count, sizeof *missing);
    size_t missing_count = 0;
    if (!cache || !missing) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < count; i++)
        if (!cache->present[images[i]]) missing[missing_count++] = images[i];
    if (missing_count) AD_TRY(extract(device, model, dataset, &info, missing, missing_count, cache));
    AD_TRY(ad_rows_create(device->engine, count, cache->width * sizeof(float), out));
    for (size_t i = 0, run; i < count; i += run) {
        for (run = 1; i + run < count && images[i + run] == images[i] + (int32_t)run;) run++;
        AD_TRY(ad_rows_write(out, i, run, cache->values + (size_t)images[i] * cache->width));
    }
done:
    if (status != ADATOM_OK) ad_rows_clear(out);
    ad_free(missing);
    return status;
}
