#include "vk/program/schedule.h"
#include "vk/program/record.h"

/* How long each operation may take before anything was measured: on the slow side, so that the first submission is
 * short. */
adatom_status ad_vk_expect_times(vk_program *p) {
    const double flops = p->e->caps.software ? 1e9 : 1e11, bytes = p->e->caps.software ? 1e9 : 1e10;
    p->costs = ad_calloc(p->e->base.ctx, (size_t)p->plan->op_count, sizeof *p->costs);
    if (!p->costs) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < p->plan->op_count; i++) {
        const ad_op *op = &p->plan->ops[i];
        const double seconds = 1e-5 + ad_op_flops(op) / flops + ad_op_bytes(p->plan, op) / bytes;
        p->costs[i] = (vk_cost){.seconds = seconds, .ns = -1};
    }
    return ADATOM_OK;
}

static void segment_clear(vk_program *p, vk_segment *s) {
    for (int i = 0; i < s->chunk_count && !p->e->device.abandoned; i++)
        p->e->device.vk.vkFreeCommandBuffers(p->e->device.handle, p->command_pool, 1, &s->chunks[i].commands);
    ad_free(s->chunks);
    ad_free(s->dispatches);
    *s = (vk_segment){.stale = true};
}

void ad_vk_segments_clear(vk_program *p) {
    for (int s = 0; s < AD_SEGMENT_COUNT; s++) segment_clear(p, &p->segments[s]);
}

/* Into how many parts a launch of the operation is divided: as many as keep each below the engine's limit. */
static int parts_of(const vk_program *p, int op, const vk_launch *launch) {
    return ad_vk_part_count(launch->grid, p->costs[op].seconds / p->e->dispatch_seconds);
}

static int count_dispatches(const vk_program *p, ad_segment_id id) {
    const int first = p->plan->segments[id].first, end = first + p->plan->segments[id].count;
    int count = 0;
    for (int op = first; op < end; op++)
        for (int l = p->first_launch[op]; l < p->first_launch[op + 1]; l++) count += parts_of(p, op, &p->launches[l]);
    return count;
}

static double workgroups(const uint32_t grid[3]) { return (double)grid[0] * grid[1] * grid[2]; }

static void divide_operation(const vk_program *p, int op, vk_segment *s) {
    double all = 0;
    for (int l = p->first_launch[op]; l < p->first_launch[op + 1]; l++) all += workgroups(p->launches[l].grid);
    for (int l = p->first_launch[op]; l < p->first_launch[op + 1]; l++) {
        const vk_launch *launch = &p->launches[l];
        const int parts = parts_of(p, op, launch);
        for (int i = 0; i < parts; i++) {
            const vk_part part = ad_vk_part_of(launch->grid, parts, i);
            s->dispatches[s->dispatch_count++] =
                (vk_dispatch){.op = op, .launch = launch, .part = part, .share = workgroups(part.count) / all};
        }
    }
}

static double dispatch_seconds(const vk_program *p, const vk_dispatch *dispatch) {
    return p->costs[dispatch->op].seconds * dispatch->share;
}

adatom_status ad_vk_segment_record(vk_program *p, ad_segment_id id) {
    adatom_context *ctx = p->e->base.ctx;
    adatom_status status = ADATOM_OK;
    vk_segment *s = &p->segments[id];
    const int first = p->plan->segments[id].first, count = p->plan->segments[id].count;
    const int dispatches = count_dispatches(p, id);
    const int settled = s->settled;
    int barriers = 0;
    segment_clear(p, s);
    s->settled = settled;
    s->dispatches = ad_malloc(ctx, (size_t)dispatches, sizeof *s->dispatches);
    s->chunks = s->dispatches ? ad_calloc(ctx, (size_t)dispatches, sizeof *s->chunks) : NULL;
    if (!s->chunks) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    for (int op = first; op < first + count; op++) divide_operation(p, op, s);
    for (int i = 0; i < dispatches;) {
        vk_chunk *chunk = &s->chunks[s->chunk_count++];
        chunk->first = i;
        double seconds = 0;
        do {
            seconds += dispatch_seconds(p, &s->dispatches[i++]);
        } while (i < dispatches && seconds + dispatch_seconds(p, &s->dispatches[i]) <= VK_TARGET_SECONDS / 2);
        chunk->count = i - chunk->first;
        AD_TRY(ad_vk_record_chunk(p, s, chunk, &barriers));
    }
    s->stale = false;
    ad_log(ctx, ADATOM_LOG_DEBUG, "segment %d: %d operations, %d barriers, %d command buffers, %d dispatches", id,
           count, barriers, s->chunk_count, dispatches);
done:
    if (status != ADATOM_OK) segment_clear(p, s);
    return status;
}

double ad_vk_chunk_seconds(const vk_program *p, const vk_segment *s, const vk_chunk *chunk) {
    double seconds = 0;
    for (int i = chunk->first; i < chunk->first + chunk->count; i++) seconds += dispatch_seconds(p, &s->dispatches[i]);
    return seconds;
}

bool ad_vk_chunk_measured(const vk_program *p, const vk_segment *s, const vk_chunk *chunk) {
    for (int i = chunk->first; i < chunk->first + chunk->count; i++)
        if (!p->costs[s->dispatches[i].op].measured) return false;
    return true;
}

double ad_vk_time_factor(double least, double most, double expected) {
    const double clock = 1e-7; /* no clock tells less, and nothing is expected to take no time */
    expected = AD_MAX(expected, clock);
    return AD_MIN(AD_MAX(1, AD_MAX(least, clock) / expected), AD_MAX(most, clock) / expected);
}

/* The first part of an operation that is measured speaks for all of it; later ones for themselves. */
static void learn_chunk(vk_program *p, const vk_segment *s, const vk_chunk *chunk, double factor) {
    for (int i = chunk->first, end = chunk->first + chunk->count; i < end;) {
        vk_cost *cost = &p->costs[s->dispatches[i].op];
        double share = 0;
        do {
            share += s->dispatches[i++].share;
        } while (i < end && s->dispatches[i].op == s->dispatches[i - 1].op);
        if (!cost->measured) share = 1;
        cost->seconds = AD_MAX(cost->seconds * (1 + (factor - 1) * AD_MIN(share, 1)), 1e-9);
        cost->measured = true;
    }
}

/* Whether the chunk takes too long and can be cut further. */
static bool too_long(const vk_program *p, const vk_segment *s, const vk_chunk *chunk) {
    if (ad_vk_chunk_seconds(p, s, chunk) <= 1.5 * VK_TARGET_SECONDS) return false;
    const vk_dispatch *only = &s->dispatches[chunk->first];
    return chunk->count > 1 || ad_vk_part_divisible(only->launch->grid, &only->part);
}

void ad_vk_learn(vk_program *p, ad_segment_id id, int64_t begin, int64_t end, double factor) {
    vk_segment *s = &p->segments[id];
    for (int64_t i = begin; i < AD_MIN(end, begin + s->chunk_count); i++) {
        const vk_chunk *chunk = &s->chunks[i % s->chunk_count];
        learn_chunk(p, s, chunk, factor);
        s->stale |= too_long(p, s, chunk);
    }
    if (end < s->chunk_count || s->stale) return;
    /* What is expected at first is on the slow side, and the first turn may include the driver's compilation: after
     * each of two turns fewer dispatches and command buffers may do. Later only far fewer are worth another recording.
     */
    if (s->settled < 2) {
        s->settled++;
        s->stale = true;
    } else {
        s->stale = s->dispatch_count > 2 * count_dispatches(p, id) + 8;
    }
}
