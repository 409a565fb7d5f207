/* The benchmark: names, the rule of comparison, and runs of small cases on the CPU engine. */
#include "bench/bench.h"
#include "verify/shrunk.h"
#include "cpu/cpu_internal.h"
#include "tests/run_suite.h"

#include <adatom/model.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static adatom_context *ctx;
static adatom_device *device;

static void open_device(void) {
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    ck_assert_int_eq(
        adatom_device_open(
            ctx, &(adatom_device_params){.size = sizeof(adatom_device_params), .select = "cpu", .threads = 1}, &device),
        ADATOM_OK);
}

static void close_device(void) {
    adatom_device_destroy(&device);
    adatom_context_destroy(&ctx);
}

START_TEST(suites_are_cases) {
    static const char *const suites[] = {"quick", "full", "scaling"};
    ad_bench_case c;
    for (size_t s = 0; s < AD_COUNT(suites); s++)
        for (const char *const *name = ad_bench_suite(suites[s]); *name; name++) {
            ck_assert_msg(ad_bench_parse(*name, &c), "%s", *name);
            for (const char *const *other = ad_bench_suite(suites[s]); other < name; other++)
                ck_assert_str_ne(*other, *name);
        }
    ck_assert_ptr_null(ad_bench_suite("other"));
}
END_TEST

START_TEST(names_decide_shapes) {
    ad_bench_case c;
    ck_assert(ad_bench_parse("conv/forward/coefficients-first/60x64x3s2/21/b25t7m9", &c));
    ck_assert_int_eq(c.step_count, 2);
    ck_assert_int_eq(c.steps[0].op.kind, AD_OP_CONV);
    ck_assert_int_eq(c.steps[0].op.g.k, 1);
    ck_assert_int_eq(c.steps[0].op.g.o, 9 * 64);
    ck_assert_int_eq(c.steps[1].op.kind, AD_OP_ATOMS);
    ck_assert_int_eq(c.steps[1].op.g.oh, 11);
    ck_assert_int_eq(c.steps[1].op.g.n, 25);
    ck_assert_int_eq(c.steps[1].tasks, 7);
    /* 2 flops a multiply-add: 25 images x 21^2 positions x 60 x 576 in the product */
    ck_assert_double_eq(ad_op_flops(&c.steps[0].op), 2.0 * 7 * 25 * 441 * 60 * 576);
    ck_assert(ad_bench_parse("conv/forward/atoms-first/32x64x3s2/21/b5m9g16", &c));
    ck_assert_int_eq(c.steps[0].op.kind, AD_OP_DEPTH);
    ck_assert_int_eq(c.steps[0].op.g.group, 16);
    ck_assert(c.steps[1].op.g.c == 16 * 9 && c.steps[1].op.g.o == 16 &&
              c.steps[1].op.g.w == 11 * 4); /* a row for each group of outputs */
    ck_assert_uint_eq(ad_op_elements(&c.steps[0].op, 2), ad_op_elements(&c.steps[1].op, 0));
    ck_assert(ad_bench_parse("conv/fused/grouped/64x64x3s2/20/b2g8", &c));
    ck_assert(c.steps[0].op.g.groups == 8 && ad_op_has_epilogue(&c.steps[0].op));
    ck_assert_double_eq(ad_op_flops(&c.steps[0].op), 2.0 * 2 * 100 * 9 * 8 * 64);
    ck_assert(ad_bench_parse("conv/forward/composed/4x64x4s4/56/b2", &c)); /* patches */
    ck_assert(c.steps[0].op.g.oh == 14 && c.steps[0].op.g.pad == 0 && !ad_op_has_epilogue(&c.steps[0].op));
    ck_assert(ad_bench_parse("depthwise/forward/30/5s2/9/b3t2", &c)); /* channels in whole vectors */
    ck_assert(c.step_count == 1 && c.steps[0].op.kind == AD_OP_DEPTHWISE && c.steps[0].tasks == 2);
    ck_assert(c.steps[0].op.g.c == 32 && c.steps[0].op.g.oh == 5 && c.steps[0].op.g.pad == 2);
    ck_assert_double_eq(ad_op_flops(&c.steps[0].op), 2.0 * 2 * 3 * 25 * 25 * 32);
    ck_assert(ad_bench_parse("depthwise/dw/96/7/14/b1", &c));
    ck_assert(c.steps[0].op.kind == AD_OP_DEPTHWISE_DW && ad_op_elements(&c.steps[0].op, 2) == 49 * 96);
    ck_assert(ad_bench_parse("pretrain/resnet10-group-stage/84/b2", &c));
    ck_assert_str_eq(c.sharing, "group-stage");
    ck_assert(ad_bench_parse("conv/forward/composed/3x64x3/84/b5", &c));
    ck_assert_int_eq(c.steps[0].op.g.c, 4); /* pictures are padded to four channels */
    ck_assert(ad_bench_parse("adapt/atoms+norm/resnet12-stage/84/20w1s15q/7", &c));
    ck_assert_str_eq(c.method, "atoms+norm");
    ck_assert_str_eq(c.arch, "resnet12");
    ck_assert_str_eq(c.sharing, "stage");
    ck_assert_int_eq(c.way * 10000 + c.shot * 100 + c.query, 200115);
    ck_assert_int_eq(c.optimiser_steps, 7);
}
END_TEST

