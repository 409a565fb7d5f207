/* Coefficients shared by groups of channels: files, counts, decomposition of ordinary kernels. Their totals are in
 * test_model.c. */
#include "io/safetensors.h"
#include "net/network.h"
#include "plan/plan.h"
#include "tests/choices.h"
#include "tests/run_suite.h"
#include "transfer/dense.h"
#include "transfer/linear_algebra.h"

#include <adatom/transfer.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static adatom_context *ctx;
static char path[] = "/tmp/adatom-groups-XXXXXX";

static void setup(void) {
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    make_file(path);
}

static void teardown(void) {
    unlink(path);
    adatom_context_destroy(&ctx);
}

static adatom_model *create(adatom_model_params params) {
    adatom_model *model = NULL;
    OK(adatom_model_create(ctx, &params, &model));
    return model;
}

static char *saved(const adatom_model *model, size_t *size) {
    char *bytes = NULL;
    OK(adatom_model_save(model, path));
    OK(ad_read_file(ctx, path, 1 << 20, &bytes, size));
    return bytes;
}

static const ad_param *param(const adatom_model *model, const char *name) {
    for (int i = 0; i < model->net.param_count; i++)
        if (strcmp(model->net.params[i].name, name) == 0) return &model->net.params[i];
    ck_abort_msg("no parameter %s", name);
}

/* ---- files ---- */

/* Coefficients [s][s][m], atoms [out group][in group][m][i][j]; the composed kernel from both, and what two stages
 * cost. */
START_TEST(test_layout) {
    adatom_model *model = create((adatom_model_params){.size = sizeof(adatom_model_params),
                                                       .arch = "resnet10",
                                                       .sharing = ADATOM_SHARING_GROUP_STAGE,
                                                       .width = 8,
                                                       .image_size = 33,
                                                       .atoms = 3,
                                                       .group = 4});
    size_t size = 0, count = 0;
    char *bytes = saved(model, &size);
    ad_safetensors file;
    OK(ad_safetensors_parse(ctx, path, bytes, size, &file));
    const ad_st_tensor *atoms = ad_safetensors_find(&file, "layer4.atoms"),
                       *alpha = ad_safetensors_find(&file, "stage2.coefficients");
    static const int64_t atoms_shape[] = {4, 2, 3, 3, 3}, alpha_shape[] = {4, 4, 3};
    ck_assert(atoms->rank == 5 && memcmp(atoms->shape, atoms_shape, sizeof atoms_shape) == 0);
    ck_assert(alpha->rank == 3 && memcmp(alpha->shape, alpha_shape, sizeof alpha_shape) == 0);
    adatom_layer_info layer = ADATOM_INIT(adatom_layer_info);
    int l = 0;
    while (l == 0 || strcmp(layer.name, "layer4.conv") != 0) OK(adatom_model_layer(model, l++, &layer));
    ck_assert(layer.in_channels == 8 && layer.out_channels == 16 && layer.out_height == 5 && layer.stride == 2);
    ck_assert_uint_eq(layer.own_parameters, 4 * 2 * 27);
    ck_assert_uint_eq(layer.macs_coefficients_first, 0);
    ck_assert_uint_eq(layer.macs_sum_first,
                      5 * 5 * (2 * 4 * 4 * 3 * 9 + 4 * 4 * 4 * 3)); /* G_in G_out s m k^2 + G_out s^2 m */
    float kernel[16 * 8 * 9];
    OK(adatom_model_kernel(model, l - 1, kernel, AD_COUNT(kernel), &count));
    for (size_t o = 0; o < 16; o++)
        for (size_t c = 0; c < 8; c++)
            for (size_t ij = 0; ij < 9; ij++) {
                double sum = 0;
                for (size_t m = 0; m < 3; m++)
                    sum += (double)ad_safetensors_float(&file, alpha, (o % 4 * 4 + c % 4) * 3 + m) *
                           (double)ad_safetensors_float(&file, atoms, ((o / 4 * 2 + c / 4) * 3 + m) * 9 + ij);
                ck_assert_float_eq_tol(kernel[(o * 8 + c) * 9 + ij], (float)sum, 1e-6f);
            }
    ad_safetensors_clear(&file);
    ad_free(bytes);
    adatom_model *again = NULL;
    OK(adatom_model_load(ctx, path, &again));
    ck_assert_uint_eq(again->hash, model->hash);
    adatom_model_destroy(&again);
    adatom_model_destroy(&model);
}
END_TEST

