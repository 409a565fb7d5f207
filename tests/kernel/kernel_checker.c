/* The kernel check checked: it must pass a sound engine and see every kind of mistake, in every operation. */
#include "verify/cases.h"
#include "verify/check.h"
#include "fake_engine.h"
#include "tests/run_suite.h"

#include <stdlib.h>
#include <string.h>

typedef struct tally {
    int checks[AD_OP_COUNT], failures[AD_OP_COUNT];
    int failed_with[3]; /* integers, reals, repeat */
    char detail[1024], filter[256];
    const char *words; /* of the failures, how many have these in their detail */
    int with_words;
} tally;

static void count(void *user, const adatom_check_result *result) {
    tally *t = user;
    for (int kind = 0; kind < AD_OP_COUNT; kind++)
        if (strcmp(result->operation, ad_op_name(kind)) == 0) {
            t->checks[kind]++;
            t->failures[kind] += !result->passed;
        }
    ck_assert(result->passed == (result->detail[0] == 0));
    if (result->passed) return;
    t->failed_with[strcmp(result->data, "integers") == 0 ? 0 : strcmp(result->data, "reals") == 0 ? 1 : 2]++;
    if (t->words && strstr(result->detail, t->words)) t->with_words++;
    strncpy(t->detail, result->detail, sizeof t->detail - 1);
}

static adatom_status check_with(fake_fault fault, const char *filter, bool quick, tally *t, int *checks,
                                int *failures) {
    adatom_context *ctx = NULL;
    ad_engine *engine = NULL;
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    ck_assert_int_eq(fake_engine_create(ctx, fault, &engine), ADATOM_OK);
    const adatom_check_params params = {
        .size = sizeof(adatom_check_params), .filter = filter, .quick = quick, .seed = 7, .report = count, .user = t};
    const adatom_status status = ad_check_engine(engine, &params, checks, failures);
    engine->api->destroy(engine);
    adatom_context_destroy(&ctx);
    return status;
}

START_TEST(sound_engine_passes) {
    tally t = {0};
    int checks = 0, failures = 0;
    const adatom_status status = check_with(FAKE_SOUND, NULL, false, &t, &checks, &failures);
    ck_assert_msg(status == ADATOM_OK, "%d of %d failed, the last: %s", failures, checks, t.detail);
    for (int kind = 0; kind < AD_OP_COUNT; kind++)
        ck_assert_msg(t.checks[kind] > 0, "%s has no case", ad_op_name(kind));
}
END_TEST

START_TEST(every_operation_has_quick_cases_that_see_a_wrong_element) {
    static const fake_fault faults[] = {FAKE_WRONG_LAST, FAKE_UNWRITTEN};
    for (size_t f = 0; f < AD_COUNT(faults); f++) {
        tally t = {0};
        ck_assert_int_eq(check_with(faults[f], NULL, true, &t, NULL, NULL), ADATOM_CHECK_FAILED);
        for (int kind = 0; kind < AD_OP_COUNT; kind++) {
            ck_assert_msg(t.failures[kind] > 0, "%s: fault %d passed", ad_op_name(kind), (int)faults[f]);
        }
    }
}
END_TEST

START_TEST(a_small_error_is_seen_in_reals) {
    tally t = {0};
    ck_assert_int_eq(check_with(FAKE_WRONG_FIRST, "conv/", false, &t, NULL, NULL), ADATOM_CHECK_FAILED);
    ck_assert_int_gt(t.failed_with[1], 0);
}
END_TEST

START_TEST(writes_outside_are_seen) {
    static const struct {
        fake_fault fault;
        const char *words;
    } faults[] = {{FAKE_GUARD_BEFORE, "the guard before y"},
                  {FAKE_GUARD_AFTER, "the guard"},
                  {FAKE_OPERAND, "x[task 0, element 0] must not change"}};
    for (size_t f = 0; f < AD_COUNT(faults); f++) {
        tally t = {.words = faults[f].words};
        int checks = 0, failures = 0;
        ck_assert_int_eq(check_with(faults[f].fault, "conv/", true, &t, &checks, &failures), ADATOM_CHECK_FAILED);
        ck_assert_int_eq(failures, checks * 2 / 3); /* integers and reals; the same bytes twice */
        ck_assert_int_eq(t.with_words, failures);
    }
}
END_TEST

