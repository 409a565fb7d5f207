/* The Vulkan engine itself: memory, replay, barriers, submissions, caches. What kernels compute is tests/kernel's
 * matter. */
#include "verify/cases.h"
#include "bench/tune.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"
#include "vk/vk.h"
#include "vk/kernels/kernel.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define spv_ADVANCE other_module /* its own copy beside the library's */
#include "spv/ADVANCE.h"

static struct {
    int errors, warnings, submissions, barriers;
    unsigned first_buffers; /* of the first submission */
    double longest_ms;
    char last[512];
} logged;

static void on_log(void *user, adatom_log_level level, const char *text) {
    (void)user;
    double ms = 0;
    int barriers = 0;
    unsigned buffers = 0;
    if (sscanf(text, "submission of %u command buffers: %lf", &buffers, &ms) == 2) {
        if (logged.submissions++ == 0) logged.first_buffers = buffers;
        logged.longest_ms = AD_MAX(logged.longest_ms, ms);
    }
    if (sscanf(text, "segment %*d: %*d operations, %d barriers", &barriers) == 1) logged.barriers = barriers;
    if (level > ADATOM_LOG_WARNING) return;
    if (level == ADATOM_LOG_ERROR)
        logged.errors++;
    else
        logged.warnings++;
    snprintf(logged.last, sizeof logged.last, "%s", text);
}

static adatom_context *ctx;
static ad_engine *engine;

static void open_context(void) {
    memset(&logged, 0, sizeof logged);
    const adatom_context_params params = {.size = sizeof(adatom_context_params), .log = on_log};
    ck_assert_int_eq(adatom_context_create(&params, &ctx), ADATOM_OK);
}

/* The device under test: ADATOM_TEST_DEVICE or the first. */
static void open_engine(const adatom_device_params *params) {
    const char *index = getenv("ADATOM_TEST_DEVICE");
    OK(ad_vk_engine_create(ctx, params, index ? atoi(index) : 0, &engine));
}

static void close_engine(void) {
    if (engine) engine->api->destroy(engine);
    engine = NULL;
}

static void setup(void) {
    open_context();
    const adatom_device_params params = {.size = sizeof(adatom_device_params), .validate = true};
    open_engine(&params);
}

static void teardown(void) {
    close_engine();
    ck_assert_msg(logged.errors == 0, "validation: %s", logged.last);
    adatom_context_destroy(&ctx);
}

static ad_op *elementwise(ad_plan *plan, ad_segment_id segment, int kind, int a, int b, int c, int count, float value) {
    ad_op *op = ad_plan_op(ctx, plan, segment, kind);
    op->t[0] = (int16_t)a;
    op->t[1] = (int16_t)b;
    op->t[2] = (int16_t)c;
    op->g.c = count;
    op->f[0] = value;
    return op;
}

/* INIT: one = 1, sum = 0; STEP: sum = sum + one, copy = sum, twice = copy + copy. Each operation needs the one
 * before. */
enum { ONE, SUM, DUPLICATE, TWICE, N = 4096 };
static ad_plan *chain_plan(void) {
    ad_plan *plan = ad_plan_create(ctx, 1);
    int arena = ad_plan_arena(ctx, plan, false);
    static const char *const names[] = {"one", "sum", "copy", "twice"};
    for (int i = 0; i < 4; i++) ck_assert_int_eq(ad_plan_tensor(ctx, plan, names[i], AD_F32, arena, N, false), i);
    elementwise(plan, AD_SEGMENT_INIT, AD_OP_FILL, ONE, -1, -1, N, 1);
    elementwise(plan, AD_SEGMENT_INIT, AD_OP_FILL, SUM, -1, -1, N, 0);
    elementwise(plan, AD_SEGMENT_STEP, AD_OP_ADD, SUM, ONE, SUM, N, 0);
    elementwise(plan, AD_SEGMENT_STEP, AD_OP_COPY, SUM, DUPLICATE, -1, N, 0);
    elementwise(plan, AD_SEGMENT_STEP, AD_OP_ADD, DUPLICATE, DUPLICATE, TWICE, N, 0);
    return plan;
}

static void check_all(ad_program *program, int tensor, float want) {
    float got[N];
    OK(engine->api->program_read(program, tensor, 0, got, sizeof got));
    for (int i = 0; i < N; i++)
        ck_assert_msg(got[i] == want, "tensor %d, element %d: got %g, want %g", tensor, i, got[i], want);
}

