#include "fewshot/session.h"

#include <math.h>
#include <string.h>

ad_session ad_session_of(adatom_device *device, const adatom_model *model) {
    return (ad_session){.device = device, .model = model, .rows = {.engine = device->engine}};
}

void ad_session_use_pictures(ad_session *s, const uint8_t *pixels, int size) {
    s->rows.table = pixels;
    s->rows.row_bytes = 3 * (size_t)size * (size_t)size;
}

void ad_session_use_features(ad_session *s, const float *table) {
    s->rows.table = table;
    s->rows.row_bytes = (size_t)s->model->net.features * sizeof(float);
}

void ad_session_end_program(ad_session *s) {
    if (s->program) s->device->engine->api->program_destroy(&s->program);
    ad_built_clear(&s->built);
    ad_free(s->support);
    ad_free(s->query);
    ad_free(s->lost);
    ad_free(s->features);
    ad_free(s->outer.labels);
    ad_free(s->outer.loss);
    memset(&s->outer, 0, sizeof s->outer);
    s->support = s->labels = s->query = s->predicted = s->support_draw = s->query_draw = NULL;
    s->lost = NULL;
    s->features = NULL;
}

void ad_session_change_model(ad_session *s, const adatom_model *model) {
    ad_session_end_program(s);
    if (s->parameters) s->device->engine->api->buffer_destroy(s->device->engine, &s->parameters);
    s->model = model;
}

void ad_session_clear(ad_session *s) {
    if (!s->device) return;
    ad_session_change_model(s, NULL);
    if (!s->borrowed) ad_row_stream_clear(&s->rows);
}

/* ---- beginning ---- */

/* The model's parameter arena on the device. */
static adatom_status upload_parameters(ad_session *s) {
    ad_engine *engine = s->device->engine;
    const size_t bytes = s->model->net.role_begin[AD_ROLE_COUNT] * sizeof(float);
    /* A model of features alone has none, and no buffer is empty. */
    adatom_status status = engine->api->buffer_create(engine, AD_MAX(bytes, sizeof(float)), &s->parameters);
    if (status != ADATOM_OK || bytes == 0) return status;
    status = engine->api->buffer_write(engine, s->parameters, 0, s->model->values, bytes);
    if (status != ADATOM_OK) engine->api->buffer_destroy(engine, &s->parameters);
    return status;
}

/* Arena 0 of plans holds the parameters, arenas 1.. the chunks of rows. */
static adatom_status create_program(ad_session *s) {
    ad_engine *engine = s->device->engine;
    ad_buffer *external[AD_MAX_ARENAS] = {s->parameters};
    for (int k = 0; k < s->rows.chunk_count; k++) external[1 + k] = s->rows.buffers[k];
    return engine->api->program_create(engine, s->built.plan, external, &s->program);
}

static size_t support_count(const ad_session *s) {
    return s->built.support_index < 0
               ? 0
               : (size_t)AD_MAX(s->build.support_rounds, 1) * (size_t)s->build.tasks * (size_t)s->build.support;
}

static size_t query_count(const ad_session *s) {
    return s->built.query_index < 0
               ? 0
               : (size_t)AD_MAX(s->build.query_rounds, 1) * (size_t)s->build.tasks * (size_t)s->build.query;
}

static adatom_status allocate_outer(ad_session *s) {
    adatom_context *ctx = s->device->ctx;
    const size_t tasks = (size_t)s->build.tasks;
    s->outer.pictures = s->built.plan->tensors[s->built.outer_labels].count / tasks;
    const size_t count = tasks * s->outer.pictures;
    s->outer.labels = ad_calloc(ctx, 2 * count, sizeof *s->outer.labels);
    s->outer.loss = ad_calloc(ctx, tasks, sizeof *s->outer.loss);
    if (!s->outer.labels || !s->outer.loss) return ADATOM_OUT_OF_MEMORY;
    s->outer.predicted = s->outer.labels + count;
    return ADATOM_OK;
}

