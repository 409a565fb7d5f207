/* Programs, plans with their memory resolved to addresses, and their running. */
#include "cpu/engine.h"

#include <omp.h>
#include <string.h>

/* What an operation of a program keeps of its weights: AD_FAST ones, whose weights all tasks share and no operation of
 * the plan writes, those in memory that outlives the program. */
typedef struct kept {
    float *memory; /* NULL: nothing */
    int arena;     /* of the weights */
    bool made;
    uint64_t of; /* writes of the buffer when it was made */
} kept;
enum { KEPT_BYTES = 512 << 20 }; /* of a program */

typedef struct segment {
    int first, count;
    bool by_task;     /* the plan has lanes, and tasks go through the segment without waiting for each other */
    int32_t *counter; /* what its last operation advances; NULL: nothing */
} segment;

struct ad_program {
    ad_cpu_engine *engine;
    ad_tensor *tensors;
    ad_op *ops;
    ad_cpu_call *calls; /* one per op; call.op points into ops */
    int *chain;         /* per op: so many from it on are run together */
    double *op_ns;
    char *arenas[AD_MAX_ARENAS];        /* base addresses */
    ad_buffer *external[AD_MAX_ARENAS]; /* NULL: the program's own */
    bool written[AD_MAX_ARENAS];        /* by an operation */
    kept *kept;                         /* one per op */
    float *scratch;
    size_t task_scratch; /* floats of a thread that runs single tasks */
    int tasks, lanes, tensor_count, op_count;
    int workers; /* threads that take a task each through all runs of a call; 0: those go operation by operation */
    segment segments[AD_SEGMENT_COUNT];
    bool profile;
    bool whole; /* the running call is of one turn of a segment, which no interrupt may leave half done */
};

void ad_cpu_program_destroy(ad_program **program) {
    if (!program || !*program) return;
    ad_program *p = *program;
    for (int a = 0; a < AD_MAX_ARENAS; a++)
        if (!p->external[a]) ad_free(p->arenas[a]);
    for (int i = 0; p->kept && i < p->op_count; i++) ad_free(p->kept[i].memory);
    ad_free(p->kept);
    ad_free(p->scratch);
    ad_free(p->op_ns);
    ad_free(p->calls);
    ad_free(p->chain);
    ad_free(p->ops);
    ad_free(p->tensors);
    ad_free(p);
    *program = NULL;
}

static adatom_status bind_arenas(ad_program *p, const ad_plan *plan, ad_buffer *const *external) {
    adatom_context *ctx = p->engine->base.ctx;
    for (int a = 0; a < plan->arena_count; a++) {
        const size_t bytes = plan->arenas[a].bytes;
        if (!plan->arenas[a].external) {
            p->arenas[a] = ad_cpu_allocate(ctx, bytes);
            if (!p->arenas[a]) return ADATOM_OUT_OF_MEMORY;
            continue;
        }
        if (!external || !external[a] || external[a]->bytes < bytes)
            return ad_fail(ctx, ADATOM_USAGE, "plan: arena %d needs a buffer of %zu bytes, %zu given", a, bytes,
                           external && external[a] ? external[a]->bytes : 0);
        p->external[a] = external[a];
        p->arenas[a] = external[a]->memory;
    }
    return ADATOM_OK;
}

/* A call for some of its tasks, those in lanes from `lane` on. */
static ad_cpu_call call_of(const ad_program *p, const ad_cpu_call *call, int first, int tasks, int lane) {
    ad_cpu_call part = *call;
    if (call->op->tasks != p->tasks) return part;
    part.first = first;
    part.tasks = tasks;
    for (int r = 0; r < AD_OP_TENSORS; r++)
        if (part.base[r]) part.base[r] += (size_t)(p->tensors[call->op->t[r]].lane ? lane : first) * part.stride[r];
    return part;
}

static void plan_segment(ad_program *p, const ad_plan *plan, int number) {
    segment *s = &p->segments[number];
    *s = (segment){.first = plan->segments[number].first, .count = plan->segments[number].count};
    const int last = s->first + s->count - 1;
    s->by_task = plan->lanes && ad_plan_by_task(plan, number);
    if (s->count && p->ops[last].kind == AD_OP_ADVANCE) s->counter = (int32_t *)p->calls[last].base[0];
}

/* As many as there are lanes, if that keeps enough threads busy. A single task is run by all threads, with what its
 * operations keep. */
static int choose_workers(const ad_program *p) {
    if (p->tasks == 1) return 0;
    const int threads = p->engine->threads, workers = AD_MIN(threads, p->lanes);
    return workers && 4 * p->tasks >= 3 * threads * ((p->tasks + workers - 1) / workers) ? workers : 0;
}