START_TEST(replay_of_dependent_operations) {
    ad_plan *plan = chain_plan();
    ad_program *program = NULL;
    OK(engine->api->program_create(engine, plan, NULL, &program));
    ad_plan_destroy(&plan); /* the program has its own copy */
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_INIT, 1));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1));
    check_all(program, TWICE, 2);
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 999));
    check_all(program, SUM, 1000);
    check_all(program, TWICE, 2000);
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_EVAL, 3)); /* an empty segment */
    engine->api->program_destroy(&program);
    ck_assert_ptr_null(program);
}
END_TEST

/* The permanent positive control of synchronization validation: without barriers it must complain. */
START_TEST(omitted_barriers_are_reported) {
    ad_plan *plan = chain_plan();
    ad_program *program = NULL;
    ad_vk_test_omit_barriers(engine, true);
    OK(engine->api->program_create(engine, plan, NULL, &program));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_INIT, 1)); /* two independent fills: none needed */
    ck_assert_int_eq(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1), ADATOM_FAILED);
    ck_assert_msg(strstr(adatom_context_message(ctx), "SYNC-HAZARD"), "%s", adatom_context_message(ctx));
    ck_assert_int_gt(ad_vk_validation_errors(engine), 0);
    engine->api->program_destroy(&program);
    ad_vk_test_omit_barriers(engine, false);
    logged.errors = 0; /* what teardown looks at */
    OK(engine->api->program_create(engine, plan, NULL, &program));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1));
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
}
END_TEST

START_TEST(barriers_only_at_hazards) {
    ad_plan *plan = ad_plan_create(ctx, 1);
    ad_program *program = NULL;
    int arena = ad_plan_arena(ctx, plan, false), t[6];
    for (int i = 0; i < 6; i++) t[i] = ad_plan_tensor(ctx, plan, "t", AD_F32, arena, N, false);
    for (int i = 0; i < 3; i++) elementwise(plan, AD_SEGMENT_INIT, AD_OP_FILL, t[i], -1, -1, N, 3);
    for (int i = 0; i < 3; i++) elementwise(plan, AD_SEGMENT_INIT, AD_OP_COPY, t[i], t[i + 3], -1, N, 0);
    /* Tensors may overlap: the second one from the middle of the first one on. */
    int over = ad_plan_tensor(ctx, plan, "over", AD_F32, arena, N / 2, false);
    plan->tensors[over].offset = plan->tensors[t[0]].offset + N / 2 * sizeof(float);
    elementwise(plan, AD_SEGMENT_STEP, AD_OP_FILL, t[0], -1, -1, N, 1);
    elementwise(plan, AD_SEGMENT_STEP, AD_OP_FILL, over, -1, -1, N / 2, 2);
    OK(engine->api->program_create(engine, plan, NULL, &program));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_INIT, 1));
    ck_assert_int_eq(logged.barriers, 1);
    for (int i = 0; i < 6; i++) check_all(program, t[i], 3);
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 50));
    ck_assert_int_eq(logged.barriers, 1);
    float got[N];
    OK(engine->api->program_read(program, t[0], 0, got, sizeof got));
    for (int i = 0; i < N; i++) ck_assert_float_eq(got[i], i < N / 2 ? 1 : 2);
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
}
END_TEST

