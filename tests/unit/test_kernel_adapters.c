/* What adapts of networks of depthwise, grouped and 1x1 convolutions: which convolutions have adapters of kernels, and
 * what is fitted, kept, loaded and merged gives the same answers on the CPU engine; norms of both kinds; residual atoms
 * of depthwise kernels. */
#include "compile/build.h"
#include "fewshot/adapter.h"
#include "tests/choices.h"
#include "tests/remove_tree.h"
#include "tests/run_suite.h"

#include <adatom/transfer.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 32, CLASSES = 16, EACH = 1 };

static const char *const archs[] = {"efficientnet_b0", "convnext_atto", "mobilenet_v2", "resnext50_32x4d"};
enum { FITTED = 2 /* of them, the smallest */ };
static adatom_context *ctx;
static adatom_device *device;
static adatom_dataset *pictures;
static adatom_model *model;

static void begin(const char *arch) {
    OK(adatom_context_create(NULL, &ctx));
    const adatom_device_params cpu = {.size = sizeof(adatom_device_params), .select = "cpu"};
    OK(adatom_device_open(ctx, &cpu, &device));
    const adatom_dataset_params p = {
        .size = sizeof(adatom_dataset_params), .image_size = SIZE, .split = "val", .builtin_per_class = EACH};
    OK(adatom_dataset_open(ctx, "builtin:shapes", &p, &pictures));
    const adatom_model_params m = {.size = sizeof(adatom_model_params),
                                   .arch = arch,
                                   .sharing = ADATOM_SHARING_NONE,
                                   .image_size = SIZE,
                                   .seed = 3};
    OK(adatom_model_create(ctx, &m, &model));
}

static void end(void) {
    adatom_model_destroy(&model);
    adatom_dataset_destroy(&pictures);
    adatom_device_destroy(&device);
    adatom_context_destroy(&ctx);
}

static adatom_predictions *classify(const adatom_model *of, const adatom_adapter *adapter) {
    adatom_predictions *predictions;
    const adatom_classify_params p = {
        .size = sizeof p, .adapters = &adapter, .adapter_count = adapter ? 1 : 0, .batch = 7};
    OK(adatom_classify(device, of, pictures, &p, &predictions));
    return predictions;
}

static int best(const adatom_predictions *predictions, int image) {
    int classes, found = 0;
    const float *p = adatom_predictions_get(predictions, 0, (size_t)image, &classes);
    ck_assert_int_eq(classes, CLASSES);
    for (int c = 1; c < classes; c++)
        if (p[c] > p[found]) found = c;
    return found;
}

/* Each tensor of the adapter moved something; returns how many are of convolutions that are `pointwise`, and of others.
 */
static void check_moves(const adatom_adapter *adapter, int count[2]) {
    adatom_adapter_info info = ADATOM_INIT(adatom_adapter_info);
    adatom_adapter_describe(adapter, &info);
    count[0] = count[1] = 0;
    for (int i = 0; i < info.tensors; i++) {
        adatom_adapter_tensor t = ADATOM_INIT(adatom_adapter_tensor);
        OK(adatom_adapter_get_tensor(adapter, model, i, &t));
        ck_assert_msg(t.moved > 0 && isfinite(t.moved), "%s moved by %g", t.name, t.moved);
        count[t.rank == 4 && t.shape[2] > 1]++;
        float *before = malloc(2 * t.elements * sizeof *before);
        OK(adatom_adapter_read_tensor(adapter, model, i, before, before + t.elements, t.elements));
        free(before);
    }
}