/* Floats that the operations need, whether they run for some tasks side by side or each worker for one. */
static size_t find_scratch(ad_program *p) {
    size_t most = 0;
    for (int k = 0; k < AD_SEGMENT_COUNT; k++) {
        const segment *s = &p->segments[k];
        for (int i = s->first; i < s->first + s->count; i++) {
            const ad_cpu_kernel *kernel = ad_cpu_kernels[p->ops[i].kind];
            if (p->chain[i] > 1) {
                most = AD_MAX(most, ad_cpu_chain_scratch(&p->calls[i], p->chain[i], p->engine->threads));
                const size_t alone = ad_cpu_chain_scratch(&p->calls[i], p->chain[i], 1);
                p->task_scratch = AD_MAX(p->task_scratch, ad_cpu_round_up(alone, 16));
            }
            if (!kernel->scratch) continue;
            ad_cpu_call group = p->calls[i], one = group;
            if (s->by_task) group.tasks = AD_MIN(group.tasks, p->lanes);
            one.tasks = one.threads = 1;
            most = AD_MAX(most, kernel->scratch(&group));
            p->task_scratch = AD_MAX(p->task_scratch, ad_cpu_round_up(kernel->scratch(&one), 16));
        }
    }
    return AD_MAX(most, (size_t)p->workers * p->task_scratch);
}

static adatom_status make_kept(ad_program *p, size_t spare_bytes) {
    enum { WEIGHTS = 1 };
    size_t left = AD_MIN((size_t)KEPT_BYTES, spare_bytes) / sizeof(float);
    for (int i = 0; i < p->op_count; i++)
        for (int r = 0; r < AD_OP_TENSORS; r++)
            if (ad_op_access(&p->ops[i], r) != AD_ACCESS_NONE && ad_op_access(&p->ops[i], r) != AD_READ)
                p->written[p->tensors[p->ops[i].t[r]].arena] = true;
    for (int i = 0; i < p->op_count; i++) {
        const ad_op *op = &p->ops[i];
        if (!(op->flags & AD_FAST) || !ad_cpu_kernels[op->kind]->kept || p->tensors[op->t[WEIGHTS]].stride) continue;
        const int arena = p->tensors[op->t[WEIGHTS]].arena;
        const size_t count = ad_cpu_kernels[op->kind]->kept(&p->calls[i]);
        if (!p->external[arena] || p->written[arena] || count > left) continue;
        left -= count;
        p->kept[i].arena = arena;
        p->kept[i].memory = ad_malloc(p->engine->base.ctx, count, sizeof(float));
        if (!p->kept[i].memory) return ADATOM_OUT_OF_MEMORY;
    }
    return ADATOM_OK;
}

adatom_status ad_cpu_program_create(ad_engine *base, const ad_plan *plan, ad_buffer *const *external,
                                    ad_program **out) {
    ad_cpu_engine *engine = (ad_cpu_engine *)base;
    adatom_context *ctx = base->ctx;
    *out = NULL;
    adatom_status status = ad_plan_validate(ctx, plan);
    if (status != ADATOM_OK) return status;
    ad_program *p = ad_calloc(ctx, 1, sizeof *p);
    if (!p) return ADATOM_OUT_OF_MEMORY;
    const size_t ops = (size_t)plan->op_count, tensors = (size_t)plan->tensor_count;
    p->engine = engine;
    p->tasks = plan->tasks;
    p->lanes = plan->lanes;
    p->tensor_count = plan->tensor_count;
    p->op_count = plan->op_count;
    p->tensors = ad_malloc(ctx, tensors, sizeof *p->tensors);
    p->ops = ad_malloc(ctx, ops, sizeof *p->ops);
    p->calls = ad_calloc(ctx, ops, sizeof *p->calls);
    p->chain = ad_calloc(ctx, ops, sizeof *p->chain);
    p->op_ns = ad_calloc(ctx, ops, sizeof *p->op_ns);
    p->kept = ad_calloc(ctx, ops, sizeof *p->kept);
    if (!p->tensors || !p->ops || !p->calls || !p->chain || !p->op_ns || !p->kept) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    if (tensors) memcpy(p->tensors, plan->tensors, tensors * sizeof *p->tensors);
    if (ops) memcpy(p->ops, plan->ops, ops * sizeof *p->ops);
    AD_TRY(bind_arenas(p, plan, external));

    for (int i = 0; i < p->op_count; i++) {
        const ad_op *op = &p->ops[i];
        ad_cpu_call *call = &p->calls[i];
        *call = (ad_cpu_call){.op = op,
                              .tasks = op->tasks,
                              .threads = engine->threads,
                              .variant = ad_cpu_variant_of(engine, op),
                              .tiles = engine->tiles};
        if (!ad_cpu_variant_name(base, plan, op, call->variant)) {
            status = ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s) has no variant %d", i, ad_op_name(op->kind),
                             call->variant);
            goto done;
        }
        for (int r = 0; r < AD_OP_TENSORS; r++) {
            if (ad_op_access(op, r) == AD_ACCESS_NONE) continue;
            const ad_tensor *t = &p->tensors[op->t[r]];
            call->base[r] = p->arenas[t->arena] + t->offset;
            call->stride[r] = t->stride * ad_type_bytes(t->type);
            call->half[r] = t->type == AD_F16;
        }
    }
    for (int i = 0; i < p->op_count; i++) {
        p->chain[i] = ad_plan_chain_length(plan, i);
        if (p->chain[i] > 1 && !ad_cpu_chain_scratch(&p->calls[i], p->chain[i], 1)) p->chain[i] = 1;
    }
    for (int s = 0; s < AD_SEGMENT_COUNT; s++) plan_segment(p, plan, s);
    p->workers = choose_workers(p);
    const size_t scratch = find_scratch(p);
    p->scratch = ad_malloc(ctx, scratch, sizeof *p->scratch);
    if (!p->scratch) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    for (int i = 0; i < p->op_count; i++) p->calls[i].scratch = p->scratch;
    AD_TRY(make_kept(p, plan->spare_bytes));
    *out = p;
    p = NULL;