/* Through 16 MiB of staging memory (loop index 1) and through a mapping where the device offers one (0). */
START_TEST(large_writes_and_reads) {
    enum { COUNT = (40 << 20) / 4 + 77, OFFSET = 12 };
    if (_i) ad_vk_test_force_staging(engine);
    uint32_t *data = malloc(2 * COUNT * sizeof *data), *got = data + COUNT;
    for (uint32_t i = 0; i < COUNT; i++) data[i] = i * 2654435761u;
    ad_buffer *buffer = NULL;
    OK(engine->api->buffer_create(engine, OFFSET + COUNT * sizeof *data, &buffer));
    OK(engine->api->buffer_write(engine, buffer, OFFSET, data, COUNT * sizeof *data));
    OK(engine->api->buffer_read(engine, buffer, OFFSET, got, COUNT * sizeof *data));
    ck_assert_int_eq(memcmp(data, got, COUNT * sizeof *data), 0);
    ck_assert_int_eq(engine->api->buffer_read(engine, buffer, COUNT * sizeof *data, got, 1024), ADATOM_USAGE);

    /* The same memory as an external arena: kernels see what was written, the host what kernels wrote. */
    ad_plan *plan = ad_plan_create(ctx, 1);
    ad_program *program = NULL;
    int outside = ad_plan_arena(ctx, plan, true), inside = ad_plan_arena(ctx, plan, false);
    int x = ad_plan_tensor(ctx, plan, "x", AD_F32, outside, N, false),
        y = ad_plan_tensor(ctx, plan, "y", AD_F32, inside, N, false);
    elementwise(plan, AD_SEGMENT_STEP, AD_OP_COPY, x, y, -1, N, 0);
    elementwise(plan, AD_SEGMENT_STEP, AD_OP_FILL, x, -1, -1, N, 5);
    float values[N];
    for (int i = 0; i < N; i++) values[i] = 7;
    OK(engine->api->buffer_write(engine, buffer, 0, values, sizeof values));
    ck_assert_int_eq(engine->api->program_create(engine, plan, NULL, &program), ADATOM_USAGE);
    OK(engine->api->program_create(engine, plan, (ad_buffer *const[]){buffer, NULL}, &program));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1));
    check_all(program, y, 7);
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1));
    check_all(program, y, 5);
    OK(engine->api->program_write(program, y, 16, values, 4));
    OK(engine->api->program_read(program, y, 12, values, 12));
    ck_assert(values[0] == 5 && values[1] == 7 && values[2] == 5);
    ck_assert_int_eq(engine->api->program_read(program, y, sizeof(float) * N, values, 4), ADATOM_USAGE);
    ck_assert_int_eq(engine->api->program_read(program, 9, 0, values, 4), ADATOM_USAGE);
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
    engine->api->buffer_destroy(engine, &buffer);
    ck_assert_ptr_null(buffer);
    free(data);
}
END_TEST

START_TEST(submissions_are_bounded) {
    enum { BIG = 4 << 20, OPS = 60, TIMES = 6 };
    ad_plan *plan = ad_plan_create(ctx, 1);
    ad_program *program = NULL;
    int arena = ad_plan_arena(ctx, plan, false), x = ad_plan_tensor(ctx, plan, "x", AD_F32, arena, BIG, false);
    int y = ad_plan_tensor(ctx, plan, "y", AD_F32, arena, BIG, false),
        tiny = ad_plan_tensor(ctx, plan, "tiny", AD_F32, arena, 4, false);
    for (int i = 0; i < OPS; i++)
        elementwise(plan, AD_SEGMENT_STEP, AD_OP_COPY, i % 2 ? x : y, i % 2 ? y : x, -1, BIG, 0);
    elementwise(plan, AD_SEGMENT_EVAL, AD_OP_FILL, tiny, -1, -1, 4, 1);
    OK(engine->api->program_create(engine, plan, NULL, &program));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1)); /* measures */
    memset(&logged, 0, sizeof logged);
    const double began = ad_seconds();
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, TIMES));
    const double ms = 1e3 * (ad_seconds() - began);
    ck_assert_int_ge(logged.submissions, (int)(ms / 400)); /* target 100; the machine may be busy with something else */
    ck_assert_msg(logged.longest_ms < 400 || logged.longest_ms < ms / 3, "%g of %g ms in one submission",
                  logged.longest_ms, ms);
    memset(&logged, 0, sizeof logged);
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_EVAL, 1000)); /* short ones go together */
    ck_assert_int_le(logged.submissions, 100);
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
}
END_TEST

START_TEST(operations_are_timed) {
    adatom_device_info info = ADATOM_INIT(adatom_device_info);
    ad_plan *plan = chain_plan();
    ad_program *program = NULL;
    engine->api->describe(engine, &info);
    OK(engine->api->program_create(engine, plan, NULL, &program));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1));
    for (int op = 0; op < 5; op++) ck_assert(engine->api->program_op_ns(program, op) < 0);
    OK(engine->api->program_profile(program, true));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_INIT, 1));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1));
    for (int op = 0; op < 5; op++) {
        const double ns = engine->api->program_op_ns(program, op);
        ck_assert_msg(info.timer ? ns >= 0 && ns < 1e9 : ns < 0, "operation %d: %g ns", op, ns);
    }
    check_all(program, TWICE, 2);
    OK(engine->api->program_profile(program, false));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1));
    check_all(program, TWICE, 4);
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
}
END_TEST