START_TEST(names_of_whole_runs) {
    ad_bench_case c;
    for (size_t i = 0; adatom_model_arch(i); i++) {
        char name[80];
        snprintf(name, sizeof name, "pretrain/%s-layer/84/b8", adatom_model_arch(i));
        ck_assert_msg(ad_bench_parse(name, &c), "%s", name);
        ck_assert_str_eq(c.arch, adatom_model_arch(i));
    }
    ck_assert(ad_bench_parse("adapt/atoms/conv4/28/5w2s3q/7t16", &c));
    ck_assert(c.size == 28 && c.way == 5 && c.shot == 2 && c.query == 3 && c.optimiser_steps == 7 && c.tasks == 16);
    ck_assert(ad_bench_parse("adapt/atoms/conv4/28/5w2s3q/7", &c));
    ck_assert_int_eq(c.tasks, 0);
    ck_assert(ad_bench_parse("pretrain/conv4/28/b16d512m10", &c));
    ck_assert(c.batch == 16 && c.pictures == 512 && c.memory_mib == 10);
    ck_assert(ad_bench_parse("pretrain/conv4/28/b16m10", &c));
    ck_assert(c.pictures == 0 && c.memory_mib == 10);
    ck_assert(ad_bench_parse("infer/mobilenet_v2/224/b8", &c)); /* ordinary kernels, unlike adapt and pretrain */
    ck_assert(c.kind == AD_BENCH_INFER && c.size == 224 && c.batch == 8);
    ck_assert_str_eq(c.sharing, "none");
    ck_assert(ad_bench_parse("infer/resnet18-layer/84/b1", &c));
    ck_assert_str_eq(c.sharing, "layer");
}
END_TEST

