/* Submissions in flight, what an interrupt leaves, and devices that do not answer. The calls of a device are
 * replaced by ones of this file where a test has to see or to spoil them. */
#include "cpu/cpu.h"
#include "plan/plan.h"
#include "tests/run_suite.h"
#include "vk/program/engine.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = 64 };

static adatom_context *ctx;
static ad_engine *engine;
static int one, sum;

static void fill(ad_plan *plan, int tensor, float value) {
    ad_op *op = ad_plan_op(ctx, plan, AD_SEGMENT_INIT, AD_OP_FILL);
    op->t[0] = (int16_t)tensor;
    op->g.c = N;
    op->f[0] = value;
}

/* INIT: one = 1, sum = 0; STEP: sum = sum + one. */
static ad_program *make_program(void) {
    ad_program *program = NULL;
    ad_plan *plan = ad_plan_create(ctx, 1);
    const int arena = ad_plan_arena(ctx, plan, false);
    one = ad_plan_tensor(ctx, plan, "one", AD_F32, arena, N, false);
    sum = ad_plan_tensor(ctx, plan, "sum", AD_F32, arena, N, false);
    fill(plan, one, 1);
    fill(plan, sum, 0);
    ad_op *add = ad_plan_op(ctx, plan, AD_SEGMENT_STEP, AD_OP_ADD);
    add->t[0] = (int16_t)sum;
    add->t[1] = (int16_t)one;
    add->t[2] = (int16_t)sum;
    add->g.c = N;
    OK(engine->api->program_create(engine, plan, NULL, &program));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_INIT, 1));
    ad_plan_destroy(&plan);
    return program;
}

static void check_sum(ad_program *program, int want) {
    float got[N];
    OK(engine->api->program_read(program, sum, 0, got, sizeof got));
    for (int i = 0; i < N; i++) ck_assert_msg(got[i] == (float)want, "element %d: %g, not %d", i, got[i], want);
}

static void setup(void) { ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK); }

static void teardown(void) {
    engine->api->destroy(engine);
    engine = NULL;
    adatom_context_destroy(&ctx);
}

static void open_vulkan(void) { OK(ad_vk_engine_create(ctx, &(adatom_device_params){.validate = true}, 0, &engine)); }

/* ---- submissions in flight ---- */

static vk_device_functions real;
static int flying, most_flying, submissions;

static VKAPI_ATTR VkResult VKAPI_CALL counted_submit(VkQueue queue, uint32_t count, const VkSubmitInfo *submits,
                                                     VkFence fence) {
    submissions++;
    flying++;
    most_flying = AD_MAX(most_flying, flying);
    return real.vkQueueSubmit(queue, count, submits, fence);
}

static VKAPI_ATTR VkResult VKAPI_CALL counted_reset(VkDevice device, uint32_t count, const VkFence *fences) {
    flying -= (int)count;
    return real.vkResetFences(device, count, fences);
}

START_TEST(two_submissions_are_in_flight) {
    open_vulkan();
    vk_engine *e = vk_engine_of(engine);
    ad_program *program = make_program();
    real = e->device.vk;
    flying = most_flying = submissions = 0;
    e->device.vk.vkQueueSubmit = counted_submit;
    e->device.vk.vkResetFences = counted_reset;
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 3000));
    ck_assert_int_eq(most_flying, 2);
    ck_assert_int_eq(flying, 0);
    ck_assert_int_lt(submissions, 1000); /* several turns in one */
    check_sum(program, 3000);
    engine->api->program_destroy(&program);
}
END_TEST

/* ---- turns ---- */

static void *interrupt_soon(void *user) {
    usleep(30000);
    adatom_context_interrupt(user);
    return NULL;
}

/* An interrupt leaves whole turns. Engine 0: CPU, 1: Vulkan. */
START_TEST(turns_are_whole) {
    enum { MANY = 100000000 };
    pthread_t thread;
    float turns;
    if (_i)
        open_vulkan();
    else
        OK(ad_cpu_engine_create(ctx, 2, &engine));
    ad_program *program = make_program();
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 7));
    ck_assert_int_eq(pthread_create(&thread, NULL, interrupt_soon, ctx), 0);
    ck_assert_int_eq(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, MANY), ADATOM_INTERRUPTED);
    pthread_join(thread, NULL);
    OK(engine->api->program_read(program, sum, 0, &turns, sizeof turns));
    ck_assert(turns > 7 && turns < MANY);
    check_sum(program, (int)turns);
    ck_assert_int_eq(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 5), ADATOM_INTERRUPTED);
    check_sum(program, (int)turns);
    engine->api->program_destroy(&program);
}
END_TEST