START_TEST(another_module_takes_the_place) {
    ad_plan *plan = chain_plan();
    ad_program *program = NULL;
    int32_t first[2];
    plan->ops[0].g.c = plan->ops[1].g.c = 4; /* one workgroup: the other module increments its first number */
    OK(engine->api->program_create(engine, plan, NULL, &program)); /* the true pipelines exist before */
    engine->api->program_destroy(&program);
    ad_vk_test_replace_module(engine, AD_VK_FILL, other_module, AD_COUNT(other_module));
    OK(engine->api->program_create(engine, plan, NULL, &program));
    OK(engine->api->program_write(program, ONE, 0, (int32_t[]){41, 7}, sizeof first));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_INIT, 1));
    OK(engine->api->program_read(program, ONE, 0, first, sizeof first));
    ck_assert(first[0] == 42 && first[1] == 7);
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
}
END_TEST

START_TEST(refusals) {
    ad_plan *plan = chain_plan();
    ad_program *program = NULL;
    ad_buffer *buffer = NULL;
    ad_limits limits;
    engine->api->limits(engine, &limits);
    plan->ops[0].variant = 99;
    ck_assert_int_eq(engine->api->program_create(engine, plan, NULL, &program), ADATOM_UNSUPPORTED);
    ck_assert_msg(strstr(adatom_context_message(ctx), "'fill' has no variant 99"), "%s", adatom_context_message(ctx));
    plan->ops[0].variant = 0;
    plan->ops[0].t[0] = 77;
    ck_assert_int_eq(engine->api->program_create(engine, plan, NULL, &program), ADATOM_USAGE);
    plan->ops[0].t[0] = ONE;
    plan->lanes = 1;
    plan->tensors[ONE].lane = true;
    plan->tensors[ONE].stride = plan->tensors[ONE].count;
    ck_assert_int_eq(engine->api->program_create(engine, plan, NULL, &program), ADATOM_USAGE);
    ck_assert_msg(strstr(adatom_context_message(ctx), "is of a lane"), "%s", adatom_context_message(ctx));
    plan->tensors[ONE].lane = false;
    plan->tensors[ONE].stride = 0;
    plan->tasks = AD_MOST_TASKS + 1;
    ck_assert_int_eq(engine->api->program_create(engine, plan, NULL, &program), ADATOM_USAGE);
    ck_assert_msg(strstr(adatom_context_message(ctx), "32768 tasks"), "%s", adatom_context_message(ctx));
    plan->tasks = 1;
    plan->ops[0].t[0] = (int16_t)ad_plan_tensor(ctx, plan, "vast", AD_F32, 0, limits.tensor_bytes / 4 + 1, false);
    ck_assert_int_eq(engine->api->program_create(engine, plan, NULL, &program), ADATOM_UNSUPPORTED);
    ck_assert_msg(strstr(adatom_context_message(ctx), "tensor 'vast'"), "%s", adatom_context_message(ctx));
    ck_assert_ptr_null(program);
    ck_assert_int_eq(engine->api->buffer_create(engine, limits.arena_bytes + 1, &buffer), ADATOM_OUT_OF_MEMORY);
    ck_assert_int_eq(engine->api->buffer_create(engine, SIZE_MAX, &buffer), ADATOM_OUT_OF_MEMORY);
    ck_assert_ptr_null(buffer);
    ad_plan_destroy(&plan);
    ad_engine *none = NULL;
    ck_assert_int_eq(ad_vk_engine_create(ctx, NULL, 1000, &none), ADATOM_NO_DEVICE);
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(interrupt_stops_a_run) {
    ad_plan *plan = chain_plan();
    ad_program *program = NULL;
    OK(engine->api->program_create(engine, plan, NULL, &program));
    adatom_context_interrupt(ctx);
    ck_assert_int_eq(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1000), ADATOM_INTERRUPTED);
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
}
END_TEST