START_TEST(what_is_no_name) {
    static const char *const names[] = {"",
                                        "/",
                                        "conv",
                                        "peak/fp64",
                                        "conv/forward/composed/64x64x3/21/b25/more",
                                        "conv/forward/composed/64x64/21/b25",
                                        "conv/forward/composed/64x64x3/21/b",
                                        "conv/forward/composed/0x64x3/21/b1",
                                        "conv/forward/atoms-first/64x64x3/21/b1g24",
                                        "conv/forward/composed/64x64x3/21/b1g16",
                                        "conv/dw/atoms-first/64x64x3/21/b25",
                                        "conv/forward/grouped/64x64x3/21/b1",
                                        "conv/forward/grouped/64x64x3/21/b1g32",
                                        "conv/fused-add/grouped/64x64x3/21/b1g4",
                                        "conv/forward/composed/4x4x8s8/2/b1",
                                        "conv/stage/atoms-first-fused/64x64x3/21/b25",
                                        "conv/forward/composed/64x64x3/21/25",
                                        "conv/forward/composed/64x64x3/21/b2 5",
                                        "depthwise/back/32/3/14/b1",
                                        "depthwise/forward/32/12/14/b1",
                                        "depthwise/forward/32x3/14/b1",
                                        "adapt/atoms/conv5/84/5w5s15q/50",
                                        "adapt/atom/conv4/84/5w5s15q/50",
                                        "adapt/atoms/conv4/84/5w5s15/50",
                                        "adapt/atoms/conv4/84/5w5s15qq/50",
                                        "adapt/atoms/conv4-all/84/5w5s15q/50",
                                        "adapt/atoms/conv4-default/84/5w5s15q/50",
                                        "adapt/atoms/conv4/84/5w0s15q/50",
                                        "pretrain/conv4/84/64",
                                        "op/affine/64/42/b99999999999",
                                        "infer/mobilenet_v2/224/8",
                                        "infer/mobilenet_v4/224/b8",
                                        "infer/mobilenet_v2/224/b0",
                                        "startup/hot"};
    ad_bench_case c;
    for (size_t i = 0; i < AD_COUNT(names); i++) ck_assert_msg(!ad_bench_parse(names[i], &c), "%s", names[i]);
}
END_TEST

START_TEST(slower_means_beyond_the_noise) {
    const double quiet[] = {100, 101, 99, 100, 102}, slow[] = {200, 201, 199, 203, 200},
                 little[] = {103, 104, 102, 103, 105};
    const double noisy[] = {100, 180, 95, 190, 150}, load[] = {99, 240, 250, 245, 260}, one[] = {100}, twice[] = {200};
    double ratio = 0;
    ck_assert_int_eq(adatom_bench_compare(quiet, 5, slow, 5, &ratio), 1);
    ck_assert_double_eq(ratio, 2);
    ck_assert_int_eq(adatom_bench_compare(slow, 5, quiet, 5, NULL), -1);
    ck_assert_int_eq(adatom_bench_compare(quiet, 5, quiet, 5, NULL), 0);
    ck_assert_int_eq(adatom_bench_compare(quiet, 5, little, 5, NULL), 0); /* 3 %: below the floor */
    ck_assert_int_eq(adatom_bench_compare(noisy, 5, slow, 5, NULL), 0);   /* the spread of the old run explains it */
    ck_assert_int_eq(adatom_bench_compare(quiet, 5, load, 5, NULL), 0);   /* one sample was as fast as before */
    ck_assert_int_eq(adatom_bench_compare(one, 1, twice, 1, NULL), 1);
}
END_TEST

typedef struct tally {
    int ok, other;
    char name[128], reason[400];
} tally;

static void on_result(void *user, const adatom_bench_result *r) {
    tally *t = user;
    if (strncmp(r->name, "peak/", 5) == 0) {
        if (strcmp(r->name, "peak/fp32") == 0) ck_assert_double_gt(r->value, 0);
        return;
    }
    strncpy(t->name, r->name, sizeof t->name - 1);
    if (r->status != ADATOM_BENCH_OK) {
        t->other++;
        strncpy(t->reason, r->reason, sizeof t->reason - 1);
        ck_assert_int_eq(r->sample_count, 0);
        ck_assert_double_eq(r->value, 0);
        return;
    }
    t->ok++;
    ck_assert_int_ge(r->sample_count, 5);
    ck_assert(r->min_ns > 0 && r->min_ns <= r->median_ns && r->median_ns <= r->p95_ns);
    for (int i = 0; i < r->sample_count; i++) ck_assert_double_ge(r->samples_ns[i], r->min_ns);
    ck_assert_msg(strncmp(r->verified, "double precision", 16) == 0, "%s: %s", r->name, r->verified);
    ck_assert_double_gt(r->value, 0);
}

