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

/* The largest batch that memory allows, and its plan. */
static adatom_status plan(adatom_device *device, const adatom_model *model, int size, size_t count, size_t memory_bytes,
                          ad_rows *rows, ad_built *out) {
    enum { LARGEST = 32 };
    adatom_status status = ADATOM_OK;
    const size_t allowed = ad_memory_allowed(device->engine, memory_bytes);
    for (size_t batch = AD_MIN(count, (size_t)LARGEST); batch; batch /= 2) {
        AD_TRY(ad_rows_plan(rows, 2, batch));
        const ad_build_params p = {.net = &model->net,
                                   .tasks = 1,
                                   .query = (int)batch,
                                   .query_rounds = 1,
                                   .head = AD_HEAD_NONE,
                                   .costs = device->engine->costs,
                                   .data_size = size,
                                   .chunks = rows->chunks,
                                   .chunk_count = rows->chunk_count};
        ad_built_clear(out);
        AD_TRY(ad_build(device->ctx, &p, out));
        if (ad_plan_bytes(out->plan) <= allowed) goto done;
    }
    if (memory_bytes)
        status = ad_fail(device->ctx, ADATOM_OUT_OF_MEMORY,
                         "the features of one picture need %.1f MiB; allowed are %.1f MiB",
                         (double)ad_plan_bytes(out->plan) / 0x1p20, (double)allowed / 0x1p20);
done:
    return status;
}

adatom_status ad_features_plan(adatom_device *device, const adatom_model *model, int size, size_t count,
                               size_t memory_bytes) {
    ad_rows rows = {.engine = device->engine, .row_bytes = 3 * (size_t)size * (size_t)size};
    ad_built built = {0};
    adatom_status status = plan(device, model, size, count, memory_bytes, &rows, &built);
    ad_rows_clear(&rows);
    ad_built_clear(&built);
    return status;
}

adatom_status ad_features_compute(adatom_device *device, const adatom_model *model, const uint8_t *pixels, int size,
                                  const int32_t *images, size_t count, size_t memory_bytes,
                                  void (*take)(void *user, size_t first, size_t n, const float *values), void *user) {
    ad_engine *engine = device->engine;
    const ad_engine_api *api = engine->api;
    const size_t width = (size_t)model->net.features;
    adatom_status status;
    ad_buffer *params = NULL;
    ad_program *program = NULL;
    ad_built built = {0};
    ad_rows rows = {.engine = engine, .table = pixels, .row_bytes = 3 * (size_t)size * (size_t)size};
    float *values = NULL;
    int32_t *index = NULL;
    AD_TRY(ad_upload_parameters(engine, model, &params));
    AD_TRY(plan(device, model, size, count, memory_bytes, &rows, &built));
    const size_t batch = rows.part;
    values = ad_malloc(device->ctx, batch * width, sizeof *values);
    index = ad_malloc(device->ctx, batch, sizeof *index);
    if (!values || !index) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(ad_rows_create(&rows));
    AD_TRY(ad_program_make(engine, &built, params, &rows, &program));
    float norm[8];
    const int32_t zero = 0;
    ad_normalisation(model, norm);
    AD_TRY(api->program_write(program, built.norm, 0, norm, sizeof norm));
    AD_TRY(api->program_write(program, built.eval_counter, 0, &zero, sizeof zero));
    AD_TRY(ad_run_segment(api, program, AD_SEGMENT_INIT, 1));
    for (size_t at = 0; at < count; at += batch) {
        AD_TRY(ad_interrupted(device->ctx));
        AD_TRY(ad_rows_next(&rows, images, count, at, index));
        AD_TRY(api->program_write(program, built.query_index, 0, index, batch * sizeof *index));
        AD_TRY(ad_run_segment(api, program, AD_SEGMENT_EVAL, 1));
        const size_t n = AD_MIN(batch, count - at);
        AD_TRY(api->program_read(program, built.features, 0, values, n * width * sizeof *values));
        take(user, at, n, values);
    }
done:
    if (program) api->program_destroy(&program);
    if (params) api->buffer_destroy(engine, &params);
    ad_rows_clear(&rows);
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

adatom_status ad_features_table(adatom_device *device, const adatom_model *model, const adatom_dataset *dataset,
                                const int32_t *images, size_t count, size_t memory_bytes, const void **table) {
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(dataset, &info);
    adatom_status status = ADATOM_OK;
    features *cache = cache_of(device, model, &info);
    int32_t *missing = ad_malloc(device->ctx, count, sizeof *missing);
    size_t missing_count = 0;
    if (!cache || !missing) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (size_t i = 0; i < count; i++) {
        const int32_t image = images ? images[i] : (int32_t)i;
        if (!cache->present[image]) missing[missing_count++] = image;
    }
    if (missing_count)
        AD_TRY(ad_features_compute(device, model, adatom_dataset_pixels(dataset, 0), info.image_size, missing, missing_count,
                                   memory_bytes, keep, &(wanted){cache, missing}));
    *table = cache->values;
done:
    ad_free(missing);
    return status;
}
