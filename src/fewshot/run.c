#include "fewshot/run.h"

#include <math.h>
#include <string.h>

adatom_status ad_upload_parameters(ad_engine *engine, const adatom_model *model, ad_buffer **out) {
    size_t bytes = model->net.role_begin[AD_ROLE_COUNT] * sizeof(float);
    adatom_status status = engine->api->buffer_create(engine, bytes, out);
    if (status != ADATOM_OK) return status;
    status = engine->api->buffer_write(engine, *out, 0, model->values, bytes);
    if (status != ADATOM_OK) engine->api->buffer_destroy(engine, out);
    return status;
}

ad_rows ad_picture_rows(ad_engine *engine, const adatom_dataset *dataset) {
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(dataset, &info);
    return (ad_rows){.engine = engine,
                     .table = adatom_dataset_pixels(dataset, 0),
                     .row_bytes = 3 * (size_t)info.image_size * (size_t)info.image_size};
}

void ad_normalisation(const adatom_model *model, float out[8]) {
    memset(out, 0, 8 * sizeof(float));
    for (int c = 0; c < 3; c++) {
        out[c] = 1.0f / model->std[c];
        out[4 + c] = -model->mean[c] / model->std[c];
    }
}

adatom_status ad_program_make(ad_engine *engine, const ad_built *built, ad_buffer *params, const ad_rows *rows,
                              ad_program **out) {
    ad_buffer *external[AD_MAX_ARENAS] = {params};
    for (int k = 0; k < rows->chunk_count; k++) external[1 + k] = rows->buffers[k];
    return engine->api->program_create(engine, built->plan, external, out);
}

adatom_status ad_write_lowrank(const ad_engine *engine, ad_program *program, const ad_built *built,
                               const ad_network *net, int rank, uint64_t seed, int task, int slot) {
    adatom_status status = ADATOM_OK;
    for (int l = 0; l < built->lowrank_count && status == ADATOM_OK; l++) {
        const ad_lowrank_layer *layer = &built->lowrank[l];
        const ad_node *node = &net->nodes[layer->node];
        const size_t count = ad_lowrank_a_count(node, rank),
                     block = (size_t)slot * built->plan->tensors[built->adapted].stride;
        ad_random random = ad_random_make(seed, AD_STREAM_ADAPTER, (uint32_t)task);
        random.counter[1] = (uint32_t)l;
        float *a = ad_malloc(engine->ctx, count, sizeof *a);
        if (!a) return ADATOM_OUT_OF_MEMORY;
        ad_lowrank_start(node, rank, &random, a);
        status =
            engine->api->program_write(program, built->adapted, (block + layer->a) * sizeof *a, a, count * sizeof *a);
        ad_free(a);
    }
    return status;
}

adatom_status ad_find_lost(const ad_engine *engine, ad_program *program, const ad_built *built, int tasks, bool *lost) {
    enum { AT_ONCE = 1 << 20 }; /* floats */
    if (built->adapted < 0 || built->adapted_count == 0 || tasks < 1) return ADATOM_OK;
    const size_t stride = built->plan->tensors[built->adapted].stride, count = built->adapted_count;
    const size_t group = AD_MIN(AD_MAX(AT_ONCE / AD_MAX(stride, (size_t)1), (size_t)1), (size_t)tasks);
    adatom_status status = ADATOM_OK;
    float *values = ad_malloc(engine->ctx, (group - 1) * stride + count, sizeof *values);
    if (!values) return ADATOM_OUT_OF_MEMORY;
    for (size_t at = 0; at < (size_t)tasks; at += group) {
        const size_t here = AD_MIN(group, (size_t)tasks - at);
        AD_TRY(engine->api->program_read(program, built->adapted, at * stride * sizeof *values, values,
                                         ((here - 1) * stride + count) * sizeof *values));
        for (size_t t = 0; t < here; t++) {
            bool finite = true;
            for (size_t e = 0; e < count; e++) finite &= isfinite(values[t * stride + e]) != 0;
            lost[at + t] = lost[at + t] || !finite;
        }
    }
done:
    ad_free(values);
    return status;
}

size_t ad_memory_allowed(ad_engine *engine, size_t memory_bytes) {
    ad_limits limits;
    engine->api->limits(engine, &limits);
    return memory_bytes ? memory_bytes : limits.memory_bytes / 2;
}