static const struct {
    const char *from, *to, *says;
} edits[] = {
    {"\\\"group\\\":8", "\\\"group\\\":4",
     "tensor 'layer2.atoms' has the shape [1, 1, 2, 3, 3]; [2, 2, 2, 3, 3] was expected"},
    {"\\\"group\\\":8", "\\\"group\\\":3", "describes no network: the size of groups is 3"},
    {"\\\"group\\\":8", "\\\"group\\\":-", "description of the network is damaged"},
    {"\\\"group\\\":8,\\\"image_size\\\":16", "\\\"group\\\":-8,\\\"image_size\\\":8", "has an impossible number"},
    {"\\\"width\\\":8", "\\\"width\\\":4",
     "describes no network: groups of 8 channels do not divide the 4 channels of layer2"},
    {"group-net", "group-all", "describes no network: unknown sharing 'group-all'"},
    {"[1,1,2,3,3]", "[1,1,2,9,1]", "tensor 'layer2.atoms' has the shape [1, 1, 2, 9, 1]; [1, 1, 2, 3, 3] was expected"},
};

START_TEST(test_edited_files) {
    adatom_model *model = create((adatom_model_params){.size = sizeof(adatom_model_params),
                                                       .sharing = ADATOM_SHARING_GROUP_NET,
                                                       .width = 8,
                                                       .image_size = 16,
                                                       .atoms = 2}),
                 *out = model;
    size_t size = 0;
    char *bytes = saved(model, &size), *at = memmem(bytes, size, edits[_i].from, strlen(edits[_i].from));
    ck_assert_uint_eq(strlen(edits[_i].from), strlen(edits[_i].to));
    ck_assert_msg(at != NULL, "the file has no %s", edits[_i].from);
    memcpy(at, edits[_i].to, strlen(edits[_i].to));
    ck_assert_int_eq(adatom_model_parse(ctx, "m", bytes, size, &out), ADATOM_BAD_DATA);
    ck_assert_msg(strstr(adatom_context_message(ctx), edits[_i].says), "'%s' lacks '%s'", adatom_context_message(ctx),
                  edits[_i].says);
    ad_free(bytes);
    adatom_model_destroy(&model);
}
END_TEST

/* ---- decomposition ---- */

static adatom_model *decomposed(const adatom_model *model, const char *sharing, int group, int atoms, bool residual) {
    adatom_model *out = NULL;
    const adatom_decompose_params params = {.size = sizeof(adatom_decompose_params),
                                            .sharing = sharing_of(sharing),
                                            .group = group,
                                            .atoms = atoms,
                                            .residual = residual};
    OK(adatom_model_decompose(model, &params, &out));
    return out;
}

/* The sum of |W - W'|^2 over the layers of `stage` (0: all) that are decomposed in `to`. */
static double lost(const adatom_model *from, const adatom_model *to, int stage) {
    double sum = 0, w[16 * 16 * 9], v[16 * 16 * 9];
    for (int i = 0; i < to->net.node_count; i++) {
        const ad_node *node = &to->net.nodes[i];
        if (node->m == 0 || (stage && node->stage != stage)) continue;
        ck_assert_uint_le(ad_dense_count(node), AD_COUNT(w));
        ad_dense_kernel(from, &from->net.nodes[i], w);
        ad_dense_kernel(to, node, v);
        for (size_t e = 0; e < ad_dense_count(node); e++) sum += (w[e] - v[e]) * (w[e] - v[e]);
    }
    return sum;
}

