/* Which way the builder takes for decomposed convolutions. */
#include "compile/build.h"
#include "tests/run_suite.h"

#include <string.h>

enum { ATOMS = 1 << AD_ROLE_ATOMS, NORM = 1 << AD_ROLE_NORM, COEFFICIENTS = 1 << AD_ROLE_COEFFICIENTS };

typedef struct counts {
    int forward, dx; /* FUSED_ATOMS, FUSED_ATOMS_DX */
    int depth;       /* DEPTH: of groups */
} counts;

/* Conv-4 has three decomposed layers of 64 to 64 channels. The support set goes forward and backward in the step
 * segment, the queries forward in the eval segment. */
static counts build_groups(const char *arch, int group, int atoms, unsigned adapt, ad_conv_path path,
                           const ad_conv_costs *costs, ad_segment_id segment) {
    static const int32_t pictures = 8;
    adatom_context *ctx = NULL;
    ad_network net = {0};
    ad_built built = {0};
    counts c = {0};
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    const adatom_model_params model = {.size = sizeof(adatom_model_params),
                                       .arch = arch,
                                       .sharing = group ? ADATOM_SHARING_GROUP_LAYER : ADATOM_SHARING_LAYER,
                                       .group = group,
                                       .atoms = atoms,
                                       .image_size = 33};
    ck_assert_int_eq(ad_network_build(ctx, &model, &net), ADATOM_OK);
    const ad_build_params p = {.net = &net,
                               .tasks = 2,
                               .way = 2,
                               .adapt = adapt,
                               .support = 2,
                               .query = 2,
                               .query_rounds = 1,
                               .steps = 1,
                               .head = AD_HEAD_LINEAR,
                               .path = path,
                               .costs = costs,
                               .data_size = net.image_size,
                               .chunks = &pictures,
                               .chunk_count = 1};
    ck_assert_msg(ad_build(ctx, &p, &built) == ADATOM_OK, "%s", adatom_context_message(ctx));
    for (int i = 0; i < built.plan->segments[segment].count; i++) {
        const ad_op *op = &built.plan->ops[built.plan->segments[segment].first + i];
        c.forward += op->kind == AD_OP_FUSED_ATOMS;
        c.dx += op->kind == AD_OP_FUSED_ATOMS_DX;
        c.depth += op->kind == AD_OP_DEPTH;
    }
    ad_built_clear(&built);
    ad_network_clear(&net);
    adatom_context_destroy(&ctx);
    return c;
}

static counts build(const char *arch, int atoms, unsigned adapt, ad_conv_path path, const ad_conv_costs *costs,
                    ad_segment_id segment) {
    return build_groups(arch, 0, atoms, adapt, path, costs, segment);
}

#define EXPECT(wanted_forward, wanted_dx, ...)                                                                         \
    do {                                                                                                               \
        const counts c_ = build(__VA_ARGS__);                                                                          \
        ck_assert_int_eq(c_.forward, wanted_forward);                                                                  \
        ck_assert_int_eq(c_.dx, wanted_dx);                                                                            \
    } while (0)

/* 64 to 64 channels, k = 3: m (9 + 64) against 9 * 64 = 576 multiply-adds an input channel and position; 584 for m = 8,
 * 511 for 7. */
START_TEST(auto_goes_by_costs) {
    static const ad_conv_costs par = {1, 1}, cheap = {0.98f, 0.98f}, dear = {1.2f, 1.2f};
    const ad_conv_path path = AD_PATH_AUTO;
    EXPECT(0, 0, "conv4", 8, NORM, path, NULL, AD_SEGMENT_STEP);
    EXPECT(0, 0, "conv4", 8, NORM, path, &par, AD_SEGMENT_STEP);
    EXPECT(3, 3, "conv4", 8, NORM, path, &cheap, AD_SEGMENT_STEP);
    EXPECT(3, 3, "conv4", 7, NORM, path, &par, AD_SEGMENT_STEP);
    EXPECT(0, 0, "conv4", 7, NORM, path, &dear, AD_SEGMENT_STEP);
    /* Adapted atoms: their gradient wants u, the queries don't. Nothing adapts below the first of them. */
    EXPECT(0, 2, "conv4", 7, ATOMS, path, &par, AD_SEGMENT_STEP);
    EXPECT(3, 0, "conv4", 7, ATOMS, path, &par, AD_SEGMENT_EVAL);
    EXPECT(0, 0, "conv4", 7, ATOMS, path, &dear, AD_SEGMENT_EVAL);
    EXPECT(0, 0, "conv4", 2, ATOMS | COEFFICIENTS, path, &par, AD_SEGMENT_STEP);
}
END_TEST

/* ResNet-10: eight 3x3 convolutions, three of them with stride 2. Their input gradient has its product at the larger
 * resolution. */
START_TEST(strides) {
    static const ad_conv_costs par = {1, 1};
    EXPECT(8, 5, "resnet10", 4, NORM, AD_PATH_AUTO, &par, AD_SEGMENT_STEP);
    EXPECT(8, 8, "resnet10", 1, NORM, AD_PATH_AUTO, &par, AD_SEGMENT_STEP);
}
END_TEST

START_TEST(asked_for) {
    static const ad_conv_costs cheap = {0.01f, 0.01f};
    EXPECT(3, 3, "conv4", 8, NORM, AD_PATH_ATOMS_FIRST, NULL, AD_SEGMENT_STEP);
    EXPECT(3, 0, "conv4", 8, ATOMS, AD_PATH_ATOMS_FIRST, NULL,
           AD_SEGMENT_STEP); /* dx from the dz that the atoms' gradient needs */
    EXPECT(0, 2, "conv4", 8, ATOMS, AD_PATH_COEFFICIENTS_FIRST, NULL, AD_SEGMENT_STEP);
    EXPECT(0, 0, "conv4", 8, ATOMS, AD_PATH_COMPOSED, &cheap, AD_SEGMENT_STEP);
}
END_TEST

/* Groups have two operations, whatever those in one cost: three layers of Conv-4 are decomposed. */
START_TEST(groups) {
    static const ad_conv_costs cheap = {0.01f, 0.01f};
    static const struct {
        unsigned adapt;
        ad_conv_path path;
        int depth;
    } cases[] = {{NORM, AD_PATH_AUTO, 0},
                 {NORM, AD_PATH_ATOMS_FIRST, 3},
                 {ATOMS | COEFFICIENTS, AD_PATH_AUTO, 0},
                 {ATOMS | COEFFICIENTS, AD_PATH_ATOMS_FIRST, 3},
                 {ATOMS, AD_PATH_COMPOSED, 0}};
    for (size_t i = 0; i < AD_COUNT(cases); i++) {
        const counts c = build_groups("conv4", 16, 2, cases[i].adapt, cases[i].path, &cheap, AD_SEGMENT_STEP);
        ck_assert_int_eq(c.forward + c.dx, 0);
        ck_assert_int_eq(c.depth, cases[i].depth);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("path");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, auto_goes_by_costs);
    tcase_add_test(tests, strides);
    tcase_add_test(tests, asked_for);
    tcase_add_test(tests, groups);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}