START_TEST(no_memory_for_a_program) {
    ad_plan *plan = chain_plan();
    ad_program *program = NULL;
    int n = 0;
    for (; !program; n++) {
        ck_assert_int_lt(n, 100);
        ad_test_fail_allocation(n);
        adatom_status status = engine->api->program_create(engine, plan, NULL, &program);
        ad_test_fail_allocation(-1);
        ck_assert_int_eq(status, program ? ADATOM_OK : ADATOM_OUT_OF_MEMORY);
    }
    ck_assert_int_gt(n, 5);
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
}
END_TEST

START_TEST(tuner_prefers_what_it_timed) {
    ad_plan *plan = chain_plan();
    double seconds[2] = {-1, -1};
    int fastest = 0;
    OK(ad_tune_op(engine, plan, 2, (int[]){1, 7}, 2, seconds, &fastest)); /* 7: no such variant, left out */
    ck_assert(seconds[0] > 0 && seconds[0] < 1 && seconds[1] > 1e9);
    ck_assert_int_eq(fastest, 1);
    ck_assert_int_eq(ad_tune_op(engine, plan, 2, (int[]){7}, 1, seconds, &fastest), ADATOM_UNSUPPORTED);
    ad_plan_destroy(&plan);
}
END_TEST

/* The first file in the folder with this suffix. */
static bool find_cache(const char *folder, const char *suffix, char path[512]) {
    DIR *dir = opendir(folder);
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(dir));) {
        const size_t length = strlen(entry->d_name), tail = strlen(suffix);
        found = length > tail && !strcmp(entry->d_name + length - tail, suffix);
        if (found) snprintf(path, 512, "%s/%s", folder, entry->d_name);
    }
    closedir(dir);
    return found;
}

static void use_engine(const char *cache_dir, int prefer) {
    const adatom_device_params params = {.size = sizeof(adatom_device_params), .cache_dir = cache_dir};
    ad_plan *plan = chain_plan();
    ad_program *program = NULL;
    open_engine(&params);
    if (prefer) engine->api->variant_prefer(engine, plan, &plan->ops[0], prefer);
    OK(engine->api->program_create(engine, plan, NULL, &program));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_INIT, 1));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1));
    check_all(program, TWICE, 2);
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
    close_engine();
}

static void overwrite(const char *path, const void *bytes, size_t size) { OK(ad_write_file(ctx, path, bytes, size)); }

START_TEST(cache_files) {
    char folder[] = "/tmp/adatom-test-XXXXXX", path[512], tuning[512], *saved = NULL, *again = NULL;
    size_t size = 0, again_size = 0;
    close_engine();
    ck_assert_ptr_nonnull(mkdtemp(folder));
    use_engine(folder, 1);
    ck_assert_int_eq(logged.warnings, 0);
    ck_assert(find_cache(folder, ".pipelines", path));
    ck_assert(find_cache(folder, ".tuning", tuning));
    OK(ad_read_file(ctx, tuning, 1 << 20, &again, &again_size));
    ck_assert_ptr_nonnull(memmem(again, again_size, "vec4", 4));
    ad_free(again);
    OK(ad_read_file(ctx, path, 1 << 28, &saved, &size));
    use_engine(folder, 0);
    ck_assert_int_eq(logged.warnings, 0);

    /* One flipped bit, a truncated file, another program's file, an empty one: noticed, ignored, replaced. */
    char *bad = malloc(size);
    memcpy(bad, saved, size);
    bad[size / 2] ^= 4;
    const struct {
        const char *bytes;
        size_t size;
    } damaged[] = {{bad, size}, {saved, size / 2}, {saved, 9}, {"hello, this is not a pipeline cache", 35}, {"", 0}};
    for (size_t i = 0; i < AD_COUNT(damaged); i++) {
        overwrite(path, damaged[i].bytes, damaged[i].size);
        overwrite(tuning, damaged[i].bytes, damaged[i].size);
        logged.warnings = 0;
        use_engine(folder, 0);
        ck_assert_int_eq(logged.warnings, 2);
        ck_assert_ptr_nonnull(strstr(logged.last, "damaged"));
        OK(ad_read_file(ctx, path, 1 << 28, &again, &again_size));
        ck_assert_uint_eq(again_size, size);
        ad_free(again);
        unlink(tuning);
    }
    ad_free(saved);
    free(bad);
    unlink(path);
    rmdir(folder);
    logged.warnings = 0;
    use_engine("/proc/no/such/folder", 0); /* no cache can be kept: said, not an error */
    ck_assert_int_gt(logged.warnings, 0);
}
END_TEST