static adatom_status bench(const char *filter, tally *t, int *errors) {
    const adatom_bench_params params = {.size = sizeof(adatom_bench_params),
                                        .filters = &filter,
                                        .filter_count = 1,
                                        .seed = 1,
                                        .report = on_result,
                                        .user = t};
    return adatom_bench_device(device, &params, errors);
}

START_TEST(cases_are_verified_and_timed) {
    static const char *const names[] = {"conv/forward/atoms-first/4x8x3/7/b2",
                                        "conv/dpsi/coefficients-first/8x8x3/9/b1t2m3",
                                        "conv/forward/atoms-first-fused/8x12x3/9/b1t2m3",
                                        "conv/dx/atoms-first-fused/8x12x3s2/9/b1m4",
                                        "op/max-pool-back/8/9/b2",
                                        "op/blend/8/9/b2",
                                        "op/mix/4/9/b2",
                                        "op/drop-mask/8/9/b2",
                                        "op/drop-apply/8/9/b2",
                                        "head/softmax-ce/64x5/b5",
                                        "head/softmax-ce-soft/64x5/b5",
                                        "head/mean-head-back/64x5/b5",
                                        "optimiser/adam/100t2",
                                        "optimiser/task-sum/100t5",
                                        "adapt/atoms/conv4/16/2w1s1q/2"};
    tally t = {0};
    int errors = -1;
    const adatom_bench_params params = {.size = sizeof(adatom_bench_params),
                                        .filters = names,
                                        .filter_count = AD_COUNT(names),
                                        .seed = 1,
                                        .report = on_result,
                                        .user = &t};
    ck_assert_msg(adatom_bench_device(device, &params, &errors) == ADATOM_OK, "%s", adatom_context_message(ctx));
    ck_assert_msg(t.ok == (int)AD_COUNT(names) && t.other == 0 && errors == 0, "%s: %s", t.name, t.reason);
    ck_assert_str_eq(t.name, names[AD_COUNT(names) - 1]); /* in the order asked for */
}
END_TEST

START_TEST(what_cannot_run_says_why) {
    tally t = {0};
    int errors = -1;
    ck_assert_int_eq(bench("adapt/atoms/conv4/16/200w1s1q/2", &t, &errors), ADATOM_OK);
    ck_assert_int_eq(t.other, 1);
    ck_assert_int_eq(errors, 0);
    ck_assert_ptr_nonnull(strstr(t.reason, "104 classes"));
    ck_assert_int_eq(bench("nothing like this", &t, NULL), ADATOM_USAGE);
    const adatom_bench_params params = {.size = sizeof(adatom_bench_params), .suite = (adatom_suite)9};
    ck_assert_int_eq(adatom_bench_device(device, &params, NULL), ADATOM_USAGE);
    ck_assert_int_eq(adatom_tune_device(device, NULL, NULL), ADATOM_UNSUPPORTED);
}
END_TEST

START_TEST(large_shapes_are_cut_for_the_reference) {
    ad_bench_case c;
    char what[80];
    ck_assert(ad_bench_parse("conv/forward/composed/8x8x3/30/b50", &c));
    ck_assert_int_eq(ad_verify_case(device->engine, &c.steps[0], NULL, 1e5, what, sizeof what), ADATOM_OK);
    ck_assert_str_eq(what, "double precision, b1 12x12");
    ck_assert_int_eq(ad_verify_case(device->engine, &c.steps[0], NULL, 1e9, what, sizeof what), ADATOM_OK);
    ck_assert_str_eq(what, "double precision, b1");
}
END_TEST