static adatom_status allocate_arrays(ad_session *s) {
    adatom_context *ctx = s->device->ctx;
    s->support = ad_calloc(ctx, 3 * support_count(s), sizeof *s->support);
    s->query = ad_calloc(ctx, 3 * query_count(s), sizeof *s->query);
    s->lost = ad_calloc(ctx, (size_t)s->build.tasks, sizeof *s->lost);
    if (!s->support || !s->query || !s->lost) return ADATOM_OUT_OF_MEMORY;
    s->labels = s->support + support_count(s);
    s->support_draw = s->labels + support_count(s);
    s->predicted = s->query + query_count(s);
    s->query_draw = s->predicted + query_count(s);
    if (s->build.query_features) {
        s->features = ad_malloc(ctx, query_count(s), (size_t)s->model->net.features * sizeof *s->features);
        if (!s->features) return ADATOM_OUT_OF_MEMORY;
    }
    return s->built.outer_labels < 0 ? ADATOM_OK : allocate_outer(s);
}

static adatom_status write_tensor(ad_session *s, int tensor, const void *data, size_t bytes) {
    return s->device->engine->api->program_write(s->program, tensor, 0, data, bytes);
}

static adatom_status write_counter(ad_session *s, int tensor, int32_t value) {
    return tensor < 0 ? ADATOM_OK : write_tensor(s, tensor, &value, sizeof value);
}

/* Scale and shift of pixels: (pixel/255 - mean)/std. */
static adatom_status write_pixel_scale(ad_session *s) {
    float norm[8] = {0};
    if (s->built.norm < 0) return ADATOM_OK;
    for (int c = 0; c < 3; c++) {
        norm[c] = 1.0f / s->model->std[c];
        norm[4 + c] = -s->model->mean[c] / s->model->std[c];
    }
    return write_tensor(s, s->built.norm, norm, sizeof norm);
}

adatom_status ad_session_begin(ad_session *s, const float *schedule, int steps) {
    adatom_status status = ADATOM_OK;
    if (!s->parameters) AD_TRY(upload_parameters(s));
    AD_TRY(ad_row_stream_create(&s->rows));
    AD_TRY(create_program(s));
    AD_TRY(allocate_arrays(s));
    AD_TRY(write_pixel_scale(s));
    if (s->built.schedule >= 0)
        AD_TRY(write_tensor(s, s->built.schedule, schedule, AD_SCHEDULE_COLUMNS * (size_t)steps * sizeof *schedule));
done:
    return status;
}

/* ---- running ---- */

adatom_status ad_session_write_support(ad_session *s) {
    const size_t bytes = support_count(s) * sizeof *s->support;
    adatom_status status = ADATOM_OK;
    if (!bytes) return ADATOM_OK;
    AD_TRY(write_tensor(s, s->built.support_index, s->support, bytes));
    AD_TRY(write_tensor(s, s->built.support_labels, s->labels, bytes));
    if (s->built.support_draw >= 0) AD_TRY(write_tensor(s, s->built.support_draw, s->support_draw, bytes));
done:
    return status;
}

static adatom_status write_query(ad_session *s) {
    const size_t bytes = query_count(s) * sizeof *s->query;
    adatom_status status = ADATOM_OK;
    if (!bytes) return ADATOM_OK;
    AD_TRY(write_tensor(s, s->built.query_index, s->query, bytes));
    if (s->built.query_draw >= 0) AD_TRY(write_tensor(s, s->built.query_draw, s->query_draw, bytes));
done:
    return status;
}

adatom_status ad_session_write_tasks(ad_session *s) {
    adatom_status status;
    AD_TRY(ad_session_write_support(s));
    AD_TRY(write_query(s));
    AD_TRY(write_counter(s, s->built.counter, 0));
    AD_TRY(write_counter(s, s->built.eval_counter, 0));
done:
    return status;
}

adatom_status ad_session_start(ad_session *s) {
    adatom_status status;
    AD_TRY(ad_interrupted(s->device->ctx));
    AD_TRY(ad_session_write_tasks(s));
    AD_TRY(ad_run_segment(s->device->engine->api, s->program, AD_SEGMENT_INIT, 1));
done:
    return status;
}

