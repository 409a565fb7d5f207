/* What the tuner chose is what programs run. */
#include "verify/cases.h"
#include "tests/remove_tree.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"
#include "vk/vk.h"

#include <stdio.h>
#include <stdlib.h>

static adatom_context *ctx;
static ad_engine *engine;

/* The device under test: ADATOM_TEST_DEVICE or the first. */
static void open_engine(const adatom_device_params *params) {
    const char *index = getenv("ADATOM_TEST_DEVICE");
    OK(ad_vk_engine_create(ctx, params, index ? atoi(index) : 0, &engine));
}

static void close_engine(void) { engine->api->destroy(engine); }

/* What was found faster is what a program runs, also in the next process. */
START_TEST(tuned_choice_is_run) {
    char folder[] = "/tmp/adatom-test-XXXXXX";
    const adatom_device_params params = {.size = sizeof(adatom_device_params), .cache_dir = mkdtemp(folder)};
    OK(adatom_context_create(NULL, &ctx));
    open_engine(&params);
    const ad_geometry g = ad_case_geometry((ad_geometry){.n = 2, .h = 8, .w = 8, .c = 8, .o = 8, .k = 3, .pad = 1});
    ad_case c = ad_case_of(AD_OP_CONV, 1, g);
    for (int r = 0; r < 4; r++) c.count[r] = ad_op_elements(&c.op, r);
    int whole = 0, chosen = 0, kernel = 0;
    ad_plan *plan = ad_case_plan(ctx, &c, &whole);
    ad_op *op = &plan->ops[0];
    const int usual = ad_vk_test_kernel(engine, plan, op);
    ck_assert_int_ge(usual, 0);
    for (int v = 1; v <= engine->api->variant_count(engine, op->kind) && !chosen; v++) {
        op->variant = (int16_t)v;
        if (!engine->api->variant_name(engine, plan, op, v)) continue;
        kernel = ad_vk_test_kernel(engine, plan, op);
        if (kernel >= 0 && kernel != usual) chosen = v;
    }
    op->variant = 0;
    ck_assert_int_gt(chosen, 0);
    ck_assert_int_eq(ad_vk_test_kernel(engine, plan, op), usual);
    engine->api->variant_prefer(engine, plan, op, chosen);
    ck_assert_int_eq(ad_vk_test_kernel(engine, plan, op), kernel);
    close_engine(); /* keeps it in the folder */
    open_engine(&params);
    ck_assert_int_eq(ad_vk_test_kernel(engine, plan, op), kernel);
    close_engine();
    open_engine(NULL); /* without the folder: as ever */
    ck_assert_int_eq(ad_vk_test_kernel(engine, plan, op), usual);
    close_engine();
    ad_plan_destroy(&plan);
    ck_assert_int_eq(remove_tree(folder), 0);
    adatom_context_destroy(&ctx);
}
END_TEST

int main(void) {
    size_t count = 0;
    if (ad_vk_list(NULL, NULL, 0, &count) == ADATOM_OK && count == 0 && !getenv("CI")) return 77;
    Suite *suite = suite_create("tuned");
    TCase *tests = tcase_create("tuned");
    tcase_add_test(tests, tuned_choice_is_run);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
