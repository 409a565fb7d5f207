/* A plan whose building runs out of memory, at every allocation: one sentence, and no plan. */
#include "compile/build.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"

enum { ATOMS = 1 << AD_ROLE_ATOMS, NORM = 1 << AD_ROLE_NORM };
enum { FULL = ATOMS | NORM | 1 << AD_ROLE_COEFFICIENTS | 1 << AD_ROLE_ORDINARY };

static adatom_context *ctx;

static void setup(void) { ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK); }
static void teardown(void) { adatom_context_destroy(&ctx); }

static const struct {
    const char *sharing, *arch;
    ad_build_params p;
} kinds[] = {
    {"layer", "conv4", {.adapt = ATOMS, .head = AD_HEAD_LINEAR}},
    {"layer",
     "conv4",
     {.adapt = ATOMS, .head = AD_HEAD_COSINE, .head_init = AD_HEAD_MEANS, .adam = true, .half = true}},
    {"stage",
     "resnet10",
     {.adapt = ATOMS | NORM, .head = AD_HEAD_LINEAR, .head_init = AD_HEAD_MEANS, .bn = AD_BN_SUPPORT}},
    {"none", "conv4", {.adapt = FULL, .head = AD_HEAD_LINEAR, .bn = AD_BN_TRAIN, .support_rounds = 3}},
    {"group-layer", "conv4", {.adapt = ATOMS, .head = AD_HEAD_LINEAR, .adam = true, .eval_between = true}},
    {"none",
     "conv4",
     {.head = AD_HEAD_LINEAR, .lowrank = {.kind = AD_LOWRANK_BORA, .rank = 2, .scale = 1}, .adam = true}},
    {"layer", "conv4", {.head = AD_HEAD_CENTROID_COSINE}},
    {"layer", "conv4", {.head = AD_HEAD_LINEAR, .head_init = AD_HEAD_MEANS, .from_features = true}},
};

START_TEST(test_every_allocation) {
    static const int32_t pictures = 8;
    ad_network net = {0};
    ad_built built = {0};
    adatom_model_params model = {
        .arch = kinds[_i].arch, .sharing = kinds[_i].sharing, .atoms = 4, .image_size = 33, .width = 16};
    ck_assert_msg(ad_network_build(ctx, &model, &net) == ADATOM_OK, "%s", adatom_context_message(ctx));
    ad_build_params p = kinds[_i].p;
    p.net = &net;
    p.tasks = 2;
    p.way = 2;
    p.support = p.query = 2;
    p.query_rounds = 1;
    p.steps = p.head == AD_HEAD_CENTROID_COSINE ? 0 : 1;
    p.data_size = net.image_size;
    p.chunks = &pictures;
    p.chunk_count = 1;
    long n = 0;
    for (bool failed = true; failed; n++) {
        ad_test_fail_allocation(n);
        const adatom_status status = ad_build(ctx, &p, &built);
        failed = ad_test_fail_allocation(-1) < 0;
        ck_assert_msg(status == (failed ? ADATOM_OUT_OF_MEMORY : ADATOM_OK), "allocation %ld: %d, %s", n, status,
                      adatom_context_message(ctx));
        ck_assert_msg(!failed || (!built.plan && *adatom_context_message(ctx)), "allocation %ld", n);
        ad_built_clear(&built);
    }
    ck_assert_int_gt(n, 10);
    ad_network_clear(&net);
}
END_TEST

int main(void) {
    TCase *cases = tcase_create("build");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_loop_test(cases, test_every_allocation, 0, (int)AD_COUNT(kinds));
    Suite *suite = suite_create("build faults");
    suite_add_tcase(suite, cases);
    return run_suite(suite, CK_FORK_GETENV);
}
