/* The kernel check with every launch divided into as many dispatches as it has tasks and workgroups for: once with a
 * single row of workgroups, and once with rows of four, as where the device allows no more on the first axis. */
#include "tests/run_suite.h"
#include "tests/support/hooks.h"
#include "verify/check.h"
#include "vk/vk.h"

#include <stdio.h>
#include <stdlib.h>

static adatom_context *ctx;
static int most; /* dispatches of one segment */

static void on_log(void *user, adatom_log_level level, const char *text) {
    int dispatches = 0;
    (void)user;
    (void)level;
    sscanf(text, "segment %*d: %*d operations, %*d barriers, %*d command buffers, %d dispatches", &dispatches);
    most = AD_MAX(most, dispatches);
}

static void report(void *user, const adatom_check_result *result) {
    int *shown = user;
    if (result->passed || (*shown)++ >= 20) return;
    printf("FAIL %s/%s/%s (%s): %s\n", result->operation, result->variant, result->shape, result->data, result->detail);
}

START_TEST(divided_launches_compute_the_same) {
    ad_engine *engine = NULL;
    int checks = 0, failures = 0, shown = 0;
    OK(ad_vk_engine_create(ctx, NULL, 0, &engine));
    ad_vk_test_dispatch_seconds(engine, 1e-7);
    if (_i) ad_vk_test_row_groups(engine, 4);
    const adatom_check_params params = {.quick = true, .seed = 1, .report = report, .user = &shown};
    ad_check_engine(engine, &params, &checks, &failures);
    ck_assert_msg(failures == 0, "%d of %d checks failed", failures, checks);
    ck_assert_int_gt(checks, 200);
    ck_assert_int_gt(most, 50);
    engine->api->destroy(engine);
}
END_TEST

int main(void) {
    const adatom_context_params params = {.size = sizeof params, .log = on_log};
    size_t count = 0;
    if (adatom_context_create(&params, &ctx) != ADATOM_OK) return EXIT_FAILURE;
    if (ad_vk_list(ctx, NULL, 0, &count) == ADATOM_OK && count == 0 && !getenv("CI")) return 77;
    Suite *suite = suite_create("divided");
    TCase *tests = tcase_create("divided");
    tcase_add_loop_test(tests, divided_launches_compute_the_same, 0, 2);
    suite_add_tcase(suite, tests);
    const int result = run_suite(suite, CK_NOFORK);
    adatom_context_destroy(&ctx);
    return result;
}
