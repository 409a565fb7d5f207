#include "plan/plan.h"

#include <stdlib.h>

/* The operations during which a tensor's contents matter: numbers of the first and the last one. */
typedef struct interval {
    int tensor, first, last;
    bool passing; /* needed only while a task is in its lane */
    size_t bytes;
} interval;

static size_t aligned(size_t bytes) {
    return (bytes + AD_TENSOR_ALIGN_BYTES - 1) / AD_TENSOR_ALIGN_BYTES * AD_TENSOR_ALIGN_BYTES;
}

static int by_size(const void *a, const void *b) {
    const interval *x = a, *y = b;
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : x->tensor - y->tensor;
}

static int segment_of(const ad_plan *plan, int op) {
    for (int s = 0; s < AD_SEGMENT_COUNT; s++)
        if (op >= plan->segments[s].first && op < plan->segments[s].first + plan->segments[s].count) return s;
    return AD_SEGMENT_COUNT;
}

static void find_intervals(const ad_plan *plan, interval *live) {
    for (int i = 0; i < plan->op_count; i++)
        for (int r = 0; r < AD_OP_TENSORS; r++) {
            int t = plan->ops[i].t[r];
            if (t < 0) continue;
            if (live[t].first < 0) live[t].first = i;
            live[t].last = i;
        }
    /* Segments run many times: what comes from an earlier segment must survive every run of the one that reads it, and
     * what a segment reads before it writes is carried from run to run. */
    for (int t = 0; t < plan->tensor_count; t++) {
        if (live[t].first < 0) continue;
        int from = segment_of(plan, live[t].first), to = segment_of(plan, live[t].last);
        bool carried = true;
        const ad_op *op = &plan->ops[live[t].first];
        for (int r = 0; r < AD_OP_TENSORS; r++)
            if (op->t[r] == t) carried = carried && ad_op_access(op, r) == AD_WRITE;
        carried = !carried;
        if (from != to || carried) {
            if (plan->eval_between && to == AD_SEGMENT_STEP) to = AD_SEGMENT_EVAL;
            live[t].last = plan->segments[to].first + plan->segments[to].count - 1;
        }
        if (carried) live[t].first = 0;
        live[t].passing = !carried && (from == to || (plan->through && from != AD_SEGMENT_INIT));
        for (int s = from; s <= to; s++) live[t].passing = live[t].passing && ad_plan_by_task(plan, s);
    }
    /* The operations of a chain take turns. */
    for (int first = 0, count; first < plan->op_count; first += count) {
        count = ad_plan_chain_length(plan, first);
        for (int i = first; i < first + count; i++)
            for (int r = 0; r < AD_OP_TENSORS; r++) {
                if (plan->ops[i].t[r] < 0) continue;
                interval *l = &live[plan->ops[i].t[r]];
                l->first = AD_MIN(l->first, first);
                l->last = AD_MAX(l->last, first + count - 1);
            }
    }
}

/* Largest first, each at the lowest offset where it meets no tensor alive at the same time. Returns the end of them
 * all. */
static size_t place(ad_plan *plan, const interval *live, size_t count, int arena, bool lane) {
    size_t end = 0;
    for (size_t i = 0; i < count; i++) {
        ad_tensor *tensor = &plan->tensors[live[i].tensor];
        if (tensor->arena != arena || tensor->lane != lane) continue;
        size_t at = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (size_t j = 0; j < i; j++) {
                const ad_tensor *other = &plan->tensors[live[j].tensor];
                if (other->arena != arena || other->lane != lane || live[j].first > live[i].last ||
                    live[j].last < live[i].first)
                    continue;
                if (at < other->offset + live[j].bytes && other->offset < at + live[i].bytes) {
                    at = aligned(other->offset + live[j].bytes);
                    moved = true;
                }
            }
        }
        tensor->offset = at;
        end = AD_MAX(end, at + live[i].bytes);
    }
    return end;
}

/* What was placed for one task or lane, repeated for all of them, from `begin` on. Returns the end. */
static size_t repeat(ad_plan *plan, int arena, bool lane, size_t begin, size_t bytes) {
    bytes = aligned(bytes);
    for (int t = 0; t < plan->tensor_count; t++) {
        ad_tensor *tensor = &plan->tensors[t];
        if (tensor->arena != arena || tensor->lane != lane) continue;
        tensor->offset += begin;
        tensor->stride = bytes / ad_type_bytes(tensor->type);
    }
    return begin + bytes * (size_t)(lane ? plan->lanes : plan->tasks);
}

adatom_status ad_plan_place(adatom_context *ctx, ad_plan *plan, int arena) {
    const size_t count = (size_t)plan->tensor_count;
    interval *live = ad_calloc(ctx, count, sizeof *live);
    if (!live) return ADATOM_OUT_OF_MEMORY;
    for (size_t t = 0; t < count; t++) {
        const size_t bytes = ad_tensor_bytes(&plan->tensors[t], plan->lanes ? 1 : plan->tasks);
        live[t] = (interval){.tensor = (int)t, .first = -1, .last = -1, .bytes = bytes};
    }
    find_intervals(plan, live);
    for (size_t t = 0; t < count; t++)
        if (plan->tensors[t].arena == arena) plan->tensors[t].lane = plan->lanes && live[t].passing;
    qsort(live, count, sizeof *live, by_size);

    size_t end = place(plan, live, count, arena, false);
    if (plan->lanes) {
        plan->lane_bytes = aligned(place(plan, live, count, arena, true));
        end = repeat(plan, arena, true, repeat(plan, arena, false, 0, end), plan->lane_bytes);
    }
    plan->arenas[arena].bytes = end;
    ad_free(live);
    return ADATOM_OK;
}

size_t ad_plan_owned_bytes(const ad_plan *plan) {
    size_t bytes = 0;
    for (int a = 0; a < plan->arena_count; a++)
        if (!plan->arenas[a].external) bytes += plan->arenas[a].bytes;
    return bytes;
}

size_t ad_plan_bytes(const ad_plan *plan) {
    size_t bytes = 0;
    for (int a = 0; a < plan->arena_count; a++) bytes += plan->arenas[a].bytes;
    return bytes;
}

size_t ad_plan_largest_tensor(const ad_plan *plan) {
    size_t bytes = 0;
    for (int i = 0; i < plan->op_count; i++)
        for (int r = 0; r < AD_OP_TENSORS; r++)
            if (plan->ops[i].t[r] >= 0) {
                const ad_tensor *t = &plan->tensors[plan->ops[i].t[r]];
                if (!plan->arenas[t->arena].external)
                    bytes = AD_MAX(bytes, ad_tensor_bytes(t, ad_tensor_copies(plan, t)));
            }
    return bytes;
}
