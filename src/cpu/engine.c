/* The engine: buffers, programs (a plan with its memory resolved to addresses) and their running. */
#include "cpu/cpu_internal.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LARGE_BYTES = 4 << 20 }; /* what is worth large pages */

/* Measured: docs/performance.md. */
static const ad_conv_costs costs = {1.05f, 1.1f};

typedef struct cpu_engine {
    ad_engine base;
    int threads;
    const ad_cpu_tiles *tiles;
    adatom_device_info info;
    int16_t prefer[AD_OP_COUNT]; /* 0: the kernel's own choice */
    ad_verdict half_storage;
} cpu_engine;

struct ad_buffer {
    char *memory;
    size_t bytes;
    uint64_t writes; /* how often something was written to it */
};

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
    cpu_engine *engine;
    ad_tensor *tensors;
    ad_op *ops;
    ad_cpu_call *calls; /* one per op; call.op points into ops */
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

static const ad_cpu_kernel *const kernels[AD_OP_COUNT] = {
#define AD_OP(NAME, name, roles) &ad_cpu_kernel_##NAME,
#include "plan/ops.def"
};
static const char *const one_variant[] = {"loops", NULL};

static const char *const *variants_of(int kind) {
    return kernels[kind]->variants ? kernels[kind]->variants : one_variant;
}

static int variant_count(const ad_engine *engine, int kind) {
    (void)engine;
    int count = 0;
    while (variants_of(kind)[count]) count++;
    return count;
}

static bool applies(const cpu_engine *engine, const ad_op *op, int variant) {
    return variant >= 1 && variant <= variant_count(&engine->base, op->kind) &&
           (!kernels[op->kind]->applies || kernels[op->kind]->applies(op, variant, engine->tiles));
}

/* One preference per operation: where it does not apply, the first that does is taken. */
static void variant_prefer(ad_engine *engine, const ad_plan *plan, const ad_op *op, int variant) {
    (void)plan;
    ((cpu_engine *)engine)->prefer[op->kind] = (int16_t)variant;
}

static int variant_of(const cpu_engine *engine, const ad_op *op) {
    if (op->variant) return op->variant;
    if ((op->flags & AD_FAST) && kernels[op->kind]->fast) {
        const int fast = kernels[op->kind]->fast(op, engine->tiles);
        if (fast) return fast;
    }
    if (applies(engine, op, engine->prefer[op->kind])) return engine->prefer[op->kind];
    int variant = 1;
    while (variant < variant_count(&engine->base, op->kind) && !applies(engine, op, variant)) variant++;
    return variant;
}

static const char *variant_name(const ad_engine *base, const ad_plan *plan, const ad_op *op, int variant) {
    const cpu_engine *engine = (const cpu_engine *)base;
    (void)plan;
    if (!variant) variant = variant_of(engine, op);
    return applies(engine, op, variant) ? variants_of(op->kind)[variant - 1] : NULL;
}

static bool variant_winograd(const ad_engine *engine, const ad_op *op, int variant) {
    (void)engine;
    return variant && kernels[op->kind]->winograd == variant;
}

/* ---- buffers ---- */
/* Tensors are walked through in long strides: with large pages fewer addresses are looked up. A wish, not a need. */
static void *allocate(adatom_context *ctx, size_t bytes) {
    char *memory = ad_malloc(ctx, bytes, 1);
#ifdef MADV_HUGEPAGE
    const size_t page = (size_t)sysconf(_SC_PAGE_SIZE), before = memory ? -(uintptr_t)memory % page : 0;
    if (memory && bytes >= LARGE_BYTES + before)
        madvise(memory + before, (bytes - before) / page * page, MADV_HUGEPAGE);
#endif
    return memory;
}

static adatom_status buffer_create(ad_engine *engine, size_t bytes, ad_buffer **out) {
    *out = ad_calloc(engine->ctx, 1, sizeof **out);
    if (!*out) return ADATOM_OUT_OF_MEMORY;
    (*out)->bytes = bytes;
    (*out)->memory = allocate(engine->ctx, bytes);
    if (!(*out)->memory) {
        ad_free(*out);
        *out = NULL;
        return ADATOM_OUT_OF_MEMORY;
    }
    return ADATOM_OK;
}

