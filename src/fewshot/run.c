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