START_TEST(same_answers) {
    static const adatom_adapt_kind kinds[] = {ADATOM_ADAPT_BORA, ADATOM_ADAPT_TSA};
    /* Tensors of pointwise kernels (TSA: projections, and the alignment) and of larger ones. */
    static const int counts[FITTED][2][2] = {{{64, 1}, {17, 16}}, {{24, 4}, {13, 15}}};
    begin(archs[_i]);
    for (size_t k = 0; k < AD_COUNT(kinds); k++) {
        const adatom_method method = {
            .size = sizeof method, .adapt = kinds[k], .steps = 1, .rank = 2, .lr_adapter = 1e-3f};
        const adatom_fit_params p = {.size = sizeof p, .method = &method, .estimate = ADATOM_ESTIMATE_NONE};
        adatom_adapter *adapter, *loaded;
        adatom_adapter_info info = ADATOM_INIT(adatom_adapter_info);
        adatom_model *merged;
        char folder[] = "/tmp/adatom_kernel_adapters_XXXXXX";
        int moved[2], right = 0;
        OK(adatom_adapter_fit(device, model, pictures, &p, &adapter));
        adatom_adapter_describe(adapter, &info);
        check_moves(adapter, moved);
        const int *want = counts[_i][kinds[k] == ADATOM_ADAPT_TSA];
        ck_assert_msg(moved[0] == want[0] && moved[1] == want[1], "%s %s: %d and %d kernels", archs[_i], info.method,
                      moved[0], moved[1]);
        ck_assert_ptr_nonnull(mkdtemp(folder));
        OK(adatom_adapter_save(adapter, folder));
        OK(adatom_adapter_load(ctx, folder, &loaded));
        OK(adatom_adapter_merge(loaded, model, &merged));
        adatom_predictions *x = classify(model, loaded), *y = classify(merged, NULL);
        for (int i = 0; i < CLASSES * EACH; i++) {
            right += best(x, i) == i / EACH;
            ck_assert_int_eq(best(x, i), best(y, i));
        }
        ck_assert_int_eq(right, info.fitted_right);
        adatom_predictions_destroy(&x);
        adatom_predictions_destroy(&y);
        adatom_model_destroy(&merged);
        adatom_adapter_destroy(&loaded);
        adatom_adapter_destroy(&adapter);
        ck_assert_int_eq(remove_tree(folder), 0);
    }
    end();
}
END_TEST

/* The numbers of a file's tensors go to different places of the block, within their part. */
START_TEST(places) {
    static const ad_lowrank hows[] = {{AD_LOWRANK_BORA, 3, 1}, {AD_LOWRANK_TSA, 0, 1}};
    begin(archs[_i]);
    const ad_network *net = &model->net;
    for (int i = 0; i < net->node_count; i++)
        for (size_t k = 0; k < AD_COUNT(hows); k++) {
            const ad_node *node = &net->nodes[i];
            const ad_lowrank *how = &hows[k];
            if (!ad_lowrank_adapts(how->kind, node)) continue;
            ad_lowrank_layer layer = {.node = i, .b = ad_lowrank_a_count(node, how)};
            layer.gain[0] = layer.b + ad_lowrank_b_count(node, how);
            layer.gain[1] = layer.gain[0] + (size_t)node->o;
            const size_t size = layer.gain[1] + (size_t)node->c;
            char *taken = calloc(size, 1);
            uint64_t all = 0;
            for (int part = 0; part < ad_lowrank_parts(how->kind); part++) {
                char name[AD_PARAM_NAME];
                int64_t shape[4];
                size_t elements = 1;
                const int rank = ad_lowrank_file(node, how, part, name, shape);
                for (int d = 0; d < rank; d++) elements *= (size_t)shape[d];
                for (size_t e = 0; e < elements; e++) {
                    const size_t at = ad_lowrank_at(node, how, &layer, part, e);
                    ck_assert_msg(at < size && !taken[at], "%s: number %zu", name, e);
                    taken[at] = 1;
                }
                all += elements;
            }
            ck_assert_uint_eq(all, ad_lowrank_parameters(node, how));
            free(taken);
        }
    end();
}
END_TEST

/* Numbers that adapt of a plan with these roles, without the classifier. */
static uint64_t adapted(unsigned roles) {
    static const int32_t chunks[] = {4};
    ad_built built;
    const ad_build_params p = {.net = &model->net,
                               .tasks = 1,
                               .way = 2,
                               .adapt = roles,
                               .support = 2,
                               .query = 2,
                               .query_rounds = 1,
                               .steps = 1,
                               .head = AD_HEAD_COSINE,
                               .head_init = AD_HEAD_MEANS,
                               .cosine_scale = 10,
                               .data_size = SIZE,
                               .chunks = chunks,
                               .chunk_count = 1};
    OK(ad_build(ctx, &p, &built));
    const uint64_t count = built.adapted_logical - 2 * (uint64_t)model->net.features;
    ad_built_clear(&built);
    return count;
}