static adatom_status within(const ad_engine *engine, const char *what, size_t offset, size_t bytes, size_t size) {
    if (offset <= size && bytes <= size - offset) return ADATOM_OK;
    return ad_fail(engine->ctx, ADATOM_USAGE, "%s: %zu bytes at %zu asked for, it has %zu", what, bytes, offset, size);
}

static adatom_status buffer_write(ad_engine *engine, ad_buffer *buffer, size_t offset, const void *data, size_t bytes) {
    adatom_status status = within(engine, "buffer", offset, bytes, buffer->bytes);
    if (status == ADATOM_OK && bytes) memcpy(buffer->memory + offset, data, bytes);
    buffer->writes++;
    return status;
}

static adatom_status buffer_read(ad_engine *engine, ad_buffer *buffer, size_t offset, void *data, size_t bytes) {
    adatom_status status = within(engine, "buffer", offset, bytes, buffer->bytes);
    if (status == ADATOM_OK && bytes) memcpy(data, buffer->memory + offset, bytes);
    return status;
}

/* What buffer_send begins, a copy by the same processors, it also ends. */
static adatom_status buffer_wait(ad_engine *engine) {
    (void)engine;
    return ADATOM_OK;
}

static void buffer_destroy(ad_engine *engine, ad_buffer **buffer) {
    (void)engine;
    if (!buffer || !*buffer) return;
    ad_free((*buffer)->memory);
    ad_free(*buffer);
    *buffer = NULL;
}