/* Tasks whose adapted numbers are not all finite are lost. Where nothing adapts nothing is lost. */
static adatom_status find_lost(ad_session *s) {
    enum { AT_ONCE = 1 << 20 }; /* floats read at once */
    const ad_engine_api *api = s->device->engine->api;
    const size_t tasks = (size_t)s->build.tasks, count = s->built.adapted_count;
    adatom_status status = ADATOM_OK;
    memset(s->lost, 0, tasks * sizeof *s->lost);
    if (s->built.adapted < 0 || count == 0) return ADATOM_OK;
    const size_t stride = s->built.plan->tensors[s->built.adapted].stride;
    const size_t group = AD_MIN(AD_MAX(AT_ONCE / AD_MAX(stride, (size_t)1), (size_t)1), tasks);
    float *values = ad_malloc(s->device->ctx, (group - 1) * stride + count, sizeof *values);
    if (!values) return ADATOM_OUT_OF_MEMORY;
    for (size_t at = 0; at < tasks; at += group) {
        const size_t here = AD_MIN(group, tasks - at);
        AD_TRY(api->program_read(s->program, s->built.adapted, at * stride * sizeof *values, values,
                                 ((here - 1) * stride + count) * sizeof *values));
        for (size_t t = 0; t < here; t++) {
            bool finite = true;
            for (size_t e = 0; e < count; e++) finite &= isfinite(values[t * stride + e]) != 0;
            s->lost[at + t] = !finite;
        }
    }
done:
    ad_free(values);
    return status;
}

/* The rounds of the queries one by one, each followed by its features. */
static adatom_status eval_features(ad_session *s) {
    const ad_engine_api *api = s->device->engine->api;
    const size_t count = (size_t)s->build.query * (size_t)s->model->net.features;
    adatom_status status = ADATOM_OK;
    for (int round = 0; round < s->build.query_rounds; round++) {
        AD_TRY(ad_run_segment(api, s->program, AD_SEGMENT_EVAL, 1));
        for (int t = 0; t < s->build.tasks; t++) {
            float *to = s->features + ((size_t)t * (size_t)s->build.query_rounds + (size_t)round) * count;
            AD_TRY(ad_session_read(s, s->built.features, t, to, count));
        }
    }
done:
    return status;
}

adatom_status ad_session_adapt(ad_session *s, bool first, int steps) {
    const ad_engine_api *api = s->device->engine->api;
    const ad_run runs[] = {{AD_SEGMENT_PREFIX, first},
                           {AD_SEGMENT_STEP, steps},
                           {AD_SEGMENT_EVAL, s->features ? 0 : s->build.query_rounds}};
    adatom_status status;
    AD_TRY(write_counter(s, s->built.eval_counter, 0));
    AD_TRY(api->program_run(s->program, runs, AD_COUNT(runs)));
    if (s->features) AD_TRY(eval_features(s));
    AD_TRY(api->program_read(s->program, s->built.query_predicted, 0, s->predicted,
                             query_count(s) * sizeof *s->predicted));
    AD_TRY(find_lost(s));
done:
    return status;
}

bool ad_session_judge(ad_session *s, int task, int asked, bool trained) {
    bool lost = s->lost[task], tied = trained;
    for (int i = 0; i < asked; i++) {
        int32_t *class = &s->predicted[ad_session_query_at(s, task, i)];
        tied = tied && *class == AD_PREDICTED_TIED;
        if (*class == AD_PREDICTED_TIED) *class = 0;
        lost = lost || *class < 0;
    }
    return lost || tied;
}

adatom_status ad_session_train(ad_session *s, long first, long steps, long *done) {
    const ad_engine_api *api = s->device->engine->api;
    int32_t reached = (int32_t)first;
    *done = 0;
    adatom_status status = write_counter(s, s->built.counter, reached);
    if (status != ADATOM_OK) return status;
    status = ad_run_segment(api, s->program, AD_SEGMENT_STEP, (int)steps);
    if (status == ADATOM_OK) *done = steps;
    if (status != ADATOM_INTERRUPTED) return status;
    /* Without lanes the tasks have done the same whole turns, and the counter that each of them advances tells
     * which. */
    const adatom_status read = api->program_read(s->program, s->built.counter, 0, &reached, sizeof reached);
    if (read != ADATOM_OK) return read;
    *done = reached - first;
    return status;
}