/* Variants and tensors of reduced precision: none without being asked for, none before it was judged, and verdicts are
 * kept. */
START_TEST(half_precision_waits_for_its_verdict) {
    char folder[] = "/tmp/adatom-test-XXXXXX";
    close_engine();
    ck_assert_ptr_nonnull(mkdtemp(folder));
    const ad_geometry g = ad_case_geometry((ad_geometry){.n = 2, .h = 5, .w = 5, .c = 8, .o = 8, .k = 3, .pad = 1});
    ad_case c = ad_case_of(AD_OP_CONV, 1, g);
    ad_case_list list = {.ctx = ctx};
    ad_case_add(&list, c, true, NULL);
    int whole, half = 0;
    ad_plan *plan = ad_case_plan(ctx, &list.cases[0], &whole);
    ck_assert_ptr_nonnull(plan);
    const ad_op *op = &plan->ops[0];
    for (int round = 0; round < 4; round++) { /* not asked for; asked for; opened again; not asked for again */
        const bool asked = round == 1 || round == 2;
        open_engine(&(adatom_device_params){.size = sizeof(adatom_device_params),
                                            .cache_dir = folder,
                                            .precision = asked ? ADATOM_PRECISION_FP16 : ADATOM_PRECISION_FP32});
        ad_half_variant about = {0};
        for (half = 1; !engine->api->variant_half(engine, plan, op, half, &about) || strcmp(about.name, "half"); half++)
            ck_assert_int_lt(half, 8);
        const char *chosen = engine->api->variant_name(engine, plan, op, 0);
        ck_assert_int_eq(about.offered, asked);
        ck_assert_int_eq(about.verdict, round < 2 ? AD_VERDICT_NONE : AD_VERDICT_PASSED);
        ck_assert_int_eq(!strcmp(chosen, "half"), round == 2);
        ck_assert_int_eq(engine->api->half_storage(engine), round == 2 ? AD_VERDICT_PASSED : AD_VERDICT_NONE);
        if (round == 1) {
            engine->api->half_storage_judge(engine, false);
            ck_assert_int_eq(engine->api->half_storage(engine), AD_VERDICT_FAILED);
            engine->api->half_storage_judge(engine, true);
            engine->api->variant_prefer(engine, plan, op,
                                        half); /* a tuner that did not verify is not believed either */
            ck_assert_str_ne(engine->api->variant_name(engine, plan, op, 0), "half");
            engine->api->variant_judge(engine, AD_OP_CONV, half, false);
            ck_assert_str_ne(engine->api->variant_name(engine, plan, op, 0), "half");
            engine->api->variant_judge(engine, AD_OP_CONV, half, true);
            ck_assert_str_eq(engine->api->variant_name(engine, plan, op, 0), "half");
        }
        close_engine();
    }
    ad_plan_destroy(&plan);
    ad_case_list_clear(&list);
    char path[512];
    static const char *const suffixes[] = {".half", ".tuning-fp16", ".pipelines", ".tuning"};
    for (size_t i = 0; i < AD_COUNT(suffixes); i++)
        if (find_cache(folder, suffixes[i], path)) unlink(path);
    rmdir(folder);
}
END_TEST

/* Every allocation of opening a device fails in turn, with a folder of caches: nothing is asked of what was never made
 * (validation would say so), and what a device before left in the folder stays as it is. */