/* ---- programs ---- */
static void program_destroy(ad_program **program) {
    if (!program || !*program) return;
    ad_program *p = *program;
    for (int a = 0; a < AD_MAX_ARENAS; a++)
        if (!p->external[a]) ad_free(p->arenas[a]);
    for (int i = 0; p->kept && i < p->op_count; i++) ad_free(p->kept[i].memory);
    ad_free(p->kept);
    ad_free(p->scratch);
    ad_free(p->op_ns);
    ad_free(p->calls);
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
            p->arenas[a] = allocate(ctx, bytes);
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

/* As many as there are lanes, if that keeps enough threads busy. */
static int choose_workers(const ad_program *p) {
    const int threads = p->engine->threads, workers = AD_MIN(threads, p->lanes);
    return workers && 4 * p->tasks >= 3 * threads * ((p->tasks + workers - 1) / workers) ? workers : 0;
}

/* Floats that the operations need, whether they run for some tasks side by side or each worker for one. */
static size_t find_scratch(ad_program *p) {
    size_t most = 0;
    for (int k = 0; k < AD_SEGMENT_COUNT; k++) {
        const segment *s = &p->segments[k];
        for (int i = s->first; i < s->first + s->count; i++) {
            const ad_cpu_kernel *kernel = kernels[p->ops[i].kind];
            if (!kernel->scratch) continue;
            ad_cpu_call group = p->calls[i], one = group;
            if (s->by_task) group.tasks = AD_MIN(group.tasks, p->lanes);
            one.tasks = one.threads = 1;
            most = AD_MAX(most, kernel->scratch(&group));
            p->task_scratch = AD_MAX(p->task_scratch, (kernel->scratch(&one) + 15) / 16 * 16);
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
        if (!(op->flags & AD_FAST) || !kernels[op->kind]->kept || p->tensors[op->t[WEIGHTS]].stride) continue;
        const int arena = p->tensors[op->t[WEIGHTS]].arena;
        const size_t count = kernels[op->kind]->kept(&p->calls[i]);
        if (!p->external[arena] || p->written[arena] || count > left) continue;
        left -= count;
        p->kept[i].arena = arena;
        p->kept[i].memory = ad_malloc(p->engine->base.ctx, count, sizeof(float));
        if (!p->kept[i].memory) return ADATOM_OUT_OF_MEMORY;
    }
    return ADATOM_OK;
}

static adatom_status program_create(ad_engine *base, const ad_plan *plan, ad_buffer *const *external,
                                    ad_program **out) {
    cpu_engine *engine = (cpu_engine *)base;
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
    p->op_ns = ad_calloc(ctx, ops, sizeof *p->op_ns);
    p->kept = ad_calloc(ctx, ops, sizeof *p->kept);
    if (!p->tensors || !p->ops || !p->calls || !p->op_ns || !p->kept) {
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
                              .variant = variant_of(engine, op),
                              .tiles = engine->tiles};
        if (!variant_name(base, plan, op, call->variant)) {
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
    program_destroy(&p);
    return status;
}

static adatom_status tensor_range(const ad_program *p, int tensor, size_t offset, size_t bytes, char **out) {
    const ad_engine *engine = &p->engine->base;
    if (tensor < 0 || tensor >= p->tensor_count)
        return ad_fail(engine->ctx, ADATOM_USAGE, "program: no tensor %d", tensor);
    const ad_tensor *t = &p->tensors[tensor];
    *out = p->arenas[t->arena] + t->offset + offset;
    return within(engine, t->name, offset, bytes, ad_tensor_bytes(t, t->lane ? p->lanes : p->tasks));
}

static adatom_status program_write(ad_program *p, int tensor, size_t offset, const void *data, size_t bytes) {
    char *at = NULL;
    adatom_status status = tensor_range(p, tensor, offset, bytes, &at);
    if (status == ADATOM_OK && bytes) memcpy(at, data, bytes);
    ad_buffer *buffer = status == ADATOM_OK ? p->external[p->tensors[tensor].arena] : NULL;
    if (buffer) buffer->writes++;
    return status;
}

static adatom_status program_read(ad_program *p, int tensor, size_t offset, void *data, size_t bytes) {
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

/* One task on the calling thread, with counters of its own. */
static void run_task(const ad_program *p, const ad_run *runs, int count, int task, int lane, int32_t *counters) {
    for (int k = 0; k < count; k++) {
        const segment *s = &p->segments[runs[k].segment];
        for (int turn = 0; turn < runs[k].times && !interrupted(p, lane); turn++) {
            for (int i = s->first; i < s->first + s->count - (s->counter != NULL); i++) {
                ad_cpu_call call = call_of(p, &p->calls[i], task, 1, lane);
                call.threads = 1;
                call.scratch = p->scratch + (size_t)lane * p->task_scratch;
                for (int r = 0; r < AD_OP_TENSORS; r++)
                    for (int c = 0; c < AD_SEGMENT_COUNT && call.base[r]; c++)
                        if (call.base[r] == (char *)p->segments[c].counter) call.base[r] = (char *)&counters[c];
                kernels[p->ops[i].kind]->run(&call);
            }
            counters[runs[k].segment]++;
        }
    }
}

/* An operation for some of its tasks. Only one at a time is run like this, so that what it keeps is its own. */
static void run_op(ad_program *p, int i, int first, int tasks) {
    kept *k = &p->kept[i];
    ad_cpu_call call = call_of(p, &p->calls[i], first, tasks, 0);
    const uint64_t writes = k->memory ? p->external[k->arena]->writes : 0;
    call.kept = k->memory;
    call.ready = k->made && k->of == writes;
    kernels[p->ops[i].kind]->run(&call);
    k->made = k->memory != NULL;
    k->of = writes;
}

/* Tasks first .. first + tasks - 1 side by side, operation by operation. */
static void run_ops(ad_program *p, const ad_run *runs, int count, int first, int tasks) {
    for (int k = 0; k < count; k++) {
        const segment *s = &p->segments[runs[k].segment];
        for (int turn = 0; turn < runs[k].times && !interrupted(p, 0); turn++)
            for (int i = s->first; i < s->first + s->count; i++) {
                const double start = p->profile ? ad_seconds() : 0;
                run_op(p, i, first, tasks);
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

static adatom_status program_run(ad_program *p, const ad_run *runs, int count) {
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

static adatom_status program_profile(ad_program *p, bool on) {
    p->profile = on;
    return ADATOM_OK;
}

static double program_op_ns(ad_program *p, int op) { return op >= 0 && op < p->op_count ? p->op_ns[op] : -1; }

/* ---- the engine ---- */
static adatom_status probe(ad_engine *base, ad_probe *out) {
    return ad_cpu_probe(base->ctx, ((cpu_engine *)base)->threads, out);
}

static void read_model(char *out, size_t size) {
    snprintf(out, size, "CPU");
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (!file) return;
    char line[512];
    while (fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, "model name", 10) != 0) continue;
        colon += 1 + strspn(colon + 1, " \t");
        colon[strcspn(colon, "\n")] = 0;
        snprintf(out, size, "%s", colon);
        break;
    }
    fclose(file);
}

#if defined(__x86_64__)
/* clang 14's __builtin_cpu_supports does not know it. */
static bool f16c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

static const ad_cpu_tiles *best_tiles(void) {
#if defined(__x86_64__)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && f16c();
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    if (avx512 && ad_cpu_tiles_avx512) return ad_cpu_tiles_avx512;
    if (avx2 && ad_cpu_tiles_avx2) return ad_cpu_tiles_avx2;
#endif
    return &ad_cpu_tiles_baseline;
}

void ad_cpu_describe(int threads, adatom_device_info *out) {
    *out = (adatom_device_info){.memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGE_SIZE),
                                .tensor_bytes = SIZE_MAX / 2,
                                .timer = true,
                                .threads = threads ? threads : omp_get_num_procs(),
                                .usable = true};
    snprintf(out->backend, sizeof out->backend, "cpu");
    read_model(out->name, sizeof out->name);
    snprintf(out->type, sizeof out->type, "cpu");
    out->precision = ADATOM_PRECISION_FP32;
    snprintf(out->api, sizeof out->api, "%s", best_tiles()->name);
}

static void describe(const ad_engine *base, adatom_device_info *out) {
    const cpu_engine *engine = (const cpu_engine *)base;
    *out = engine->info;
    const bool half = engine->half_storage == AD_VERDICT_PASSED;
    out->precision = half ? ADATOM_PRECISION_FP16 : ADATOM_PRECISION_FP32;
    snprintf(out->features, sizeof out->features, "%s", half ? "half-storage" : "");
}

static void limits(const ad_engine *base, ad_limits *out) {
    const uint64_t available = ad_available_bytes();
    *out = (ad_limits){
        .tensor_bytes = SIZE_MAX / 2, .arena_bytes = SIZE_MAX / 2, .lanes = ((const cpu_engine *)base)->threads};
    out->memory_bytes = (size_t)((available ? available : ((const cpu_engine *)base)->info.memory_bytes) / 10 * 7);
}

/* There is nothing to open for half precision: whoever wants it has it checked. */
static ad_verdict half_storage(const ad_engine *engine) { return ((const cpu_engine *)engine)->half_storage; }
static void half_storage_judge(ad_engine *engine, bool passed) {
    ((cpu_engine *)engine)->half_storage = passed ? AD_VERDICT_PASSED : AD_VERDICT_FAILED;
}

static void destroy(ad_engine *engine) { ad_free(engine); }

static const ad_engine_api api = {
    .name = "cpu",
    .destroy = destroy,
    .describe = describe,
    .limits = limits,
    .buffer_create = buffer_create,
    .buffer_write = buffer_write,
    .buffer_read = buffer_read,
    .buffer_send = buffer_write,
    .buffer_wait = buffer_wait,
    .buffer_destroy = buffer_destroy,
    .program_create = program_create,
    .program_write = program_write,
    .program_read = program_read,
    .program_run = program_run,
    .program_destroy = program_destroy,
    .program_profile = program_profile,
    .program_op_ns = program_op_ns,
    .probe = probe,
    .variant_count = variant_count,
    .variant_name = variant_name,
    .variant_prefer = variant_prefer,
    .variant_winograd = variant_winograd,
    .half_storage = half_storage,
    .half_storage_judge = half_storage_judge,
};

adatom_status ad_cpu_engine_create(adatom_context *ctx, int threads, ad_engine **out) {
    *out = NULL;
    if (threads < 0) return ad_fail(ctx, ADATOM_USAGE, "the CPU engine cannot use %d threads", threads);
    cpu_engine *engine = ad_calloc(ctx, 1, sizeof *engine);
    if (!engine) return ADATOM_OUT_OF_MEMORY;
    engine->base = (ad_engine){&api, ctx, &costs};
    ad_cpu_describe(threads, &engine->info);
    engine->threads = engine->info.threads;
    engine->tiles = best_tiles();
    *out = &engine->base;
    return ADATOM_OK;
}