/* What the best m directions leave of all kernels of a stage (0: all), rearranged as [s*s][pairs of groups of the
 * layers, taps]. */
static double least(const adatom_model *from, const adatom_model *to, int stage, int s, int m) {
    const int columns = 4096, rows = s * s;
    double *x = calloc((size_t)(columns * rows), sizeof *x), *values = calloc((size_t)rows, sizeof *values),
           w[16 * 16 * 9], rest = 0;
    int at = 0;
    for (int i = 0; i < to->net.node_count; i++) {
        const ad_node *node = &to->net.nodes[i];
        if (node->m == 0 || (stage && node->stage != stage)) continue;
        ad_dense_kernel(from, &from->net.nodes[i], w);
        for (int o = 0; o < node->o; o++)
            for (int c = 0; c < node->c; c++)
                for (int ij = 0; ij < 9; ij++) {
                    const int column = at + (o / s * (node->c / s) + c / s) * 9 + ij, row = o % s * s + c % s;
                    x[column * rows + row] = w[(o * node->c + c) * 9 + ij];
                }
        at += node->o / s * (node->c / s) * 9;
    }
    ck_assert_int_le(at, columns);
    OK(ad_svd(ctx, x, AD_MAX(at, rows), rows, false, values)); /* of the transpose: rows of zeros change nothing */
    for (int i = m; i < rows; i++) rest += values[i] * values[i];
    free(x);
    free(values);
    return rest;
}

static const struct {
    const char *arch, *sharing;
    int size, width, group, atoms;
} cases[] = {
    {"conv4", "group-net", 16, 8, 8, 5},     /* fewer columns than rows */
    {"conv4", "group-net", 16, 8, 4, 7},     /* more */
    {"conv6", "group-stage", 20, 8, 4, 3},   /* stages of one and two layers */
    {"conv4", "group-layer", 16, 16, 8, 16}, /* more atoms than taps */
    {"conv4", "group-net", 16, 8, 4, 16},    /* exact */
};

START_TEST(test_decomposition_is_the_best) {
    const char *sharing = cases[_i].sharing;
    adatom_model *model = create((adatom_model_params){.size = sizeof(adatom_model_params),
                                                       .arch = cases[_i].arch,
                                                       .sharing = ADATOM_SHARING_NONE,
                                                       .image_size = cases[_i].size,
                                                       .width = cases[_i].width,
                                                       .classes = 3,
                                                       .seed = 3});
    adatom_model *d = decomposed(model, sharing, cases[_i].group, cases[_i].atoms, false);
    const bool net = strcmp(sharing, "group-net") == 0;
    double all = 0;
    for (int stage = net ? 0 : 2; stage <= (net ? 0 : 5);
         stage++) { /* of conv4 and conv6, where the first is ordinary */
        const double rest = least(model, d, stage, cases[_i].group, cases[_i].atoms), got = lost(model, d, stage);
        all += got;
        ck_assert_double_eq_tol(got, rest, 1e-6 + 1e-5 * rest);
    }
    ck_assert((all < 1e-8) == (cases[_i].atoms == cases[_i].group * cases[_i].group));
    adatom_model_destroy(&d);
    adatom_model_destroy(&model);
}
END_TEST

