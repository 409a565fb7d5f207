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

adatom_status ad_write_lowrank(const ad_engine *engine, ad_program *program, const ad_built *built, const ad_network *net, int rank,
                               uint64_t seed, int task, int slot) {
    adatom_status status = ADATOM_OK;
    for (int l = 0; l < built->lowrank_count && status == ADATOM_OK; l++) {
        const ad_lowrank_layer *layer = &built->lowrank[l];
        const ad_node *node = &net->nodes[layer->node];
        const size_t count = ad_lowrank_a_count(node, rank), block = (size_t)slot * built->plan->tensors[built->adapted].stride;
        ad_random random = ad_random_make(seed, AD_STREAM_ADAPTER, (uint32_t)task);
        random.counter[1] = (uint32_t)l;
        float *a = ad_malloc(engine->ctx, count, sizeof *a);
        if (!a) return ADATOM_OUT_OF_MEMORY;
        ad_lowrank_start(node, rank, &random, a);
        status = engine->api->program_write(program, built->adapted, (block + layer->a) * sizeof *a, a, count * sizeof *a);
        ad_free(a);
    }
    return status;
}

adatom_status ad_fit_tasks(adatom_device *device, ad_build_params *p, size_t data_bytes, size_t memory_bytes, int wanted, int most,
                           ad_built *out) {
    const ad_engine_api *api = device->engine->api;
    ad_limits limits;
    api->limits(device->engine, &limits);
    p->tasks = 1;
    p->by_task = limits.by_task;
    ad_built_clear(out);
    adatom_status status = ad_build(device->ctx, p, out);
    if (status != ADATOM_OK) return status;
    const size_t one = AD_MAX(ad_plan_owned_bytes(out->plan), (size_t)1), largest = AD_MAX(ad_plan_largest_tensor(out->plan), (size_t)1);
    const size_t allowed = memory_bytes ? memory_bytes : limits.memory_bytes / 2;
    if (one + data_bytes > AD_MAX(allowed, limits.memory_bytes) || largest > limits.tensor_bytes) {
        ad_built_clear(out);
        return ad_fail(
            device->ctx, ADATOM_OUT_OF_MEMORY,
            "one task needs %.1f MiB (its largest tensor %.1f MiB) and the pictures %.1f MiB; this device has %.1f MiB (%.1f MiB a tensor)",
            (double)one / 0x1p20, (double)largest / 0x1p20, (double)data_bytes / 0x1p20, (double)allowed / 0x1p20,
            (double)limits.tensor_bytes / 0x1p20);
    }
    size_t fit = allowed > data_bytes ? (allowed - data_bytes) / one : 1;
    fit = AD_MIN(fit, AD_MIN(limits.tensor_bytes, limits.arena_bytes) / largest);
    fit = AD_MIN(fit, AD_MAX(limits.arena_bytes / one, (size_t)1));
    /* More tasks than this bring nothing where they are worked through one after another. */
    const size_t useful = wanted > 0 ? (size_t)wanted : limits.by_task && !p->from_features ? 4 : 64;
    p->tasks = (int)AD_MAX(AD_MIN(AD_MIN(fit, useful), (size_t)most), (size_t)1);
    for (;; p->tasks--) {
        ad_built_clear(out);
        status = ad_build(device->ctx, p, out);
        if (status != ADATOM_OK || p->tasks == 1) return status;
        if (ad_plan_owned_bytes(out->plan) + data_bytes <= allowed && ad_plan_largest_tensor(out->plan) <= limits.tensor_bytes)
            return status;
    }
}
