/* Recording and running. A segment is recorded once, as one command buffer or several ("chunks"), and replayed. One
 * submission is kept to about TARGET_SECONDS, because desktop systems reset a GPU that doesn't answer for a second or
 * two. */
#include "vk/core/internal.h"

#include <string.h>

#define TARGET_SECONDS 0.1
enum { MAX_BATCH = 256, MAX_PENDING = 256 };

/* Accesses since the last barrier. A barrier is a full one (compute to compute): it ends all of them. */
typedef struct hazards {
    vk_use uses[MAX_PENDING];
    int count;
} hazards;

static bool conflicts(const hazards *h, const vk_launch *launch) {
    if (h->count + launch->use_count > MAX_PENDING) return true;
    for (int i = 0; i < launch->use_count; i++)
        for (int j = 0; j < h->count; j++) {
            const vk_use *a = &launch->uses[i], *b = &h->uses[j];
            if ((a->write || b->write) && a->buffer == b->buffer && a->begin < b->end && b->begin < a->end) return true;
        }
    return false;
}

static void barrier(const vk_program *p, VkCommandBuffer commands, VkPipelineStageFlags from, VkAccessFlags made,
                    VkPipelineStageFlags to, VkAccessFlags needed) {
    const VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = made, .dstAccessMask = needed};
    p->e->vk.vkCmdPipelineBarrier(commands, from, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

static void compute_barrier(const vk_program *p, VkCommandBuffer commands) {
    barrier(p, commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
            VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
}

static void record_launch(const vk_program *p, VkCommandBuffer commands, const vk_launch *launch) {
    const vk_device_functions *vk = &p->e->vk;
    vk->vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, launch->pipeline);
    vk->vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, launch->layout, 0, 1, &launch->set, 0, NULL);
    if (launch->push_bytes)
        vk->vkCmdPushConstants(commands, launch->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, launch->push_bytes,
                               launch->push);
    vk->vkCmdDispatch(commands, launch->grid[0], launch->grid[1], launch->grid[2]);
}

static adatom_status record_chunk(const vk_program *p, vk_chunk *chunk, int *barriers) {
    const vk_device_functions *vk = &p->e->vk;
    adatom_context *ctx = p->e->base.ctx;
    adatom_status status = ADATOM_OK;
    hazards pending = {.count = 0};
    const VkCommandBufferAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                  .commandPool = p->command_pool,
                                                  .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                                  .commandBufferCount = 1};
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT};
    VK(vk->vkAllocateCommandBuffers(p->e->device, &allocate, &chunk->commands));
    VK(vk->vkBeginCommandBuffer(chunk->commands, &begin));
    /* Whatever ran before: the chunk before, the same one, a copy into an arena. */
    barrier(p, chunk->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
            VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    if (p->profile)
        vk->vkCmdResetQueryPool(chunk->commands, p->queries, 2 * (uint32_t)chunk->first_op,
                                2 * (uint32_t)chunk->op_count);
    for (int op = chunk->first_op; op < chunk->first_op + chunk->op_count; op++) {
        if (p->profile) { /* one operation at a time, so that each has its own time */
            compute_barrier(p, chunk->commands);
            pending.count = 0;
            vk->vkCmdWriteTimestamp(chunk->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, p->queries,
                                    2 * (uint32_t)op);
        }
        for (int l = p->first_launch[op]; l < p->first_launch[op + 1]; l++) {
            const vk_launch *launch = &p->launches[l];
            if (!p->omit_barriers && conflicts(&pending, launch)) {
                compute_barrier(p, chunk->commands);
                pending.count = 0;
                ++*barriers;
            }
            if (!p->omit_barriers) {
                memcpy(&pending.uses[pending.count], launch->uses, (size_t)launch->use_count * sizeof *launch->uses);
                pending.count += launch->use_count;
            }
            record_launch(p, chunk->commands, launch);
        }
        if (p->profile)
            vk->vkCmdWriteTimestamp(chunk->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, p->queries,
                                    2 * (uint32_t)op + 1);
    }
    barrier(p, chunk->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
            VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    VK(vk->vkEndCommandBuffer(chunk->commands));
done:
    return status;
}

static void segment_clear(vk_program *p, vk_segment *s) {
    for (int i = 0; i < s->chunk_count; i++)
        p->e->vk.vkFreeCommandBuffers(p->e->device, p->command_pool, 1, &s->chunks[i].commands);
    ad_free(s->chunks);
    *s = (vk_segment){.stale = true};
}

void ad_vk_segments_clear(vk_program *p) {
    for (int s = 0; s < AD_SEGMENT_COUNT; s++) segment_clear(p, &p->segments[s]);
}

/* Cuts the segment where the expected time exceeds half the target, and records each part. */
static adatom_status record_segment(vk_program *p, ad_segment_id id) {
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
        } while (op < end && seconds + p->op_seconds[op] <= TARGET_SECONDS / 2);
        chunk->op_count = op - chunk->first_op;
        AD_TRY(record_chunk(p, chunk, &barriers));
    }
    s->stale = false;
    ad_log(p->e->base.ctx, ADATOM_LOG_DEBUG, "segment %d: %d operations, %d barriers, %d command buffers", id,
           end - first, barriers, s->chunk_count);