done:
    ad_cpu_program_destroy(&p);
    return status;
}

static adatom_status tensor_range(const ad_program *p, int tensor, size_t offset, size_t bytes, char **out) {
    const ad_engine *engine = &p->engine->base;
    if (tensor < 0 || tensor >= p->tensor_count)
        return ad_fail(engine->ctx, ADATOM_USAGE, "program: no tensor %d", tensor);
    const ad_tensor *t = &p->tensors[tensor];
    *out = p->arenas[t->arena] + t->offset + offset;
    return ad_cpu_within(engine, t->name, offset, bytes, ad_tensor_bytes(t, t->lane ? p->lanes : p->tasks));
}

adatom_status ad_cpu_program_write(ad_program *p, int tensor, size_t offset, const void *data, size_t bytes) {
    char *at = NULL;
    adatom_status status = tensor_range(p, tensor, offset, bytes, &at);
    if (status == ADATOM_OK && bytes) memcpy(at, data, bytes);
    ad_buffer *buffer = status == ADATOM_OK ? p->external[p->tensors[tensor].arena] : NULL;
    if (buffer) buffer->writes++;
    return status;
}

adatom_status ad_cpu_program_read(ad_program *p, int tensor, size_t offset, void *data, size_t bytes) {
    char *at = NULL;
    adatom_status status = tensor_range(p, tensor, offset, bytes, &at);
    if (status == ADATOM_OK && bytes) memcpy(data, at, bytes);
    return status;
}

static void read_counters(const ad_program *p, int32_t *counters) {
    for (int s = 0; s < AD_SEGMENT_COUNT; s++)
        if (p->segments[s].counter) counters[s] = *p->segments[s].counter;
}

static void write_counters(const ad_program *p, const int32_t *counters) {
    for (int s = 0; s < AD_SEGMENT_COUNT; s++)
        if (p->segments[s].counter) *p->segments[s].counter = counters[s];
}

/* Lane 0 is the calling thread, which alone may ask the caller whether to go on. */
static bool interrupted(const ad_program *p, int lane) {
    adatom_context *ctx = p->engine->base.ctx;
    return !p->whole && (lane == 0 ? ad_stopping(ctx) : atomic_load(&ctx->interrupted));
}

static void run_calls(const ad_cpu_call *calls, int count) {
    if (count > 1)
        ad_cpu_chain_run(calls, count);
    else
        ad_cpu_kernels[calls[0].op->kind]->run(calls);
}

/* A call of one task on the calling thread, with counters of its own. */
static ad_cpu_call call_alone(const ad_program *p, int i, int task, int lane, int32_t *counters) {
    ad_cpu_call call = call_of(p, &p->calls[i], task, 1, lane);
    call.threads = 1;
    call.scratch = p->scratch + (size_t)lane * p->task_scratch;
    for (int r = 0; r < AD_OP_TENSORS; r++)
        for (int c = 0; c < AD_SEGMENT_COUNT && call.base[r]; c++)
            if (call.base[r] == (char *)p->segments[c].counter) call.base[r] = (char *)&counters[c];
    return call;
}