START_TEST(unsteady_results_are_seen) {
    tally t = {.words = "two runs on the same operands differ"};
    ck_assert_int_eq(check_with(FAKE_UNSTEADY, "affine/", true, &t, NULL, NULL), ADATOM_CHECK_FAILED);
    ck_assert_int_gt(t.failed_with[2], 0);
    ck_assert_int_eq(t.with_words, t.failed_with[2]);
}
END_TEST

START_TEST(infinite_halves_are_seen) {
    tally t = {.words = "y[task"};
    ck_assert_int_eq(check_with(FAKE_OVERFLOW, "half-y", true, &t, NULL, NULL), ADATOM_CHECK_FAILED);
    ck_assert_int_gt(t.failures[AD_OP_CONV], 0);
    ck_assert_int_eq(t.with_words, t.failures[AD_OP_CONV]);
}
END_TEST

static void count_warnings(void *user, adatom_log_level level, const char *text) {
    *(int *)user += level == ADATOM_LOG_WARNING && strstr(text, "nothing is stored in half precision");
}

START_TEST(half_precision_is_stored_after_the_check) {
    static const fake_fault faults[] = {FAKE_SOUND, FAKE_OVERFLOW, FAKE_WRONG_LAST};
    for (size_t f = 0; f < AD_COUNT(faults); f++) {
        const bool sound = faults[f] == FAKE_SOUND;
        adatom_context *ctx = NULL;
        ad_engine *engine = NULL;
        int warnings = 0;
        const adatom_context_params params = {
            .size = sizeof(adatom_context_params), .log = count_warnings, .user = &warnings};
        ck_assert_int_eq(adatom_context_create(&params, &ctx), ADATOM_OK);
        ck_assert_int_eq(fake_engine_create(ctx, faults[f], &engine), ADATOM_OK);
        ck_assert_int_eq(ad_check_half(engine, "this device"), sound ? ADATOM_OK : ADATOM_CHECK_FAILED);
        ck_assert_int_eq(engine->api->half_storage(engine), sound ? AD_VERDICT_PASSED : AD_VERDICT_FAILED);
        ck_assert_int_eq(warnings, !sound);
        ck_assert(sound || strstr(adatom_context_message(ctx), "passes the kernel check on this device"));
        engine->api->destroy(engine);
        adatom_context_destroy(&ctx);
    }
}
END_TEST

START_TEST(an_engine_that_refuses_fails) {
    tally t = {.words = "refused"};
    int checks = 0, failures = 0;
    ck_assert_int_eq(check_with(FAKE_REFUSES, "pool", true, &t, &checks, &failures), ADATOM_CHECK_FAILED);
    ck_assert_int_eq(failures, checks);
    ck_assert_int_eq(t.with_words, failures);
}
END_TEST

START_TEST(a_failure_names_the_command_that_repeats_it) {
    tally all = {0}, one = {0};
    int checks = 0, failures = 0;
    check_with(FAKE_WRONG_LAST, "conv-dx/", true, &all, NULL, NULL);
    const char *filter = strstr(all.detail, "--filter \"");
    ck_assert_ptr_nonnull(filter);
    ck_assert_ptr_nonnull(strstr(all.detail, "adatom doctor --device \"cpu\""));
    ck_assert_ptr_nonnull(strstr(all.detail, "--seed 7"));
    filter += strlen("--filter \"");
    memcpy(one.filter, filter, (size_t)(strchr(filter, '"') - filter));
    ck_assert_int_eq(check_with(FAKE_WRONG_LAST, one.filter, false, &one, &checks, &failures), ADATOM_CHECK_FAILED);
    ck_assert_int_eq(checks, 3);
    ck_assert_str_eq(one.detail, all.detail); /* same operands, same failure */
}
END_TEST

