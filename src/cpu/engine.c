/* The engine: buffers, programs (a plan with its memory resolved to addresses) and their running. */
#include "cpu/cpu_internal.h"
#include "nn/build.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of one task's memory: about a usual second-level cache; what is worth large pages. */
enum { CACHE_BYTES = 2 << 20, LARGE_BYTES = 4 << 20 };

typedef struct cpu_engine {
    ad_engine base;
    int threads;
    const ad_cpu_tiles *tiles;
    char model[256];
    uint64_t memory_bytes;
    int16_t prefer[AD_OP_COUNT]; /* 0: the kernel's own choice */
    ad_verdict half_storage;
} cpu_engine;

struct ad_buffer {
    char *memory;
    size_t bytes;
};

typedef struct segment {
    int first, count;
    bool by_task;     /* whether each task may go through it alone */
    int32_t *counter; /* what its last operation advances; NULL: nothing */
} segment;

struct ad_program {
    cpu_engine *engine;
    ad_tensor *tensors;
    ad_op *ops;
    ad_cpu_call *calls; /* one per op; call.op points into ops */
    double *op_ns;
    char *arenas[AD_MAX_ARENAS]; /* base addresses */
    bool external[AD_MAX_ARENAS];
    float *scratch;
    size_t task_scratch; /* floats of a thread that runs single tasks */
    size_t task_bytes;   /* memory of one task */
    int tasks, tensor_count, op_count;
    segment segments[AD_SEGMENT_COUNT];
    bool profile;
};

static const ad_cpu_kernel *const kernels[AD_OP_COUNT] = {
#define AD_OP(NAME, name, roles) &ad_cpu_kernel_##NAME,
#include "nn/ops.def"
#undef AD_OP
};
static const char *const one_variant[] = {"loops", NULL};

static const char *const *variants_of(int kind) { return kernels[kind]->variants ? kernels[kind]->variants : one_variant; }

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

/* ---- buffers ---- */
/* Tensors are walked through in long strides: with large pages fewer addresses are looked up. A wish, not a need. */
static void *allocate(adatom_context *ctx, size_t bytes) {
    char *memory = ad_malloc(ctx, bytes, 1);
#ifdef MADV_HUGEPAGE
    const size_t page = (size_t)sysconf(_SC_PAGE_SIZE), before = memory ? -(uintptr_t)memory % page : 0;
    if (memory && bytes >= LARGE_BYTES + before) madvise(memory + before, (bytes - before) / page * page, MADV_HUGEPAGE);
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
        p->external[a] = plan->arenas[a].external;
        if (!p->external[a]) {
            p->arenas[a] = allocate(ctx, bytes);
            if (!p->arenas[a]) return ADATOM_OUT_OF_MEMORY;
            continue;
        }
        if (!external || !external[a] || external[a]->bytes < bytes)
            return ad_fail(ctx, ADATOM_USAGE, "plan: arena %d needs a buffer of %zu bytes, %zu given", a, bytes,
                           external && external[a] ? external[a]->bytes : 0);
        p->arenas[a] = external[a]->memory;
    }
    return ADATOM_OK;
}

/* One task of a call, on the calling thread. */
static ad_cpu_call call_of_task(const ad_cpu_call *call, int task) {
    ad_cpu_call one = *call;
    one.first = task;
    one.tasks = one.threads = 1;
    for (int r = 0; r < AD_OP_TENSORS; r++)
        if (one.base[r]) one.base[r] += (size_t)task * one.stride[r];
    return one;
}

/* Whether the tasks of a segment need not wait for each other, and enough threads would be busy. */
static void find_by_task(ad_program *p, const ad_plan *plan, segment *s) {
    const int threads = p->engine->threads, rounds = (p->tasks + threads - 1) / threads;
    s->by_task = plan->by_task && 4 * p->tasks >= 3 * threads * rounds;
    for (int i = s->first; i < s->first + s->count; i++) {
        const bool advance = p->ops[i].kind == AD_OP_ADVANCE && i == s->first + s->count - 1;
        if (advance) s->counter = (int32_t *)p->calls[i].base[0];
        s->by_task = s->by_task && (advance || p->ops[i].tasks == p->tasks);
    }
}

