#include "vk/program/replay.h"
#include "vk/program/schedule.h"

enum { MAX_BATCH = 256 }; /* command buffers of a submission */

static adatom_status read_timestamps(vk_program *p, ad_segment_id id) {
    vk_engine *e = p->e;
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    const int first = p->plan->segments[id].first, count = p->plan->segments[id].count;
    const uint32_t bits = e->device.physical.timestamp_bits;
    const uint64_t mask = bits < 64 ? ((uint64_t)1 << bits) - 1 : UINT64_MAX;
    for (int op = first; op < first + count; op++) {
        uint64_t ticks[2];
        VK(e->device.vk.vkGetQueryPoolResults(e->device.handle, p->queries, 2 * (uint32_t)op, 2, sizeof ticks, ticks,
                                              sizeof *ticks, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
        p->costs[op].ns =
            (double)((ticks[1] - ticks[0]) & mask) * (double)e->device.physical.properties.limits.timestampPeriod;
    }
done:
    return status;
}

static adatom_status run_segment(vk_program *p, ad_segment_id id, int times) {
    vk_engine *e = p->e;
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    vk_segment *s = &p->segments[id];
    const int errors = atomic_load(&e->instance.errors);
    if (!p->plan->segments[id].count || times <= 0) return ADATOM_OK;
    if (s->stale) AD_TRY(ad_vk_segment_record(p, id));
    for (int64_t at = 0, total = (int64_t)times * s->chunk_count; at < total;) {
        if (at % s->chunk_count == 0) AD_TRY(ad_interrupted(ctx)); /* only between turns: none is left half done */
        if (s->stale &&
            at % s->chunk_count == 0) { /* found too long on the way: cut it smaller before the next replay */
            const int64_t replays = (total - at) / s->chunk_count;
            AD_TRY(ad_vk_segment_record(p, id));
            at = 0;
            total = replays * s->chunk_count;
        }
        VkCommandBuffer batch[MAX_BATCH];
        uint32_t count = 0;
        double expected = 0;
        const int64_t begin = at;
        for (bool more = true; more;) { /* as many as are known to fit; one that was never measured goes alone */
            const vk_chunk *chunk = &s->chunks[at++ % s->chunk_count];
            batch[count++] = chunk->commands;
            expected += ad_vk_chunk_seconds(p, s, chunk);
            const vk_chunk *next = &s->chunks[at % s->chunk_count];
            more = at < total && count < MAX_BATCH && ad_vk_chunk_measured(p, s, chunk) &&
                   ad_vk_chunk_measured(p, s, next) && expected + ad_vk_chunk_seconds(p, s, next) <= VK_TARGET_SECONDS;
        }
        AD_TRY(ad_vk_submit(&e->queue, batch, count));
        const double took = e->queue.seconds, factor = ad_vk_time_factor(took, expected, e->queue.hidden);
        ad_vk_learn(p, id, begin, at, factor);
        ad_log(ctx, ADATOM_LOG_DEBUG, "submission of %u command buffers: %.2f ms", count, 1e3 * took);
    }
    if (p->profile && times == 1) AD_TRY(read_timestamps(p, id));
    AD_TRY(ad_vk_validated(&e->instance, errors));
done:
    return status;
}

adatom_status ad_vk_program_run(ad_program *program, const ad_run *runs, int count) {
    adatom_status status = ADATOM_OK;
    for (int k = 0; k < count && status == ADATOM_OK; k++)
        status = run_segment((vk_program *)program, runs[k].segment, runs[k].times);
    return status;
}

adatom_status ad_vk_program_profile(ad_program *program, bool on) {
    vk_program *p = (vk_program *)program;
    adatom_context *ctx = p->e->base.ctx;
    adatom_status status = ADATOM_OK;
    on = on && p->e->device.physical.timestamp_bits > 0 && p->plan->op_count > 0;
    if (on && !p->queries) {
        const VkQueryPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                            .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                            .queryCount = 2 * (uint32_t)p->plan->op_count};
        VK(p->e->device.vk.vkCreateQueryPool(p->e->device.handle, &info, NULL, &p->queries));
    }
    if (on != p->profile) ad_vk_segments_clear(p);
    p->profile = on;
done:
    return status;
}

double ad_vk_program_op_ns(ad_program *program, int op) {
    const vk_program *p = (const vk_program *)program;
    return op >= 0 && op < p->plan->op_count ? p->costs[op].ns : -1;
}