START_TEST(a_filter_without_match_is_an_error) {
    tally t = {0};
    ck_assert_int_eq(check_with(FAKE_SOUND, "no such thing", true, &t, NULL, NULL), ADATOM_USAGE);
}
END_TEST

static int by_name(const void *a, const void *b) {
    const ad_case *x = *(const ad_case *const *)a, *y = *(const ad_case *const *)b;
    return x->op.kind != y->op.kind ? (int)x->op.kind - (int)y->op.kind : strcmp(x->shape, y->shape);
}

START_TEST(names_of_cases_differ_and_plans_are_valid) {
    adatom_context *ctx = NULL;
    ad_case_list list = {0};
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    ck_assert_int_eq(ad_case_list_make(ctx, &list), ADATOM_OK);
    const ad_case **sorted = ad_malloc(ctx, (size_t)list.count, sizeof *sorted);
    for (int i = 0; i < list.count; i++) {
        sorted[i] = &list.cases[i];
        ck_assert_uint_lt(strlen(sorted[i]->shape), sizeof sorted[i]->shape - 1);
        int whole = -1;
        ad_plan *plan = ad_case_plan(ctx, sorted[i], &whole);
        ck_assert_ptr_nonnull(plan);
        ck_assert_msg(ad_plan_validate(ctx, plan) == ADATOM_OK, "%s", adatom_context_message(ctx));
        ad_plan_destroy(&plan);
    }
    qsort(sorted, (size_t)list.count, sizeof *sorted, by_name);
    for (int i = 1; i < list.count; i++)
        ck_assert_msg(by_name(&sorted[i - 1], &sorted[i]) != 0, "%s %s twice", ad_op_name(sorted[i]->op.kind),
                      sorted[i]->shape);
    ad_free(sorted);
    ad_case_list_clear(&list);
    adatom_context_destroy(&ctx);
}
END_TEST

START_TEST(tensors_are_halves_only_where_they_may) {
    adatom_context *ctx = NULL;
    ad_case_list list = {0};
    int allowed = 0;
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    ck_assert_int_eq(ad_case_list_make(ctx, &list), ADATOM_OK);
    for (int i = 0; i < list.count; i++)
        for (int r = 0; r < AD_OP_TENSORS; r++) {
            ad_case c = list.cases[i];
            if (c.op.t[r] != r || c.half) continue;
            ad_case_halve(&c, r);
            int whole = -1;
            ad_plan *plan = ad_case_plan(ctx, &c, &whole);
            ck_assert_ptr_nonnull(plan);
            const bool product = c.op.kind == AD_OP_CONV && r == 3 && c.op.g.k == 1 && !c.op.flags &&
                                 c.op.g.groups <= 1 && !ad_op_has_epilogue(&c.op);
            const bool u = (c.op.kind == AD_OP_ATOMS || c.op.kind == AD_OP_ATOMS_DPSI) && r == 0;
            const bool may = (product || u) && c.op.g.o % 4 == 0;
            ck_assert_msg((ad_plan_validate(ctx, plan) == ADATOM_OK) == may, "%s %s, role %d", ad_op_name(c.op.kind),
                          c.shape, r);
            allowed += may;
            ad_plan_destroy(&plan);
        }
    ck_assert_int_gt(allowed, 0);
    ad_case_list_clear(&list);
    adatom_context_destroy(&ctx);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("kernel_checker");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, sound_engine_passes);
    tcase_add_test(tests, every_operation_has_quick_cases_that_see_a_wrong_element);
    tcase_add_test(tests, a_small_error_is_seen_in_reals);
    tcase_add_test(tests, writes_outside_are_seen);
    tcase_add_test(tests, unsteady_results_are_seen);
    tcase_add_test(tests, infinite_halves_are_seen);
    tcase_add_test(tests, half_precision_is_stored_after_the_check);
    tcase_add_test(tests, an_engine_that_refuses_fails);
    tcase_add_test(tests, a_failure_names_the_command_that_repeats_it);
    tcase_add_test(tests, a_filter_without_match_is_an_error);
    tcase_add_test(tests, names_of_cases_differ_and_plans_are_valid);
    tcase_add_test(tests, tensors_are_halves_only_where_they_may);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
