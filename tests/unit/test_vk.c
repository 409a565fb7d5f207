/* The Vulkan engine itself: memory, replay, barriers, submissions, caches. What kernels compute is tests/kernel's matter. */
#include "vk/vk.h"
#include "vk/kernel.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    int errors, warnings;
    char last[512];
} logged;

static void on_log(void *user, adatom_log_level level, const char *text) {
    (void)user;
    if (level > ADATOM_LOG_WARNING) return;
    if (level == ADATOM_LOG_ERROR) logged.errors++;
    else logged.warnings++;
    snprintf(logged.last, sizeof logged.last, "%s", text);
}

static adatom_context *ctx;
static ad_engine *engine;

#define OK(expression) ck_assert_msg((expression) == ADATOM_OK, "%s: %s", #expression, adatom_context_message(ctx))

static void open_context(void) {
    logged.errors = logged.warnings = 0;
    logged.last[0] = 0;
    const adatom_context_params params = {.log = on_log};
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
    const adatom_device_params params = {.validate = true};
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

/* INIT: one = 1, sum = 0; STEP: sum = sum + one, copy = sum, twice = copy + copy. Each operation needs the one before. */
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
    for (int i = 0; i < N; i++) ck_assert_msg(got[i] == want, "tensor %d, element %d: got %g, want %g", tensor, i, got[i], want);
}

START_TEST(replay_of_dependent_operations) {
    ad_plan *plan = chain_plan();
    ad_program *program = NULL;
    OK(engine->api->program_create(engine, plan, NULL, &program));
    ad_plan_destroy(&plan); /* the program has its own copy */
    OK(engine->api->program_run(program, AD_SEGMENT_INIT, 1));
    OK(engine->api->program_run(program, AD_SEGMENT_STEP, 1));
    check_all(program, TWICE, 2);
    OK(engine->api->program_run(program, AD_SEGMENT_STEP, 999));
    check_all(program, SUM, 1000);
    check_all(program, TWICE, 2000);
    OK(engine->api->program_run(program, AD_SEGMENT_EVAL, 3)); /* an empty segment */
    engine->api->program_destroy(&program);
    ck_assert_ptr_null(program);
}
END_TEST

static Suite *make_suite(void) {
    Suite *suite = suite_create("vk");
    TCase *tests = tcase_create("engine");
    tcase_set_timeout(tests, 0);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, replay_of_dependent_operations);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    size_t count = 0;
    if (ad_vk_list(NULL, NULL, 0, &count) == ADATOM_OK && count == 0 && !getenv("CI")) return 77;
    SRunner *runner = srunner_create(make_suite());
    srunner_set_fork_status(runner, CK_NOFORK); /* a driver's threads don't survive a fork */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