/* Norm is scale and shift of batch norms and of layer norms, not the factors before residual sums; full is everything.
 */
START_TEST(roles) {
    begin(archs[_i]);
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &info);
    uint64_t norms = 0;
    for (int i = 0; i < model->net.node_count; i++) {
        const ad_node *node = &model->net.nodes[i];
        if (node->kind == AD_NODE_LAYER_NORM || (node->kind == AD_NODE_NORM && node->gamma >= 0))
            norms += 2 * (uint64_t)model->net.params[node->gamma].c;
    }
    ck_assert_uint_gt(norms, 1000);
    ck_assert_uint_eq(adapted(1u << AD_ROLE_NORM), norms);
    ck_assert_uint_eq(adapted((1u << AD_ROLE_STATISTICS) - 1 - (1u << AD_ROLE_HEAD)), info.parameters);
    end();
}
END_TEST

/* Residual: the kernels are those of before, the atoms zero, and the coefficients of a depthwise layer orthogonal
 * columns (singular vectors) of mean square 1/m. Replaced with k*k atoms a depthwise kernel is itself up to rounding.
 */
START_TEST(depthwise_atoms) {
    begin(archs[_i]);
    const adatom_decompose_params residual = {.size = sizeof residual, .residual = true, .atoms = 9},
                                  replaced = {.size = sizeof replaced, .atoms = 9};
    adatom_model *beside, *instead = NULL;
    int depthwise = 0;
    OK(adatom_model_decompose(model, &residual, &beside));
    if (strcmp(archs[_i], "mobilenet_v2") == 0) OK(adatom_model_decompose(model, &replaced, &instead));
    for (int i = 1; i < beside->net.node_count; i++) {
        const ad_node *node = &beside->net.nodes[i];
        double distance;
        if (node->kind != AD_NODE_CONV) continue;
        OK(adatom_model_distance(model, beside, i - 1, &distance));
        ck_assert_double_eq(distance, 0);
        if (!ad_node_depthwise(node)) continue;
        depthwise++;
        ck_assert_int_eq(node->m, 9);
        if (instead) OK(adatom_model_distance(model, instead, i - 1, &distance));
        ck_assert_double_lt(distance, 1e-6);
        const ad_param *atoms = &beside->net.params[node->atoms], *shared = &beside->net.params[node->coefficients];
        const float *alpha = beside->values + shared->offset; /* [1][m][o] */
        for (size_t e = 0; e < atoms->count; e++) ck_assert(beside->values[atoms->offset + e] == 0);
        for (int a = 0; a < 9; a++)
            for (int b = 0; b <= a; b++) {
                double dot = 0;
                for (int c = 0; c < node->o; c++)
                    dot += (double)alpha[a * node->o + c] * (double)alpha[b * node->o + c];
                ck_assert_double_eq_tol(dot / node->o, a == b ? 1.0 / 9 : 0, 1e-5);
            }
    }
    ck_assert_int_gt(depthwise, 5);
    adatom_model_destroy(&beside);
    adatom_model_destroy(&instead);
    end();
}
END_TEST

int main(void) {
    TCase *answers = tcase_create("answers"), *adapted_numbers = tcase_create("adapted_numbers");
    tcase_add_loop_test(answers, same_answers, 0, FITTED);
    tcase_add_loop_test(adapted_numbers, places, 0, AD_COUNT(archs));
    tcase_add_loop_test(adapted_numbers, roles, 0, AD_COUNT(archs));
    tcase_add_loop_test(adapted_numbers, depthwise_atoms, 0, 3); /* the last has none */
    Suite *suite = suite_create("kernel_adapters");
    suite_add_tcase(suite, answers);
    suite_add_tcase(suite, adapted_numbers);
    return run_suite(suite, CK_NOFORK);
}