adatom_status ad_session_read_training(ad_session *s, float *loss, int32_t *predicted) {
    const ad_engine_api *api = s->device->engine->api;
    const size_t steps = (size_t)s->build.support_rounds;
    adatom_status status;
    AD_TRY(api->program_read(s->program, s->built.loss, 0, loss, steps * sizeof *loss));
    AD_TRY(
        api->program_read(s->program, s->built.support_predicted, 0, predicted, support_count(s) * sizeof *predicted));
done:
    return status;
}

adatom_status ad_session_pass(ad_session *s, const int32_t *which, size_t count, ad_take_features take, void *user) {
    const ad_engine_api *api = s->device->engine->api;
    const size_t tasks = (size_t)s->build.tasks, batch = (size_t)s->build.query, width = (size_t)s->model->net.features,
                 stride = s->built.plan->tensors[s->built.features].stride;
    adatom_status status = ADATOM_OK;
    float *features = ad_malloc(s->device->ctx, tasks * stride, sizeof *features);
    if (!features) return ADATOM_OUT_OF_MEMORY;
    for (size_t at = 0; at < count; at += batch) {
        const size_t n = AD_MIN(batch, count - at);
        AD_TRY(ad_interrupted(s->device->ctx));
        AD_TRY(ad_row_stream_next(&s->rows, which, count, at, s->query));
        for (size_t t = 1; t < tasks; t++) memcpy(s->query + t * batch, s->query, batch * sizeof *s->query);
        for (size_t i = 0; i < tasks * batch && s->built.query_draw >= 0; i++)
            s->query_draw[i] = s->first_draw + (int32_t)(which ? which[at + AD_MIN(i % batch, n - 1)]
                                                               : (int32_t)(at + AD_MIN(i % batch, n - 1)));
        AD_TRY(write_query(s));
        AD_TRY(ad_run_segment(api, s->program, AD_SEGMENT_EVAL, 1));
        AD_TRY(api->program_read(s->program, s->built.features, 0, features,
                                 ((tasks - 1) * stride + n * width) * sizeof *features));
        take(user, at, n, features, stride);
    }
done:
    ad_free(features);
    return status;
}

void ad_session_tell(ad_session *s, size_t more) {
    s->progress.done += more;
    if (s->progress.phase)
        ad_report_details(s->device->ctx, &(adatom_progress){.phase = s->progress.phase,
                                                             .done = s->progress.done,
                                                             .total = s->progress.total,
                                                             .what = s->progress.what});
}

/* ---- what tasks hold ---- */

adatom_status ad_session_write(ad_session *s, int tensor, int task, size_t first, const float *values, size_t count) {
    const size_t at = (size_t)task * s->built.plan->tensors[tensor].stride + first;
    return s->device->engine->api->program_write(s->program, tensor, at * sizeof *values, values,
                                                 count * sizeof *values);
}

adatom_status ad_session_read(ad_session *s, int tensor, int task, float *values, size_t count) {
    const size_t at = (size_t)task * s->built.plan->tensors[tensor].stride;
    return s->device->engine->api->program_read(s->program, tensor, at * sizeof *values, values,
                                                count * sizeof *values);
}

adatom_status ad_session_write_parameters(ad_session *s, size_t first, const float *values, size_t count) {
    ad_engine *engine = s->device->engine;
    return engine->api->buffer_write(engine, s->parameters, first * sizeof *values, values, count * sizeof *values);
}

adatom_status ad_session_read_parameters(ad_session *s, size_t first, float *values, size_t count) {
    ad_engine *engine = s->device->engine;
    return engine->api->buffer_read(engine, s->parameters, first * sizeof *values, values, count * sizeof *values);
}