static adatom_status program_create(ad_engine *base, const ad_plan *plan, ad_buffer *const *external, ad_program **out) {
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
    p->tensor_count = plan->tensor_count;
    p->op_count = plan->op_count;
    p->tensors = ad_malloc(ctx, tensors, sizeof *p->tensors);
    p->ops = ad_malloc(ctx, ops, sizeof *p->ops);
    p->calls = ad_calloc(ctx, ops, sizeof *p->calls);
    p->op_ns = ad_calloc(ctx, ops, sizeof *p->op_ns);
    if (!p->tensors || !p->ops || !p->calls || !p->op_ns) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    if (tensors) memcpy(p->tensors, plan->tensors, tensors * sizeof *p->tensors);
    if (ops) memcpy(p->ops, plan->ops, ops * sizeof *p->ops);
    for (int s = 0; s < AD_SEGMENT_COUNT; s++)
        p->segments[s].first = plan->segments[s].first, p->segments[s].count = plan->segments[s].count;
    AD_TRY(bind_arenas(p, plan, external));

    size_t scratch = 0;
    for (int i = 0; i < p->op_count; i++) {
        const ad_op *op = &p->ops[i];
        ad_cpu_call *call = &p->calls[i];
        *call = (ad_cpu_call){
            .op = op, .tasks = op->tasks, .threads = engine->threads, .variant = variant_of(engine, op), .tiles = engine->tiles};
        if (!variant_name(base, plan, op, call->variant)) {
            status = ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s) has no variant %d", i, ad_op_name(op->kind), call->variant);
            goto done;
        }
        for (int r = 0; r < AD_OP_TENSORS; r++) {
            if (ad_op_access(op, r) == AD_ACCESS_NONE) continue;
            const ad_tensor *t = &p->tensors[op->t[r]];
            call->base[r] = p->arenas[t->arena] + t->offset;
            call->stride[r] = t->stride * ad_type_bytes(t->type);
            call->half[r] = t->type == AD_F16;
        }
        if (!kernels[op->kind]->scratch) continue;
        const ad_cpu_call one = call_of_task(call, 0);
        scratch = AD_MAX(scratch, kernels[op->kind]->scratch(call));
        p->task_scratch = AD_MAX(p->task_scratch, (kernels[op->kind]->scratch(&one) + 15) / 16 * 16);
    }
    for (int s = 0; s < AD_SEGMENT_COUNT; s++) {
        find_by_task(p, plan, &p->segments[s]);
        if (p->segments[s].by_task) scratch = AD_MAX(scratch, (size_t)engine->threads * p->task_scratch);
    }
    p->task_bytes = ad_plan_owned_bytes(plan) / (size_t)plan->tasks;
    p->scratch = ad_malloc(ctx, scratch, sizeof *p->scratch);
    if (!p->scratch) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    for (int i = 0; i < p->op_count; i++) p->calls[i].scratch = p->scratch;
    *out = p;
    p = NULL;
done:
    program_destroy(&p);
    return status;
}

static adatom_status tensor_range(const ad_program *p, int tensor, size_t offset, size_t bytes, char **out) {
    const ad_engine *engine = &p->engine->base;
    if (tensor < 0 || tensor >= p->tensor_count) return ad_fail(engine->ctx, ADATOM_USAGE, "program: no tensor %d", tensor);
    const ad_tensor *t = &p->tensors[tensor];
    *out = p->arenas[t->arena] + t->offset + offset;
    return within(engine, t->name, offset, bytes, ad_tensor_bytes(t, p->tasks));
}

static adatom_status program_write(ad_program *p, int tensor, size_t offset, const void *data, size_t bytes) {
    char *at = NULL;
    adatom_status status = tensor_range(p, tensor, offset, bytes, &at);
    if (status == ADATOM_OK && bytes) memcpy(at, data, bytes);
    return status;
}

static adatom_status program_read(ad_program *p, int tensor, size_t offset, void *data, size_t bytes) {
    char *at = NULL;
    adatom_status status = tensor_range(p, tensor, offset, bytes, &at);
    if (status == ADATOM_OK && bytes) memcpy(data, at, bytes);
    return status;
}

/* Runs a segment `turns` times for one task, with a counter of its own. */
static void run_task(const ad_program *p, const segment *s, int task, int turns, float *scratch) {
    int32_t counter = s->counter ? *s->counter : 0;
    for (int turn = 0; turn < turns; turn++, counter++)
        for (int i = s->first; i < s->first + s->count - (s->counter != NULL); i++) {
            ad_cpu_call call = call_of_task(&p->calls[i], task);
            call.scratch = scratch;
            for (int r = 0; r < AD_OP_TENSORS; r++)
                if (s->counter && call.base[r] == (char *)s->counter) call.base[r] = (char *)&counter;
            kernels[p->ops[i].kind]->run(&call);
        }
}