done:
    if (status != ADATOM_OK) segment_clear(p, s);
    return status;
}

static double chunk_seconds(const vk_program *p, const vk_chunk *chunk) {
    double seconds = 0;
    for (int op = chunk->first_op; op < chunk->first_op + chunk->op_count; op++) seconds += p->op_seconds[op];
    return seconds;
}

double ad_vk_time_factor(double took, double expected, bool hidden) {
    const double least = 1e-7; /* no clock tells less, and nothing is expected to take no time */
    const double factor = AD_MAX(took, least) / AD_MAX(expected, least);
    return hidden ? AD_MIN(factor, 1) : factor;
}

/* The chunks of a batch took `factor` times what was expected of them. */
static void learn(vk_program *p, vk_segment *s, int64_t begin, int64_t end, double factor) {
    for (int64_t i = begin; i < AD_MIN(end, begin + s->chunk_count); i++) {
        vk_chunk *chunk = &s->chunks[i % s->chunk_count];
        chunk->measured = true;
        for (int op = chunk->first_op; op < chunk->first_op + chunk->op_count; op++)
            p->op_seconds[op] = AD_MAX(p->op_seconds[op] * factor, 1e-9);
        if (chunk->op_count > 1 && chunk_seconds(p, chunk) > 1.5 * TARGET_SECONDS) s->stale = true;
    }
}

static adatom_status read_timestamps(vk_program *p, ad_segment_id id) {
    vk_engine *e = p->e;
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    const int first = p->plan->segments[id].first, count = p->plan->segments[id].count;
    const uint32_t bits = e->physical.timestamp_bits;
    const uint64_t mask = bits < 64 ? ((uint64_t)1 << bits) - 1 : UINT64_MAX;
    for (int op = first; op < first + count; op++) {
        uint64_t ticks[2];
        VK(e->vk.vkGetQueryPoolResults(e->device, p->queries, 2 * (uint32_t)op, 2, sizeof ticks, ticks, sizeof *ticks,
                                       VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
        p->op_ns[op] = (double)((ticks[1] - ticks[0]) & mask) * (double)e->physical.properties.limits.timestampPeriod;
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
    if (s->stale) AD_TRY(record_segment(p, id));
    for (int64_t at = 0, total = (int64_t)times * s->chunk_count; at < total;) {
        if (at % s->chunk_count == 0) AD_TRY(ad_interrupted(ctx)); /* only between turns: none is left half done */
        if (s->stale &&
            at % s->chunk_count == 0) { /* found too long on the way: cut it smaller before the next replay */
            const int64_t replays = (total - at) / s->chunk_count;
            AD_TRY(record_segment(p, id));
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
            expected += chunk_seconds(p, chunk);
            const vk_chunk *next = &s->chunks[at % s->chunk_count];
            more = at < total && count < MAX_BATCH && chunk->measured && next->measured &&
                   expected + chunk_seconds(p, next) <= TARGET_SECONDS;
        }
        AD_TRY(ad_vk_submit(e, batch, count));
        const double took = e->seconds, factor = ad_vk_time_factor(took, expected, e->hidden);
        learn(p, s, begin, at, factor);
        ad_log(ctx, ADATOM_LOG_DEBUG, "submission of %u command buffers: %.2f ms", count, 1e3 * took);
    }
    if (p->profile && times == 1) AD_TRY(read_timestamps(p, id));
    AD_TRY(ad_vk_validated(e, errors));
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
    on = on && p->e->physical.timestamp_bits > 0 && p->plan->op_count > 0;
    if (on && !p->queries) {
        const VkQueryPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                            .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                            .queryCount = 2 * (uint32_t)p->plan->op_count};
        VK(p->e->vk.vkCreateQueryPool(p->e->device, &info, NULL, &p->queries));
    }
    if (on != p->profile) ad_vk_segments_clear(p);
    p->profile = on;
done:
    return status;
}

double ad_vk_program_op_ns(ad_program *program, int op) {
    const vk_program *p = (const vk_program *)program;
    return op >= 0 && op < p->plan->op_count ? p->op_ns[op] : -1;
}