/* One task on the calling thread. */
static void run_task(const ad_program *p, const ad_run *runs, int count, int task, int lane, int32_t *counters) {
    for (int k = 0; k < count; k++) {
        const segment *s = &p->segments[runs[k].segment];
        for (int turn = 0; turn < runs[k].times && !interrupted(p, lane); turn++) {
            for (int i = s->first; i < s->first + s->count - (s->counter != NULL); i += p->chain[i]) {
                ad_cpu_call calls[AD_CHAIN_MOST] = {call_alone(p, i, task, lane, counters)};
                for (int c = 1; c < p->chain[i]; c++) calls[c] = call_alone(p, i + c, task, lane, counters);
                run_calls(calls, p->chain[i]);
            }
            counters[runs[k].segment]++;
        }
    }
}

/* A call for some of its tasks, with what it keeps. */
static ad_cpu_call call_keeping(const ad_program *p, int i, int first, int tasks) {
    const kept *k = &p->kept[i];
    ad_cpu_call call = call_of(p, &p->calls[i], first, tasks, 0);
    call.kept = k->memory;
    call.ready = k->made && k->of == p->external[k->arena]->writes;
    return call;
}

/* `count` operations for some of their tasks: one, or a chain. Only one at a time is run like this, so that what they
 * keep is their own. */
static void run_together(ad_program *p, int i, int count, int first, int tasks) {
    ad_cpu_call calls[AD_CHAIN_MOST] = {call_keeping(p, i, first, tasks)};
    for (int c = 1; c < count; c++) calls[c] = call_keeping(p, i + c, first, tasks);
    run_calls(calls, count);
    for (int c = 0; c < count; c++) {
        kept *k = &p->kept[i + c];
        k->made = k->memory != NULL;
        k->of = k->made ? p->external[k->arena]->writes : 0;
    }
}

/* Tasks first .. first + tasks - 1 side by side, operation by operation. */
static void run_ops(ad_program *p, const ad_run *runs, int count, int first, int tasks) {
    for (int k = 0; k < count; k++) {
        const segment *s = &p->segments[runs[k].segment];
        for (int turn = 0; turn < runs[k].times && !interrupted(p, 0); turn++)
            for (int i = s->first, together; i < s->first + s->count; i += together) {
                const double start = p->profile ? ad_seconds() : 0;
                together = p->profile ? 1 : p->chain[i];
                run_together(p, i, together, first, tasks);
                if (p->profile) p->op_ns[i] += 1e9 * (ad_seconds() - start);
            }
    }
}

/* With lanes, each thread takes a task through all of the runs before the next: what an operation writes is still in
 * the cache when the next one reads it, and no thread waits between operations. Where that would leave threads idle, as
 * many tasks as there are lanes go through them together. */
static void run_all(ad_program *p, const ad_run *runs, int count, bool by_task) {
    const int group = by_task ? AD_MIN(p->tasks, p->lanes) : p->tasks;
    int32_t before[AD_SEGMENT_COUNT] = {0}, after[AD_SEGMENT_COUNT] = {0};
    read_counters(p, before);
    if (!by_task || !p->workers || p->profile) {
        for (int task = 0; task < p->tasks; task += group) {
            if (task > 0) write_counters(p, before);
            run_ops(p, runs, count, task, AD_MIN(group, p->tasks - task));
        }
        return;
    }
    AD_CPU_PRAGMA(omp parallel for schedule(dynamic) num_threads(p->workers))
    for (int task = 0; task < p->tasks; task++) {
        int32_t counters[AD_SEGMENT_COUNT];
        memcpy(counters, before, sizeof counters);
        run_task(p, runs, count, task, omp_get_thread_num(), counters);
        if (task == p->tasks - 1) memcpy(after, counters, sizeof after);
    }
    write_counters(p, after);
}

adatom_status ad_cpu_program_run(ad_program *p, const ad_run *runs, int count) {
    adatom_status status = ad_interrupted(p->engine->base.ctx);
    if (status != ADATOM_OK) return status;
    p->whole = count == 1 && runs[0].times == 1;
    for (int i = 0; i < p->op_count && p->profile; i++) p->op_ns[i] = 0;
    for (int k = 0, end; k < count; k = end) {
        const bool by_task = p->segments[runs[k].segment].by_task;
        for (end = k + 1; by_task && end < count && p->segments[runs[end].segment].by_task;) end++;
        run_all(p, runs + k, end - k, by_task);
        if (interrupted(p, 0)) break;
    }
    for (int a = 0; a < AD_MAX_ARENAS; a++)
        if (p->external[a] && p->written[a]) p->external[a]->writes++;
    return interrupted(p, 0) ? ad_interrupted(p->engine->base.ctx) : ADATOM_OK;
}

adatom_status ad_cpu_program_profile(ad_program *p, bool on) {
    p->profile = on;
    return ADATOM_OK;
}

double ad_cpu_program_op_ns(ad_program *p, int op) { return op >= 0 && op < p->op_count ? p->op_ns[op] : -1; }