/* More samples than one run takes (merged files): every one of them counts. */
START_TEST(comparison_of_many_samples) {
    enum { COUNT = 1000 };
    double before[COUNT], after[COUNT], ratio = 0;
    for (int i = 0; i < COUNT; i++) {
        before[i] = 100 + i % 3;
        after[i] = i < 101 ? 110 : 220 + i % 3; /* the first hundred and one are not the story */
    }
    ck_assert_int_eq(adatom_bench_compare(before, COUNT, after, COUNT, &ratio), 1);
    ck_assert_double_gt(ratio, 2);
    ck_assert_int_eq(adatom_bench_compare(after, COUNT, before, COUNT, &ratio), -1);
    /* What is no number is no sample. */
    for (int i = 0; i < COUNT; i += 2) before[i] = NAN;
    ck_assert_int_eq(adatom_bench_compare(before, COUNT, after, COUNT, &ratio), 1);
    ck_assert(isfinite(ratio));
    const double none[2] = {NAN, NAN};
    ck_assert_int_eq(adatom_bench_compare(none, 2, after, COUNT, &ratio), 0);
    ck_assert(isnan(ratio));
    ck_assert_int_eq(adatom_bench_compare(after, COUNT, none, 2, &ratio), 0);
}
END_TEST

static bool stop(void *user, const adatom_progress *now) {
    (void)user;
    (void)now;
    return false;
}

/* The number of OpenBLAS's threads is the process's: a probe leaves it as it was, interrupted or not. Where there is no
 * OpenBLAS the probe says which package has it. */
START_TEST(blas_threads_are_restored) {
    adatom_context *own = NULL;
    ck_assert_int_eq(adatom_context_create(NULL, &own), ADATOM_OK);
    ad_probe probe = {.kind = AD_PROBE_SGEMM, .m = 64, .n = 64, .k = 64};
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (library) {
        int (*get)(void) = NULL;
        void (*set)(int) = NULL;
        *(void **)&get = dlsym(library, "openblas_get_num_threads");
        *(void **)&set = dlsym(library, "openblas_set_num_threads");
        ck_assert(get && set);
        set(2);
        const int before = get();
        ck_assert_int_eq(ad_cpu_probe(own, 1, &probe), ADATOM_OK);
        ck_assert_double_gt(probe.flops, 0);
        ck_assert_int_eq(get(), before);
        const ad_call outer = ad_call_begin(own, stop, NULL);
        ck_assert_int_eq(ad_cpu_probe(own, 1, &probe), ADATOM_INTERRUPTED);
        ad_call_end(own, &outer, ADATOM_INTERRUPTED);
        ck_assert_int_eq(get(), before);
        dlclose(library);
    } else {
        ck_assert_int_eq(ad_cpu_probe(own, 1, &probe), ADATOM_UNSUPPORTED);
#ifdef _WIN32
        const char *named = "libopenblas.dll";
#else
        const char *named = "Debian's package libopenblas0";
#endif
        ck_assert_ptr_nonnull(strstr(adatom_context_message(own), named));
    }
    adatom_context_destroy(&own);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bench");
    TCase *rules = tcase_create("rules"), *runs = tcase_create("runs");
    tcase_add_test(rules, suites_are_cases);
    tcase_add_test(rules, names_decide_shapes);
    tcase_add_test(rules, names_of_whole_runs);
    tcase_add_test(rules, what_is_no_name);
    tcase_add_test(rules, slower_means_beyond_the_noise);
    tcase_add_checked_fixture(runs, open_device, close_device);
    tcase_add_test(runs, cases_are_verified_and_timed);
    tcase_add_test(runs, what_cannot_run_says_why);
    tcase_add_test(rules, comparison_of_many_samples);
    tcase_add_test(rules, blas_threads_are_restored);
    tcase_add_test(runs, large_shapes_are_cut_for_the_reference);
    suite_add_tcase(suite, rules);
    suite_add_tcase(suite, runs);
    return run_suite(suite, CK_NOFORK);
}