static void run_ops(ad_program *p, const segment *s) {
    for (int i = s->first; i < s->first + s->count; i++) {
        const double start = p->profile ? ad_seconds() : 0;
        kernels[p->ops[i].kind]->run(&p->calls[i]);
        if (p->profile) p->op_ns[i] = 1e9 * (ad_seconds() - start);
    }
}

/* Each thread takes a task through the whole segment before the next: what an operation writes is still in the cache when the
 * next one reads it, and no thread waits between operations. A task that fits there as a whole makes all its turns at once. */
static adatom_status program_run(ad_program *p, ad_segment_id number, int times) {
    const segment *s = &p->segments[number];
    const bool by_task = s->by_task && !p->profile;
    const int turns = by_task && p->task_bytes <= CACHE_BYTES ? times : 1;
    for (int done = 0; done < times; done += turns) {
        adatom_status status = ad_interrupted(p->engine->base.ctx);
        if (status != ADATOM_OK) return status;
        if (!by_task) {
            run_ops(p, s);
            continue;
        }
        AD_CPU_PRAGMA(omp parallel for schedule(dynamic) num_threads(p->engine->threads))
        for (int task = 0; task < p->tasks; task++)
            run_task(p, s, task, turns, p->scratch + (size_t)omp_get_thread_num() * p->task_scratch);
        if (s->counter) *s->counter += turns;
    }
    return ADATOM_OK;
}

static adatom_status program_profile(ad_program *p, bool on) {
    p->profile = on;
    return ADATOM_OK;
}

static double program_op_ns(ad_program *p, int op) { return op >= 0 && op < p->op_count ? p->op_ns[op] : -1; }

/* ---- the engine ---- */
static adatom_status probe(ad_engine *base, ad_probe *out) { return ad_cpu_probe(base->ctx, ((cpu_engine *)base)->threads, out); }

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

static const ad_cpu_tiles *best_tiles(void) {
#if defined(__x86_64__)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    if (avx512 && ad_cpu_tiles_avx512) return ad_cpu_tiles_avx512;
    if (avx2 && ad_cpu_tiles_avx2) return ad_cpu_tiles_avx2;
#endif
    return &ad_cpu_tiles_baseline;
}

static void describe(const ad_engine *base, adatom_device_info *out) {
    const cpu_engine *engine = (const cpu_engine *)base;
    *out =
        (adatom_device_info){.memory_bytes = engine->memory_bytes, .tensor_bytes = SIZE_MAX / 2, .timer = true, .threads = engine->threads};
    snprintf(out->backend, sizeof out->backend, "cpu");
    snprintf(out->name, sizeof out->name, "%s", engine->model);
    snprintf(out->type, sizeof out->type, "cpu");
    const bool half = engine->half_storage == AD_VERDICT_PASSED;
    snprintf(out->precision, sizeof out->precision, "%s", half ? "fp16" : "fp32");
    snprintf(out->features, sizeof out->features, "%s", half ? "half-storage" : "");
    snprintf(out->api, sizeof out->api, "%s", engine->tiles->name);
}

static void limits(const ad_engine *base, ad_limits *out) {
    const uint64_t available = ad_available_bytes();
    *out = (ad_limits){.tensor_bytes = SIZE_MAX / 2, .arena_bytes = SIZE_MAX / 2, .by_task = ((const cpu_engine *)base)->threads};
    out->memory_bytes = (size_t)((available ? available : ((const cpu_engine *)base)->memory_bytes) / 10 * 7);
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
    .half_storage = half_storage,
    .half_storage_judge = half_storage_judge,
};

adatom_status ad_cpu_engine_create(adatom_context *ctx, int threads, ad_engine **out) {
    *out = NULL;
    if (threads < 0) return ad_fail(ctx, ADATOM_USAGE, "the CPU engine cannot use %d threads", threads);
    cpu_engine *engine = ad_calloc(ctx, 1, sizeof *engine);
    if (!engine) return ADATOM_OUT_OF_MEMORY;
    engine->base = (ad_engine){&api, ctx, &ad_conv_costs_cpu};
    engine->threads = threads ? threads : omp_get_num_procs();
    engine->tiles = best_tiles();
    engine->memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGE_SIZE);
    read_model(engine->model, sizeof engine->model);
    *out = &engine->base;
    return ADATOM_OK;
}
