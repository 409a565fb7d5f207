/* Meta-training's part of a session. */
#include "fewshot/session.h"

static adatom_status write_tensor(ad_session *s, int tensor, const void *data, size_t bytes) {
    return tensor < 0 || !bytes ? ADATOM_OK : s->device->engine->api->program_write(s->program, tensor, 0, data, bytes);
}

/* Zeroes blocks of meta-training. */
static adatom_status zero(ad_session *s, const int *tensors, size_t count) {
    adatom_status status = ADATOM_OK;
    float *zeros = ad_calloc(s->device->ctx, s->built.outer_count, sizeof *zeros);
    if (!zeros) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < count && status == ADATOM_OK; i++)
        status = write_tensor(s, tensors[i], zeros, s->built.outer_count * sizeof *zeros);
    ad_free(zeros);
    return status;
}

adatom_status ad_session_meta_begin(ad_session *s, const float *schedule, float scale) {
    const ad_built *b = &s->built;
    const int blocks[] = {b->outer_sum, b->outer_velocity, b->outer_second};
    adatom_status status;
    AD_TRY(write_tensor(s, b->outer_schedule, schedule,
                        AD_SCHEDULE_COLUMNS * (size_t)s->build.outer.steps * sizeof *schedule));
    AD_TRY(write_tensor(s, b->scale, &scale, sizeof scale));
    AD_TRY(zero(s, blocks, AD_COUNT(blocks)));
done:
    return status;
}

adatom_status ad_session_meta_group(ad_session *s, int steps, long step, bool last, bool *updated) {
    const ad_engine_api *api = s->device->engine->api;
    const ad_built *b = &s->built;
    const size_t tasks = (size_t)s->build.tasks, rows = tasks * s->outer.pictures;
    const ad_run runs[] = {{AD_SEGMENT_INIT, 1},  {AD_SEGMENT_PREFIX, 1}, {AD_SEGMENT_STEP, steps},
                           {AD_SEGMENT_OUTER, 1}, {AD_SEGMENT_SUM, 1},    {AD_SEGMENT_UPDATE, last}};
    int32_t reached = (int32_t)step;
    adatom_status status, ran;
    *updated = false;
    AD_TRY(ad_session_write_tasks(s));
    AD_TRY(write_tensor(s, b->outer_labels, s->outer.labels, rows * sizeof *s->outer.labels));
    AD_TRY(write_tensor(s, b->outer_counter, &reached, sizeof reached));
    ran = api->program_run(s->program, runs, AD_COUNT(runs));
    if (ran != ADATOM_INTERRUPTED) AD_TRY(ran);
    AD_TRY(api->program_read(s->program, b->outer_counter, 0, &reached, sizeof reached));
    *updated = reached > step;
    AD_TRY(api->program_read(s->program, b->outer_loss, 0, s->outer.loss, tasks * sizeof *s->outer.loss));
    AD_TRY(api->program_read(s->program, b->outer_predicted, 0, s->outer.predicted, rows * sizeof *s->outer.predicted));
    status = ran;
done:
    return status;
}
