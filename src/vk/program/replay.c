#include "vk/program/replay.h"
#include "vk/program/schedule.h"

#include <stdio.h>

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

/* A segment on its way through its turns. Chunks are counted on from turn to turn, from 0 after each recording. */
typedef struct replay {
    vk_program *p;
    ad_segment_id id;
    int64_t at, total; /* the next chunk, and the end */
    struct batch {
        int64_t begin, end;
        double expected;
        uint32_t buffers;
    } batches[VK_FLIGHTS]; /* in flight: the first `count` */
    int count;
} replay;

static vk_segment *segment_of(const replay *r) { return &r->p->segments[r->id]; }

/* "segment 2, operations 3 (conv) to 17 (add)" */
static void describe(const replay *r, const struct batch *batch, char *out, size_t size) {
    const vk_segment *s = segment_of(r);
    const vk_chunk *first = &s->chunks[batch->begin % s->chunk_count],
                   *last = &s->chunks[(batch->end - 1) % s->chunk_count];
    const int from = s->dispatches[first->first].op, to = s->dispatches[last->first + last->count - 1].op;
    const ad_op *ops = r->p->plan->ops;
    snprintf(out, size, "segment %d, operations %d (%s) to %d (%s)", r->id, from, ad_op_name(ops[from].kind), to,
             ad_op_name(ops[to].kind));
}

/* Submits as many chunks as are known to fit, of several turns where they are short; one that was never measured goes
 * alone. */
static adatom_status submit_batch(replay *r) {
    const vk_program *p = r->p;
    const vk_segment *s = segment_of(r);
    VkCommandBuffer commands[MAX_BATCH];
    struct batch batch = {.begin = r->at};
    for (bool more = true; more;) {
        const vk_chunk *chunk = &s->chunks[r->at++ % s->chunk_count], *next = &s->chunks[r->at % s->chunk_count];
        commands[batch.buffers++] = chunk->commands;
        batch.expected += ad_vk_chunk_seconds(p, s, chunk);
        more = r->at < r->total && batch.buffers < MAX_BATCH && ad_vk_chunk_measured(p, s, chunk) &&
               ad_vk_chunk_measured(p, s, next) &&
               batch.expected + ad_vk_chunk_seconds(p, s, next) <= VK_TARGET_SECONDS;
    }
    batch.end = r->at;
    char what[160];
    describe(r, &batch, what, sizeof what);
    r->batches[r->count++] = batch;
    return ad_vk_queue_submit(&p->e->queue, commands, batch.buffers, batch.expected, what);
}

/* What is expected now of all its chunks: since it was submitted, the one before it may have taught otherwise. */
static double batch_seconds(const replay *r, const struct batch *batch) {
    const vk_segment *s = segment_of(r);
    double seconds = 0;
    for (int64_t i = batch->begin; i < batch->end; i++)
        seconds += ad_vk_chunk_seconds(r->p, s, &s->chunks[i % s->chunk_count]);
    return seconds;
}

static adatom_status finish_batch(replay *r) {
    vk_program *p = r->p;
    vk_span took;
    const struct batch batch = r->batches[0];
    const adatom_status status = ad_vk_queue_wait(&p->e->queue, &took);
    if (status != ADATOM_OK) return status;
    for (int i = 1; i < r->count; i++) r->batches[i - 1] = r->batches[i];
    r->count--;
    ad_vk_learn(p, r->id, batch.begin, batch.end, ad_vk_time_factor(took.least, took.most, batch_seconds(r, &batch)));
    ad_log(p->e->base.ctx, ADATOM_LOG_DEBUG, "submission of %u command buffers: %.2f ms", batch.buffers,
           1e3 * took.most);
    return ADATOM_OK;
}

/* Records the segment for the turns that are left. Nothing is in flight. */
static adatom_status record_again(replay *r) {
    const int64_t left = (r->total - r->at) / segment_of(r)->chunk_count;
    r->at = r->total = 0;
    const adatom_status status = ad_vk_segment_record(r->p, r->id);
    if (status == ADATOM_OK) r->total = left * segment_of(r)->chunk_count;
    return status;
}

static adatom_status run_segment(vk_program *p, ad_segment_id id, int times) {
    vk_engine *e = p->e;
    adatom_status status = ADATOM_OK, interrupted = ADATOM_OK;
    replay r = {.p = p, .id = id};
    vk_segment *s = &p->segments[id];
    const int errors = atomic_load(&e->instance.errors);
    if (!p->plan->segments[id].count || times <= 0) return ADATOM_OK;
    if (s->stale) AD_TRY(ad_vk_segment_record(p, id));
    r.total = (int64_t)times * s->chunk_count;
    while (r.at < r.total || r.count) {
        const bool between = r.at < r.total && r.at % s->chunk_count == 0; /* turns: none is left half done */
        if (between && (interrupted = ad_interrupted(e->base.ctx)) != ADATOM_OK) r.total = r.at;
        if (r.at < r.total && r.count < VK_FLIGHTS && !(between && s->stale))
            AD_TRY(submit_batch(&r));
        else if (r.count)
            AD_TRY(finish_batch(&r));
        else if (r.at < r.total)
            AD_TRY(record_again(&r));
    }
    status = interrupted;
done:
    ad_vk_queue_drain(&e->queue);
    if (status == ADATOM_OK && p->profile && times == 1) status = read_timestamps(p, id);
    return status == ADATOM_OK ? ad_vk_validated(&e->instance, errors) : status;
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