/* part: rows of a task, to be planned anew for so many tasks; 0: rows are planned. */
static adatom_status build(adatom_device *device, ad_build_params *p, ad_rows *rows, size_t part, size_t tasks,
                           int lanes, ad_built *out) {
    ad_built_clear(out);
    if (part) {
        adatom_status status = ad_rows_plan(rows, 2, part * tasks);
        if (status != ADATOM_OK) return status;
    }
    p->tasks = (int)tasks;
    p->lanes = AD_MIN(lanes, (int)tasks);
    p->chunks = rows->chunks;
    p->chunk_count = rows->chunk_count;
    return ad_build(device->ctx, p, out);
}

/* Tasks of `each` bytes for which there is room; those beyond the lanes go without the bytes of a lane. */
static size_t room(size_t allowed, size_t taken, size_t each, size_t lanes, size_t lane_bytes) {
    const size_t left = allowed > taken ? allowed - taken : 0, tasks = left / each;
    return lanes && tasks > lanes ? lanes + (left - lanes * each) / (each - lane_bytes) : tasks;
}

adatom_status ad_fit_tasks(adatom_device *device, ad_build_params *p, ad_rows *rows, size_t count, size_t per_task,
                           size_t memory_bytes, int wanted, int most, ad_built *out) {
    const ad_engine_api *api = device->engine->api;
    adatom_status status;
    ad_limits limits;
    api->limits(device->engine, &limits);
    p->costs = device->engine->costs;
    p->half = api->half_storage(device->engine) == AD_VERDICT_PASSED;
    const bool whole = !per_task || ad_rows_plan(rows, 1, count) == ADATOM_OK;
    AD_TRY(build(device, p, rows, whole ? 0 : per_task, 1, limits.lanes, out));
    const size_t one = AD_MAX(ad_plan_owned_bytes(out->plan), (size_t)1),
                 largest = AD_MAX(ad_plan_largest_tensor(out->plan), (size_t)1);
    const size_t params = out->plan->arenas[0].bytes, streaming = one + 2 * per_task * rows->row_bytes;
    const size_t all = params + (per_task ? count * rows->row_bytes : ad_rows_bytes(rows));
    const size_t least = per_task ? AD_MIN(all + one, params + streaming) : all + one;
    size_t allowed = ad_memory_allowed(device->engine, memory_bytes);
    if (!memory_bytes && least > allowed) allowed = limits.memory_bytes;
    if (least > allowed || largest > limits.tensor_bytes) {
        status =
            ad_fail(device->ctx, ADATOM_OUT_OF_MEMORY,
                    "one task needs %.1f MiB with parameters and pictures (its largest tensor %.1f MiB); %s %.1f MiB "
                    "(%.1f MiB a tensor)",
                    (double)least / 0x1p20, (double)largest / 0x1p20, memory_bytes ? "allowed are" : "this device has",
                    (double)allowed / 0x1p20, (double)limits.tensor_bytes / 0x1p20);
        goto done;
    }
    /* Lanes wait for the last of them at the end only: some tasks for each lose little. */
    size_t useful = wanted > 0 ? (size_t)wanted : limits.lanes && !p->from_features ? 4 * (size_t)limits.lanes : 64;
    useful = AD_MIN(useful, AD_MIN(limits.tensor_bytes, limits.arena_bytes) / largest);
    useful = AD_MAX(AD_MIN(AD_MIN(useful, limits.arena_bytes / one), (size_t)AD_MIN(most, AD_MOST_TASKS)), (size_t)1);
    /* All rows stay where that costs no task. */
    const size_t lanes = (size_t)limits.lanes, lane_bytes = out->plan->lane_bytes;
    const size_t staying = whole ? room(allowed, all, one, lanes, lane_bytes) : 0;
    const size_t streamed = per_task ? room(allowed, params, streaming, lanes, lane_bytes) : 0;
    const bool stream = staying < AD_MIN(streamed, useful);
    size_t first = AD_MIN(stream ? streamed : staying, useful);
    if (lanes && first > lanes && first < AD_MIN(useful, (size_t)most))
        first -= first % lanes; /* else some would be idle every time */
    for (size_t tasks = first; tasks; tasks--) {
        AD_TRY(build(device, p, rows, stream ? per_task : 0, tasks, limits.lanes, out));
        if (tasks == 1 ||
            (ad_plan_bytes(out->plan) <= allowed && ad_plan_largest_tensor(out->plan) <= limits.tensor_bytes))
            break;
    }
done:
    if (status != ADATOM_OK) ad_built_clear(out);
    return status;
}
