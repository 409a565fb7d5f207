/* Sums over tasks (TASK_SUM) are the same bytes however the tasks are divided over runs, and on both engines. */
#include "tests/run_suite.h"
#include "cpu/cpu.h"
#include "plan/engine.h"
#include "vk/vk.h"

#include <stdlib.h>
#include <string.h>

enum { TERMS = 8, COUNT = 20003 };
static const float factor = 1 / 3.0f; /* products are rounded */

static adatom_context *ctx;
static bool has_vulkan;
static float x[TERMS][COUNT];

static void setup(void) {
    ad_random random = ad_random_make(11, AD_STREAM_CHECK, 0);
    for (int t = 0; t < TERMS; t++)
        for (int e = 0; e < COUNT; e++) x[t][e] = (float)ad_random_normal(&random);
}

/* y (+)= the sum of the tasks first .. first + tasks - 1, in a plan of these tasks. */
static void add_tasks(ad_engine *engine, int first, int tasks, float y[COUNT]) {
    const ad_engine_api *api = engine->api;
    ad_program *program = NULL;
    ad_plan *plan = ad_plan_create(ctx, tasks);
    const int arena = ad_plan_arena(ctx, plan, false);
    const int from = ad_plan_tensor(ctx, plan, "x", AD_F32, arena, COUNT, true),
              to = ad_plan_tensor(ctx, plan, "y", AD_F32, arena, COUNT, false);
    const size_t stride = plan->tensors[from].stride * sizeof(float);
    ad_op *op = ad_plan_op(ctx, plan, AD_SEGMENT_STEP, AD_OP_TASK_SUM);
    *op = (ad_op){.kind = AD_OP_TASK_SUM, .flags = first ? AD_ACCUMULATE : 0, .tasks = 1, .g = {.c = COUNT}};
    op->i[0] = tasks;
    op->f[0] = factor;
    memset(op->t, -1, sizeof op->t);
    op->t[0] = (int16_t)from;
    op->t[1] = (int16_t)to;
    OK(api->program_create(engine, plan, NULL, &program));
    for (int t = 0; t < tasks; t++)
        OK(api->program_write(program, from, (size_t)t * stride, x[first + t], sizeof x[0]));
    OK(api->program_write(program, to, 0, y, sizeof x[0]));
    OK(ad_run_segment(api, program, AD_SEGMENT_STEP, 1));
    OK(api->program_read(program, to, 0, y, sizeof x[0]));
    api->program_destroy(&program);
    ad_plan_destroy(&plan);
}

START_TEST(divided_sums_are_the_same_bytes) {
    static const int divisions[][TERMS] = {{8}, {3, 5}, {5, 2, 1}, {1, 1, 1, 1, 1, 1, 1, 1}};
    static float whole[COUNT], part[COUNT];
    bool first = true;
    for (int vulkan = 0; vulkan <= has_vulkan; vulkan++) {
        ad_engine *engine = NULL;
        OK(vulkan ? ad_vk_engine_create(ctx, NULL, 0, &engine) : ad_cpu_engine_create(ctx, 2, &engine));
        for (size_t d = 0; d < AD_COUNT(divisions); d++, first = false) {
            float *y = first ? whole : part;
            memset(y, 0xff, sizeof whole); /* not read by the first */
            for (int run = 0, at = 0; at < TERMS; at += divisions[d][run++])
                add_tasks(engine, at, divisions[d][run], y);
            ck_assert_msg(first || !memcmp(part, whole, sizeof whole), "%s, division %zu", engine->api->name, d);
        }
        engine->api->destroy(engine);
    }
    /* The numbers tell: fused into the sum, the products would make other bytes. */
    int other = 0;
    for (int e = 0; e < COUNT; e++) {
        float fused = 0;
        for (int t = 0; t < TERMS; t++) fused = (float)((double)factor * (double)x[t][e] + (double)fused);
        other += fused != whole[e];
    }
    ck_assert_int_gt(other, COUNT / 10);
}
END_TEST

int main(void) {
    size_t count = 0;
    if (adatom_context_create(NULL, &ctx) != ADATOM_OK) return EXIT_FAILURE;
    has_vulkan = ad_vk_list(ctx, NULL, 0, &count) != ADATOM_OK || count > 0 || getenv("CI");
    Suite *suite = suite_create("task_sum");
    TCase *tests = tcase_create("task_sum");
    tcase_add_unchecked_fixture(tests, setup, NULL);
    tcase_add_test(tests, divided_sums_are_the_same_bytes);
    suite_add_tcase(suite, tests);
    const int result = run_suite(suite, CK_NOFORK);
    adatom_context_destroy(&ctx);
    return result;
}