/* The same kernels, atoms of zero, and orthogonal coefficients with a mean square of 1/m. */
START_TEST(test_residual) {
    adatom_model *model = create((adatom_model_params){.size = sizeof(adatom_model_params),
                                                       .arch = "conv4",
                                                       .sharing = ADATOM_SHARING_NONE,
                                                       .image_size = 16,
                                                       .width = 8,
                                                       .classes = 3,
                                                       .seed = 3});
    adatom_model *d = decomposed(model, "group-net", 4, 12, true);
    ck_assert_double_eq(lost(model, d, 0), 0);
    const ad_param *atoms = param(d, "layer3.atoms"), *alpha = param(d, "shared.coefficients");
    for (size_t e = 0; e < atoms->count; e++) ck_assert_float_eq(d->values[atoms->offset + e], 0);
    for (size_t a = 0; a < 12; a++)
        for (size_t b = 0; b <= a; b++) {
            double product = 0;
            for (size_t c = 0; c < 4; c++)
                for (size_t o = 0; o < 4; o++)
                    product += (double)d->values[alpha->offset + (c * 12 + a) * 4 + o] *
                               (double)d->values[alpha->offset + (c * 12 + b) * 4 + o];
            ck_assert_double_eq_tol(product, a == b ? 16.0 / 12 : 0, 1e-5);
        }
    adatom_model_destroy(&d);
    adatom_model_destroy(&model);
}
END_TEST

START_TEST(test_refused) {
    adatom_model *model = create((adatom_model_params){.size = sizeof(adatom_model_params),
                                                       .sharing = ADATOM_SHARING_NONE,
                                                       .image_size = 16,
                                                       .width = 8}),
                 *out = model;
    static const struct {
        adatom_decompose_params params;
        const char *says;
    } bad[] = {
        {{.sharing = ADATOM_SHARING_GROUP_NET, .group = 4, .atoms = 17},
         "17 atoms are more than the 16 pairs of channels of two groups"},
        {{.sharing = ADATOM_SHARING_GROUP_NET, .group = 16},
         "groups of 16 channels do not divide the 8 channels of layer2"},
        {{.sharing = ADATOM_SHARING_GROUP_NET, .decompose_first = true}, "reads 3 channels"},
        {{.sharing = ADATOM_SHARING_STAGE, .group = 4}, "sharing stage has no groups"},
    };
    for (size_t i = 0; i < AD_COUNT(bad); i++) {
        adatom_decompose_params params = bad[i].params;
        params.size = sizeof params;
        ck_assert_int_eq(adatom_model_decompose(model, &params, &out), ADATOM_USAGE);
        ck_assert_ptr_null(out);
        ck_assert_msg(strstr(adatom_context_message(ctx), bad[i].says), "'%s' lacks '%s'", adatom_context_message(ctx),
                      bad[i].says);
    }
    adatom_model_destroy(&model);
}
END_TEST

/* Engines rely on it: groups divide the channels and are a multiple of 4; some operations have none. */
START_TEST(test_refused_plans) {
    static const struct {
        int kind;
        ad_geometry g;
    } bad[] = {{AD_OP_DEPTH, {.c = 8, .o = 12, .group = 8}},     {AD_OP_COMPOSE, {.c = 12, .o = 8, .group = 8}},
               {AD_OP_DEPTH_DX, {.c = 12, .o = 12, .group = 6}}, {AD_OP_DEPTH_DPSI, {.c = 8, .o = 8, .group = -4}},
               {AD_OP_ATOMS, {.c = 8, .o = 8, .group = 4}},      {AD_OP_PACK, {.c = 8, .o = 8, .group = 4}},
               {AD_OP_FUSED_ATOMS, {.c = 8, .o = 8, .group = 4}}};
    for (size_t i = 0; i < AD_COUNT(bad); i++) {
        ad_plan *plan = ad_plan_create(ctx, 1);
        ad_plan_op(ctx, plan, AD_SEGMENT_STEP, bad[i].kind)->g = bad[i].g;
        ck_assert_int_eq(ad_plan_validate(ctx, plan), ADATOM_USAGE);
        ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "cannot have groups"));
        ad_plan_destroy(&plan);
    }
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("groups");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_layout);
    tcase_add_loop_test(tests, test_edited_files, 0, AD_COUNT(edits));
    tcase_add_loop_test(tests, test_decomposition_is_the_best, 0, AD_COUNT(cases));
    tcase_add_test(tests, test_residual);
    tcase_add_test(tests, test_refused);
    tcase_add_test(tests, test_refused_plans);
    Suite *suite = suite_create("groups");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}