START_TEST(no_memory_to_open_with_caches) {
    char cache[] = "/tmp/adatom-vk-XXXXXX", command[128];
    ck_assert_ptr_nonnull(mkdtemp(cache));
    const adatom_device_params params = {.size = sizeof(adatom_device_params), .validate = true, .cache_dir = cache};
    close_engine();
    open_engine(&params);
    ad_plan *plan = chain_plan();
    ad_program *program = NULL;
    OK(engine->api->program_create(engine, plan, NULL, &program));
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
    close_engine();
    snprintf(command, sizeof command, "cd %s && md5sum *.pipelines >before && test -s before", cache);
    ck_assert_int_eq(system(command), 0);
    int n = 0;
    for (; !engine; n++) {
        ck_assert_int_lt(n, 100);
        ad_test_fail_allocation(n);
        const adatom_status status = ad_vk_engine_create(ctx, &params, 0, &engine);
        ad_test_fail_allocation(-1);
        ck_assert_int_eq(status, engine ? ADATOM_OK : ADATOM_OUT_OF_MEMORY);
    }
    ck_assert_int_gt(n, 4);
    close_engine();
    ck_assert_msg(logged.errors == 0, "validation: %s", logged.last);
    snprintf(command, sizeof command, "cd %s && md5sum --quiet -c before && rm -r %s", cache, cache);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* What the scheduler learns: device time, not what the host did beside it; never a division by nothing. */
START_TEST(learned_times) {
    ck_assert_double_eq(ad_vk_time_factor(0.2, 0.2, 0.1), 2);
    ck_assert_double_eq(ad_vk_time_factor(0.05, 0.2, 0.1), 1); /* the device may have been done long before */
    ck_assert_double_eq(ad_vk_time_factor(0, 0.05, 0.1), 0.5);
    ck_assert_double_eq(ad_vk_time_factor(0.5, 0.75, 0.25), 2);
    ck_assert_double_eq(ad_vk_time_factor(0, 0, 0), 1);
    ck_assert(ad_vk_time_factor(0, 0, 0.1) > 0 && ad_vk_time_factor(0.1, 0.1, 0) < 1e9);
}
END_TEST

/* The host's own work between a submission and its wait is not taken for the device's: as much goes into a submission
 * after it. Where the machine is so busy that the device did wait for the host, it is tried again. */
START_TEST(sending_does_not_shrink_submissions) {
    enum { BYTES = 8 << 20, TRIES = 50 }; /* milliseconds of copying */
    ad_plan *plan = ad_plan_create(ctx, 1);
    ad_program *program = NULL;
    ad_buffer *buffer = NULL;
    uint8_t *data = calloc(1, BYTES);
    const int tiny = ad_plan_tensor(ctx, plan, "tiny", AD_F32, ad_plan_arena(ctx, plan, false), 4, false);
    elementwise(plan, AD_SEGMENT_STEP, AD_OP_FILL, tiny, -1, -1, 4, 1);
    OK(engine->api->program_create(engine, plan, NULL, &program));
    OK(engine->api->buffer_create(engine, BYTES, &buffer));
    unsigned before = 1, after = 0;
    for (int i = 0; i < TRIES && after < before; i++) {
        for (int part = 0; part < 2; part++) { /* the first learns how little it takes */
            memset(&logged, 0, sizeof logged);
            OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1000));
            before = logged.first_buffers;
        }
        OK(engine->api->buffer_send(engine, buffer, 0, data, BYTES));
        OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1));
        memset(&logged, 0, sizeof logged);
        OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1000));
        after = logged.first_buffers;
    }
    ck_assert_uint_ge(before, 200);
    ck_assert_msg(after >= before, "%u command buffers together, %u before", after, before);
    OK(engine->api->buffer_wait(engine));
    engine->api->buffer_destroy(engine, &buffer);
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
    free(data);
}
END_TEST

static Suite *make_suite(void) {
    Suite *suite = suite_create("vk");
    TCase *tests = tcase_create("engine");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, replay_of_dependent_operations);
    tcase_add_test(tests, omitted_barriers_are_reported);
    tcase_add_test(tests, barriers_only_at_hazards);
    tcase_add_loop_test(tests, large_writes_and_reads, 0, 2);
    tcase_add_test(tests, submissions_are_bounded);
    tcase_add_test(tests, operations_are_timed);
    tcase_add_test(tests, another_module_takes_the_place);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, interrupt_stops_a_run);
    tcase_add_test(tests, no_memory_for_a_program);
    tcase_add_test(tests, tuner_prefers_what_it_timed);
    tcase_add_test(tests, cache_files);
    tcase_add_test(tests, no_memory_to_open_with_caches);
    tcase_add_test(tests, learned_times);
    tcase_add_test(tests, sending_does_not_shrink_submissions);
    tcase_add_test(tests, half_precision_waits_for_its_verdict);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    size_t count = 0;
    if (ad_vk_list(NULL, NULL, 0, &count) == ADATOM_OK && count == 0 && !getenv("CI")) return 77;
    return run_suite(make_suite(), CK_NOFORK);
}