/* ---- devices that do not answer ---- */

static int waits;
static uint64_t longest_ns;

static VKAPI_ATTR VkResult VKAPI_CALL no_answer(VkDevice device, uint32_t count, const VkFence *fences, VkBool32 all,
                                                uint64_t ns) {
    (void)device;
    (void)count;
    (void)fences;
    (void)all;
    waits++;
    longest_ns = AD_MAX(longest_ns, ns);
    return VK_TIMEOUT;
}

static VKAPI_ATTR VkResult VKAPI_CALL not_ready(VkDevice device, VkFence fence) {
    (void)device;
    (void)fence;
    return VK_NOT_READY;
}

START_TEST(waits_are_bounded) {
    open_vulkan();
    vk_engine *e = vk_engine_of(engine);
    ad_program *program = make_program();
    real = e->device.vk;
    waits = 0;
    e->device.vk.vkWaitForFences = no_answer;
    e->device.vk.vkGetFenceStatus = not_ready;
    ck_assert_int_eq(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 100), ADATOM_DEVICE_LOST);
    const char *message = adatom_context_message(ctx);
    ck_assert_msg(strstr(message, "has not finished segment 2, operations 2 (add) to 2 (add) within 60 seconds"), "%s",
                  message);
    ck_assert_msg((double)waits * (double)longest_ns < 120e9, "%d waits of up to %g s", waits,
                  (double)longest_ns / 1e9);
    /* Nothing more is asked of the device. */
    ck_assert_int_eq(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1), ADATOM_DEVICE_LOST);
    message = adatom_context_message(ctx);
    ck_assert_msg(strstr(message, "has not answered before"), "%s", message);
    /* The device is well; so that the process may end, what runs is waited for. */
    real.vkDeviceWaitIdle(e->device.handle);
    engine->api->program_destroy(&program);
}
END_TEST

/* ---- two devices on two threads ---- */

/* Opens devices and runs programs on them in a context of its own, several times; NULL, or what went wrong. */
static void *work(void *user) {
    const char *wrong = NULL;
    (void)user;
    for (int round = 0; round < 4 && !wrong; round++) {
        adatom_context *own = NULL;
        ad_engine *mine = NULL;
        ad_program *program = NULL;
        float got[N] = {0};
        if (adatom_context_create(NULL, &own) != ADATOM_OK) return "no context";
        ad_plan *plan = ad_plan_create(own, 1);
        const int tensor = ad_plan_tensor(own, plan, "t", AD_F32, ad_plan_arena(own, plan, false), N, false);
        ad_op *op = ad_plan_op(own, plan, AD_SEGMENT_STEP, AD_OP_FILL);
        op->t[0] = (int16_t)tensor;
        op->g.c = N;
        op->f[0] = (float)(round + 3);
        if (ad_vk_engine_create(own, NULL, 0, &mine) != ADATOM_OK ||
            mine->api->program_create(mine, plan, NULL, &program) != ADATOM_OK ||
            ad_run_segment(mine->api, program, AD_SEGMENT_STEP, 300) != ADATOM_OK ||
            mine->api->program_read(program, tensor, 0, got, sizeof got) != ADATOM_OK)
            wrong = "a call failed";
        for (int i = 0; i < N && !wrong; i++)
            if (got[i] != (float)(round + 3)) wrong = "wrong numbers";
        if (mine) mine->api->program_destroy(&program);
        if (mine) mine->api->destroy(mine);
        ad_plan_destroy(&plan);
        adatom_context_destroy(&own);
    }
    return (void *)(uintptr_t)wrong;
}

START_TEST(two_threads_have_a_device_each) {
    pthread_t threads[2];
    open_vulkan(); /* what teardown closes; it stays open beside the others */
    for (int t = 0; t < 2; t++) ck_assert_int_eq(pthread_create(&threads[t], NULL, work, NULL), 0);
    for (int t = 0; t < 2; t++) {
        void *wrong = NULL;
        pthread_join(threads[t], &wrong);
        ck_assert_msg(!wrong, "thread %d: %s", t, (const char *)wrong);
    }
}
END_TEST

int main(void) {
    size_t count = 0;
    const bool vulkan = getenv("CI") || ad_vk_list(NULL, NULL, 0, &count) != ADATOM_OK || count > 0;
    Suite *suite = suite_create("vk_queue");
    TCase *tests = tcase_create("queue");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, turns_are_whole, 0, vulkan ? 2 : 1);
    if (vulkan) {
        tcase_add_test(tests, two_submissions_are_in_flight);
        tcase_add_test(tests, two_threads_have_a_device_each);
        tcase_add_test(tests, waits_are_bounded);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
