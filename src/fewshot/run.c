#include "fewshot/run.h"

#include <string.h>

adatom_status ad_upload_parameters(ad_engine *engine, const adatom_model *model, ad_buffer **out) {
    size_t bytes = model->net.role_begin[AD_ROLE_COUNT] * sizeof(float);
    adatom_status status = engine->api->buffer_create(engine, bytes, out);
    if (status != ADATOM_OK) return status;
    status = engine->api->buffer_write(engine, *out, 0, model->values, bytes);
    if (status != ADATOM_OK) engine->api->buffer_destroy(engine, out);
    return status;
}

adatom_status ad_upload_pictures(ad_engine *engine, const adatom_dataset *dataset, const int32_t *images, size_t count, ad_rows *out) {
    adatom_dataset_info info;
    adatom_dataset_describe(dataset, &info);
    const size_t bytes = 3 * (size_t)info.size * (size_t)info.size;
    adatom_status status = ad_rows_create(engine, count, bytes, out);
    /* Neighbours in the data set are neighbours here mostly: write them in runs. */
    for (size_t i = 0, run; i < count && status == ADATOM_OK; i += run) {
        for (run = 1; i + run < count && images[i + run] == images[i] + (int32_t)run;) run++;
        status = ad_rows_write(out, i, run, adatom_dataset_pixels(dataset, (size_t)images[i]));
    }
    if (status != ADATOM_OK) ad_rows_clear(out);
    return status;
}

void ad_normalisation(const adatom_model *model, float out[8]) {
    memset(out, 0, 8 * sizeof(float));
    for (int c = 0; c < 3; c++) {
        out[c] = 1.0f / model->std[c];
        out[4 + c] = -model->mean[c] / model->std[c];
    }
}

adatom_status ad_program_make(ad_engine *engine, const ad_built *built, ad_buffer *params, const ad_rows *rows, ad_program **out) {
    ad_buffer *external[AD_MAX_ARENAS] = {params};
    for (int k = 0; k < rows->chunk_count; k++) external[1 + k] = rows->buffers[k];
    return engine->api->program_create(engine, built->plan, external, out);
}

adatom_status ad_extract_features(adatom_device *device, const adatom_model *model, const adatom_dataset *dataset, const int32_t *images,
                                  size_t count, ad_rows *out) {
    ad_engine *engine = device->engine;
    const ad_engine_api *api = engine->api;
    const size_t batch = AD_MIN(count, (size_t)32), width = (size_t)model->net.features;
    adatom_dataset_info info;
    adatom_dataset_describe(dataset, &info);
    adatom_status status;
    ad_rows pictures = {0};
    ad_buffer *params = NULL;
    ad_program *program = NULL;
    ad_built built = {0};
    float *features = ad_malloc(device->ctx, batch * width, sizeof *features);
    int32_t *index = ad_malloc(device->ctx, batch, sizeof *index);
    *out = (ad_rows){0};
    if (!features || !index) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    AD_TRY(ad_upload_pictures(engine, dataset, images, count, &pictures));
    AD_TRY(ad_upload_parameters(engine, model, &params));
    ad_build_params p = {.net = &model->net, .tasks = 1, .query = (int)batch, .query_rounds = 1, .head = AD_HEAD_NONE,
                         .data_size = info.size, .chunks = pictures.chunks, .chunk_count = pictures.chunk_count};
    AD_TRY(ad_build(device->ctx, &p, &built));
    AD_TRY(ad_program_make(engine, &built, params, &pictures, &program));
    float norm[8];
    const int32_t zero = 0;
    ad_normalisation(model, norm);
    AD_TRY(api->program_write(program, built.norm, 0, norm, sizeof norm));
    AD_TRY(api->program_write(program, built.eval_counter, 0, &zero, sizeof zero));
    AD_TRY(api->program_run(program, AD_SEGMENT_INIT, 1));
    AD_TRY(ad_rows_create(engine, count, width * sizeof(float), out));
    for (size_t at = 0; at < count; at += batch) {
        AD_TRY(ad_interrupted(device->ctx));
        const size_t n = AD_MIN(batch, count - at);
        for (size_t i = 0; i < batch; i++) index[i] = (int32_t)AD_MIN(at + i, count - 1);
        AD_TRY(api->program_write(program, built.query_index, 0, index, batch * sizeof *index));
        AD_TRY(api->program_run(program, AD_SEGMENT_EVAL, 1));
        AD_TRY(api->program_read(program, built.features, 0, features, n * width * sizeof *features));
        AD_TRY(ad_rows_write(out, at, n, features));
    }
done:
    if (program) api->program_destroy(&program);
    if (params) api->buffer_destroy(engine, &params);
    if (status != ADATOM_OK) ad_rows_clear(out);
    ad_rows_clear(&pictures);
    ad_built_clear(&built);
    ad_free(features);
    ad_free(index);
    return status;
}
