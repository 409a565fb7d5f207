/* What of a session fits into a device's memory: how many tasks at once, and which rows stay on the device. */
#include "fewshot/session.h"

size_t ad_memory_allowed(ad_engine *engine, size_t memory_bytes) {
    ad_limits limits;
    engine->api->limits(engine, &limits);
    return memory_bytes ? memory_bytes : limits.memory_bytes / 2;
}

/* Builds the plan of s->build over the chunks that are laid out. */
static adatom_status build_plan(ad_session *s) {
    s->build.chunks = s->rows.chunks;
    s->build.chunk_count = s->rows.chunk_count;
    ad_built_clear(&s->built);
    return ad_build(s->device->ctx, &s->build, &s->built);
}

/* The plan for so many tasks. part: rows of a task, for which room for two parts is laid out; 0: as rows are. */
static adatom_status plan_for(ad_session *s, size_t part, size_t tasks, int lanes) {
    if (part && !ad_row_stream_lay_out(&s->rows, 2, part * tasks))
        return ad_row_stream_too_large(&s->rows, 2 * part * tasks);
    s->build.tasks = (int)tasks;
    s->build.lanes = AD_MIN(lanes, (int)tasks);
    return build_plan(s);
}

/* Tasks of `each` bytes for which there is room; those beyond the lanes go without the bytes of a lane. */
static size_t tasks_within(size_t allowed, size_t taken, size_t each, size_t lanes, size_t lane_bytes) {
    const size_t left = allowed > taken ? allowed - taken : 0, tasks = left / each;
    return lanes && tasks > lanes ? lanes + (left - lanes * each) / (each - lane_bytes) : tasks;
}

adatom_status ad_session_plan_tasks(ad_session *s, const ad_build_params *build, const ad_tasks_wanted *wanted) {
    ad_engine *engine = s->device->engine;
    const size_t per_task = wanted->rows_per_task;
    adatom_status status;
    ad_limits limits;
    ad_session_end_program(s);
    engine->api->limits(engine, &limits);
    s->build = *build;
    s->build.costs = engine->costs;
    s->build.chains = engine->chains;
    s->build.half = engine->api->half_storage(engine) == AD_VERDICT_PASSED;
    const bool whole = !per_task || ad_row_stream_lay_out(&s->rows, 1, wanted->rows);
    AD_TRY(plan_for(s, whole ? 0 : per_task, 1, limits.lanes));
    const size_t one = AD_MAX(ad_plan_owned_bytes(s->built.plan), (size_t)1),
                 largest = AD_MAX(ad_plan_largest_tensor(s->built.plan), (size_t)1);
    const size_t params = s->built.plan->arenas[0].bytes, streaming = one + 2 * per_task * s->rows.row_bytes;
    const size_t all = params + (per_task ? wanted->rows * s->rows.row_bytes : ad_row_stream_bytes(&s->rows));
    const size_t least = per_task ? AD_MIN(all + one, params + streaming) : all + one;
    size_t allowed = ad_memory_allowed(engine, wanted->memory_bytes);
    if (!wanted->memory_bytes && least > allowed) allowed = limits.memory_bytes;
    if (least > allowed || largest > limits.tensor_bytes) {
        status = ad_fail(
            s->device->ctx, ADATOM_OUT_OF_MEMORY,
            "one task needs %.1f MiB with parameters and pictures (its largest tensor %.1f MiB); %s %.1f MiB "
            "(%.1f MiB a tensor)",
            (double)least / 0x1p20, (double)largest / 0x1p20, wanted->memory_bytes ? "allowed are" : "this device has",
            (double)allowed / 0x1p20, (double)limits.tensor_bytes / 0x1p20);
        goto done;
    }
    /* Lanes wait for the last of them at the end only: some tasks for each lose little. */
    size_t useful = wanted->tasks > 0                         ? (size_t)wanted->tasks
                    : limits.lanes && !s->build.from_features ? 4 * (size_t)limits.lanes
                                                              : 64;
    useful = AD_MIN(useful, AD_MIN(limits.tensor_bytes, limits.arena_bytes) / largest);
    useful = AD_MIN(useful, limits.arena_bytes / one);
    useful = AD_MAX(AD_MIN(useful, (size_t)AD_MIN(wanted->most, AD_MOST_TASKS)), (size_t)1);
    /* All rows stay where that costs no task. */
    const size_t lanes = (size_t)limits.lanes, lane_bytes = s->built.plan->lane_bytes;
    const size_t staying = whole ? tasks_within(allowed, all, one, lanes, lane_bytes) : 0;
    const size_t streamed = per_task ? tasks_within(allowed, params, streaming, lanes, lane_bytes) : 0;
    const bool stream = staying < AD_MIN(streamed, useful);
    size_t first = AD_MIN(stream ? streamed : staying, useful);
    if (lanes && first > lanes && first < AD_MIN(useful, (size_t)wanted->most))
        first -= first % lanes; /* else some would be idle every time */
    for (size_t tasks = first; tasks; tasks--) {
        AD_TRY(plan_for(s, stream ? per_task : 0, tasks, limits.lanes));
        if (tasks == 1 ||
            (ad_plan_bytes(s->built.plan) <= allowed && ad_plan_largest_tensor(s->built.plan) <= limits.tensor_bytes))
            break;
    }
    const size_t bytes = ad_plan_bytes(s->built.plan);
    if (wanted->memory_bytes) s->built.plan->spare_bytes = allowed > bytes ? allowed - bytes : 0;
done:
    if (status != ADATOM_OK) ad_built_clear(&s->built);
    return status;
}

adatom_status ad_session_plan_parts(ad_session *s, const ad_build_params *build, const ad_parts_wanted *wanted) {
    adatom_context *ctx = s->device->ctx;
    adatom_status status = ADATOM_OK;
    ad_session_end_program(s);
    s->build = *build;
    s->build.tasks = 1;
    int *units = s->build.support ? &s->build.support_rounds : &s->build.query;
    *units = wanted->units;
    bool resident = wanted->resident_rows && ad_row_stream_lay_out(&s->rows, 1, wanted->resident_rows);
    for (;;) {
        const size_t part = (size_t)*units * wanted->rows_per_unit;
        if (!resident && !ad_row_stream_lay_out(&s->rows, 2, part)) AD_TRY(ad_row_stream_too_large(&s->rows, 2 * part));
        AD_TRY(build_plan(s));
        const size_t bytes = ad_plan_bytes(s->built.plan);
        if (bytes <= wanted->allowed_bytes) break;
        if (!resident && *units == 1) {
            if (!wanted->limited) break; /* half of what is free is not enough: more may be */
            AD_TRY(ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "%s %.1f MiB; allowed are %.1f MiB%s", wanted->what,
                           (double)bytes / 0x1p20, (double)wanted->allowed_bytes / 0x1p20, wanted->so));
        }
        if (!resident) *units = (*units + 1) / 2;
        resident = false;
    }
done:
    if (status != ADATOM_OK) ad_built_clear(&s->built);
    return status;
}

adatom_status ad_session_plan_beside(ad_session *s, const ad_build_params *build, const ad_session *other) {
    ad_session_end_program(s);
    s->rows = other->rows;
    s->borrowed = true;
    s->build = *build;
    s->build.tasks = 1;
    return build_plan(s);
}
