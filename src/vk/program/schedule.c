#include "vk/program/schedule.h"
#include "vk/program/record.h"

/* How long each operation may take before anything was measured: on the slow side, so that the first submission is
 * short. */
adatom_status ad_vk_expect_times(vk_program *p) {
    const double flops = p->e->caps.software ? 1e9 : 1e11, bytes = p->e->caps.software ? 1e9 : 1e10;
    p->op_seconds = ad_calloc(p->e->base.ctx, (size_t)p->plan->op_count, sizeof *p->op_seconds);
    p->op_ns = ad_calloc(p->e->base.ctx, (size_t)p->plan->op_count, sizeof *p->op_ns);
    if (!p->op_seconds || !p->op_ns) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < p->plan->op_count; i++) {
        const ad_op *op = &p->plan->ops[i];
        p->op_seconds[i] = 1e-5 + ad_op_flops(op) / flops + ad_op_bytes(p->plan, op) / bytes;
        p->op_ns[i] = -1;
    }
    return ADATOM_OK;
}

static void segment_clear(vk_program *p, vk_segment *s) {
    for (int i = 0; i < s->chunk_count; i++)
        p->e->device.vk.vkFreeCommandBuffers(p->e->device.handle, p->command_pool, 1, &s->chunks[i].commands);
    ad_free(s->chunks);
    *s = (vk_segment){.stale = true};
}

void ad_vk_segments_clear(vk_program *p) {
    for (int s = 0; s < AD_SEGMENT_COUNT; s++) segment_clear(p, &p->segments[s]);
}

adatom_status ad_vk_segment_record(vk_program *p, ad_segment_id id) {
    adatom_status status = ADATOM_OK;
    vk_segment *s = &p->segments[id];
    const int first = p->plan->segments[id].first, end = first + p->plan->segments[id].count;
    int barriers = 0;
    segment_clear(p, s);
    if (!(s->chunks = ad_calloc(p->e->base.ctx, (size_t)(end - first), sizeof *s->chunks))) return ADATOM_OUT_OF_MEMORY;
    for (int op = first; op < end;) {
        vk_chunk *chunk = &s->chunks[s->chunk_count++];
        chunk->first_op = op;
        double seconds = 0;
        do {
            seconds += p->op_seconds[op++];
        } while (op < end && seconds + p->op_seconds[op] <= VK_TARGET_SECONDS / 2);
        chunk->op_count = op - chunk->first_op;
        AD_TRY(ad_vk_record_chunk(p, chunk, &barriers));
    }
    s->stale = false;
    ad_log(p->e->base.ctx, ADATOM_LOG_DEBUG, "segment %d: %d operations, %d barriers, %d command buffers", id,
           end - first, barriers, s->chunk_count);
done:
    if (status != ADATOM_OK) segment_clear(p, s);
    return status;
}

double ad_vk_chunk_seconds(const vk_program *p, const vk_chunk *chunk) {
    double seconds = 0;
    for (int op = chunk->first_op; op < chunk->first_op + chunk->op_count; op++) seconds += p->op_seconds[op];
    return seconds;
}

double ad_vk_time_factor(double took, double expected, bool hidden) {
    const double least = 1e-7; /* no clock tells less, and nothing is expected to take no time */
    const double factor = AD_MAX(took, least) / AD_MAX(expected, least);
    return hidden ? AD_MIN(factor, 1) : factor;
}

void ad_vk_learn(vk_program *p, vk_segment *s, int64_t begin, int64_t end, double factor) {
    for (int64_t i = begin; i < AD_MIN(end, begin + s->chunk_count); i++) {
        vk_chunk *chunk = &s->chunks[i % s->chunk_count];
        chunk->measured = true;
        for (int op = chunk->first_op; op < chunk->first_op + chunk->op_count; op++)
            p->op_seconds[op] = AD_MAX(p->op_seconds[op] * factor, 1e-9);
        if (chunk->op_count > 1 && ad_vk_chunk_seconds(p, chunk) > 1.5 * VK_TARGET_SECONDS) s->stale = true;
    }
}
