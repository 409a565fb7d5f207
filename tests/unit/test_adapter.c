/* Adapters through the public API, on the CPU engine: what is fitted, kept, loaded and merged gives the same
 * answers. */
#include "fewshot/adapter.h"
#include "tests/choices.h"
#include "tests/run_suite.h"

#include <adatom/transfer.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static adatom_context *ctx;
static adatom_device *device;
static adatom_dataset *pictures;
static adatom_model *model, *other;

static void setup(void) {
    OK(adatom_context_create(NULL, &ctx));
    const adatom_device_params cpu = {.size = sizeof(adatom_device_params), .select = "cpu"};
    OK(adatom_device_open(ctx, &cpu, &device));
    const adatom_dataset_params p = {
        .size = sizeof(adatom_dataset_params), .image_size = 16, .split = "val", .builtin_per_class = 3};
    OK(adatom_dataset_open(ctx, "builtin:shapes", &p, &pictures));
    adatom_model_params m = {.size = sizeof(adatom_model_params), .image_size = 16, .width = 8, .atoms = 4, .seed = 3};
    OK(adatom_model_create(ctx, &m, &model));
    m.seed = 4;
    OK(adatom_model_create(ctx, &m, &other));
}

static void teardown(void) {
    adatom_model_destroy(&model);
    adatom_model_destroy(&other);
    adatom_dataset_destroy(&pictures);
    adatom_device_destroy(&device);
    adatom_context_destroy(&ctx);
}

static adatom_adapter *fit(const adatom_method *method, const char *estimate) {
    const adatom_fit_params p = {
        .size = sizeof(adatom_fit_params), .method = method, .estimate = estimate_of(estimate)};
    adatom_adapter *adapter;
    OK(adatom_adapter_fit(device, model, pictures, &p, &adapter));
    return adapter;
}

static adatom_predictions *classify(const adatom_model *of, const adatom_adapter *adapter) {
    adatom_predictions *predictions;
    OK(adatom_classify(device, of, pictures,
                       &(adatom_classify_params){.size = sizeof(adatom_classify_params),
                                                 .adapters = &adapter,
                                                 .adapter_count = adapter ? 1 : 0},
                       &predictions));
    return predictions;
}

/* Largest difference of any probability. */
static double difference(const adatom_predictions *a, const adatom_predictions *b) {
    adatom_predictions_info info = ADATOM_INIT(adatom_predictions_info);
    double most = 0;
    adatom_predictions_describe(a, &info);
    for (size_t i = 0; i < info.images; i++) {
        int n, m;
        const float *x = adatom_predictions_get(a, 0, i, &n), *y = adatom_predictions_get(b, 0, i, &m);
        double sum = 0;
        ck_assert_int_eq(n, m);
        for (int c = 0; c < n; c++) {
            most = fmax(most, fabs((double)x[c] - (double)y[c]));
            sum += (double)x[c];
        }
        ck_assert_double_eq_tol(sum, 1, 1e-5);
    }
    return most;
}

static int best(const adatom_predictions *predictions, int image) {
    int classes, found = 0;
    const float *p = adatom_predictions_get(predictions, 0, (size_t)image, &classes);
    ck_assert_int_eq(classes, 16);
    for (int c = 1; c < classes; c++)
        if (p[c] > p[found]) found = c;
    return found;
}

/* Pictures of which they say different things. */
static int best_differ(const adatom_predictions *a, const adatom_predictions *b) {
    int count = 0;
    for (int i = 0; i < 48; i++) count += best(a, i) != best(b, i);
    return count;
}

START_TEST(test_fitted_as_classified) {
    /* What the program of adaptation says of its own pictures, classification says too: parameters, statistics and head
     * arrived. */
    static const char *const policies[] = {"frozen", "support"};
    for (int b = 0; b < 2; b++) {
        const adatom_method method = {
            .size = sizeof(adatom_method), .adapt = (adatom_adapt_kind)_i, .steps = 3, .bn = bn_of(policies[b])};
        adatom_adapter *adapter = fit(&method, "none");
        adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
        adatom_adapter_describe(adapter, &a);
        ck_assert_int_eq(a.fitted, 48);
        adatom_predictions *predictions = classify(model, adapter);
        int right = 0;
        for (int i = 0; i < 48; i++) right += best(predictions, i) == i / 3;
        ck_assert_msg(right == a.fitted_right, "%s, %s: %d of 48 classified, %d while adapting",
                      adatom_adapt_kind_name(method.adapt), policies[b], right, a.fitted_right);
        adatom_predictions_destroy(&predictions);
        adatom_adapter_destroy(&adapter);
    }
}
END_TEST

/* Heads of a frozen backbone are started by the host, from the features: where the program starts them that computes
 * its own. */
START_TEST(test_heads_start_alike) {
    static const char *const kinds[] = {"linear", "cosine"};
    for (int k = 0; k < 2; k++) {
        const adatom_method alone = {.size = sizeof(adatom_method),
                                     .adapt = ADATOM_ADAPT_HEAD,
                                     .head = head_of(kinds[k]),
                                     .lr = -1,
                                     .steps = 1},
                            within = {.size = sizeof(adatom_method),
                                      .adapt = ADATOM_ADAPT_NORM,
                                      .head = head_of(kinds[k]),
                                      .lr = -1,
                                      .lr_norm = -1,
                                      .steps = 1};
        adatom_adapter *a = fit(&alone, "none"), *b = fit(&within, "none");
        adatom_predictions *x = classify(model, a), *y = classify(model, b);
        ck_assert_double_lt(difference(x, y), 1e-3);
        adatom_predictions_destroy(&x);
        adatom_predictions_destroy(&y);
        adatom_adapter_destroy(&a);
        adatom_adapter_destroy(&b);
    }
}
END_TEST

/* What the estimate answered is what its counts say; files do not keep it. */
static void check_answers(const adatom_adapter *adapter, const adatom_adapter *loaded) {
    size_t images = 1;
    int right = 0, tested = 0;
    ck_assert_ptr_null(adatom_adapter_answers(loaded, &images));
    ck_assert_uint_eq(images, 0);
    const int32_t *answers = adatom_adapter_answers(adapter, &images);
    ck_assert_uint_eq(images, 48);
    for (int c = 0; c < 16; c++) {
        adatom_adapter_class class = ADATOM_INIT(adatom_adapter_class);
        const char *name;
        size_t first, count;
        int of_class = 0;
        OK(adatom_adapter_get_class(adapter, c, &class));
        OK(adatom_dataset_class(pictures, c, &name, &first, &count));
        for (size_t i = first; i < first + count; i++) {
            ck_assert_int_lt(answers[i], 16);
            tested += answers[i] >= 0;
            of_class += answers[i] == c;
        }
        ck_assert_int_eq(of_class, class.right);
        right += of_class;
    }
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    adatom_adapter_describe(adapter, &a);
    ck_assert_int_eq(tested, a.tested);
    ck_assert_int_eq(right, a.right);
}

START_TEST(test_save_load_merge) {
    char folder[64], command[96];
    snprintf(folder, sizeof folder, "/tmp/adatom-adapter-%d", (int)getpid());
    const adatom_method method = {
        .size = sizeof(adatom_method), .adapt = (adatom_adapt_kind)_i, .steps = 3, .head = ADATOM_HEAD_LINEAR};
    adatom_adapter *adapter = fit(&method, "leave-one-out"), *loaded;
    OK(adatom_adapter_save(adapter, folder));
    OK(adatom_adapter_load(ctx, folder, &loaded));
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info), b = ADATOM_INIT(adatom_adapter_info);
    adatom_adapter_describe(adapter, &a);
    adatom_adapter_describe(loaded, &b);
    ck_assert_str_eq(a.hash, b.hash);
    ck_assert_str_eq(a.config_json, b.config_json);
    ck_assert_int_eq(a.tested, 48);
    check_answers(adapter, loaded);
    ck_assert(a.low <= a.accuracy && a.accuracy <= a.high);
    adatom_predictions *x = classify(model, adapter), *y = classify(model, loaded);
    ck_assert_double_eq(difference(x, y), 0);
    adatom_predictions_destroy(&y);

    adatom_model *merged;
    OK(adatom_adapter_merge(adapter, model, &merged));
    y = classify(merged, NULL);
    ck_assert_double_le(difference(x, y), 1e-5);
    adatom_model_info names = ADATOM_INIT(adatom_model_info);
    adatom_adapter_class second = ADATOM_INIT(adatom_adapter_class);
    char named[64];
    adatom_model_describe(merged, &names);
    OK(adatom_adapter_get_class(adapter, 1, &second));
    snprintf(named, sizeof named, ",\"%s\"", second.name);
    ck_assert_ptr_nonnull(strstr(strstr(names.notes, "\"classes\":[\""), named));
    const adatom_adapter *const one[] = {adapter};
    adatom_predictions *none;
    adatom_model *nothing;
    ck_assert_int_eq(adatom_classify(device, other, pictures,
                                     &(adatom_classify_params){
                                         .size = sizeof(adatom_classify_params), .adapters = one, .adapter_count = 1},
                                     &none),
                     ADATOM_BAD_DATA);
    ck_assert_int_eq(adatom_adapter_merge(adapter, other, &nothing), ADATOM_BAD_DATA);
    adatom_predictions_destroy(&x);
    adatom_predictions_destroy(&y);
    adatom_model_destroy(&merged);
    adatom_adapter_destroy(&adapter);
    adatom_adapter_destroy(&loaded);
    snprintf(command, sizeof command, "%s/adapter.safetensors", folder);
    unlink(command);
    snprintf(command, sizeof command, "%s/adapter_config.json", folder);
    unlink(command);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing else was left there */
}
END_TEST

START_TEST(test_movement) {
    const double rate = 0.002;
    const adatom_method method = {
        .size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_ATOMS, .steps = 2, .lr_atoms = (float)rate};
    adatom_adapter *adapter = fit(&method, "none");
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    adatom_adapter_describe(adapter, &a);
    ck_assert_int_eq(a.tensors, 3);
    ck_assert_uint_eq(a.adapted, 3 * 4 * 9);
    for (int i = 0; i < a.tensors; i++) {
        adatom_adapter_tensor t = ADATOM_INIT(adatom_adapter_tensor);
        float before[36], after[36];
        double moved = 0, length = 0;
        OK(adatom_adapter_get_tensor(adapter, model, i, &t));
        ck_assert_int_eq(adatom_adapter_read_tensor(adapter, model, i, before, after, 35), ADATOM_USAGE);
        OK(adatom_adapter_read_tensor(adapter, model, i, before, after, 36));
        ck_assert(t.atoms && t.elements == 36);
        for (int e = 0; e < 36; e++) {
            moved += ((double)after[e] - (double)before[e]) * ((double)after[e] - (double)before[e]);
            length += (double)before[e] * (double)before[e];
            /* Adam's first steps are as long as the rate. */
            ck_assert_double_le(fabs((double)after[e] - (double)before[e]), 2 * rate * 1.01);
        }
        ck_assert(moved > 0);
        ck_assert_double_eq_tol(t.moved, sqrt(moved), 1e-9);
        ck_assert_double_eq_tol(t.relative, sqrt(moved / length), 1e-9);
    }
    adatom_adapter_tensor t = ADATOM_INIT(adatom_adapter_tensor);
    ck_assert_int_eq(adatom_adapter_get_tensor(adapter, model, 3, &t), ADATOM_USAGE);
    ck_assert_int_eq(adatom_adapter_get_tensor(adapter, other, 0, &t), ADATOM_BAD_DATA);
    adatom_adapter_destroy(&adapter);
}
END_TEST

START_TEST(test_lowrank_movement) {
    /* What a low-rank adapter moves are kernels, those that have no atoms too: here 3x3x3x8 and three times 8x8x3x3. */
    const adatom_method method = {.size = sizeof(adatom_method), .adapt = (adatom_adapt_kind)_i, .steps = 3, .rank = 2};
    adatom_adapter *adapter = fit(&method, "none");
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    adatom_adapter_describe(adapter, &a);
    const uint64_t gains = _i == ADATOM_ADAPT_LORA ? 0 : _i == ADATOM_ADAPT_DORA ? 4 * 8 : 4 * 8 + 3 + 3 * 8;
    ck_assert_int_eq(a.tensors, 4);
    ck_assert_uint_eq(a.adapted, 2 * (9 * (3 + 3 * 8) + 4 * 8) + gains);
    adatom_model *merged;
    OK(adatom_adapter_merge(adapter, model, &merged));
    for (int i = 0; i < 4; i++) {
        static const char *const layers[] = {"layer1.conv", "layer2.conv", "layer3.conv", "layer4.conv"};
        adatom_adapter_tensor t = ADATOM_INIT(adatom_adapter_tensor);
        float before[576], after[576], kernel[576];
        double distance;
        size_t count;
        OK(adatom_adapter_get_tensor(adapter, model, i, &t));
        OK(adatom_adapter_read_tensor(adapter, model, i, before, after, 576));
        ck_assert_str_eq(t.name, layers[i]);
        ck_assert(!t.atoms && t.rank == 4 && t.shape[0] == 8 && t.shape[1] == (i ? 8 : 3) && t.shape[2] == 3 &&
                  t.shape[3] == 3);
        ck_assert(t.relative > 1e-4 && t.relative < 0.2);
        for (int layer = 0, conv = 0; conv <= i; layer++) { /* the same as the merged model says */
            adatom_layer_info info = ADATOM_INIT(adatom_layer_info);
            OK(adatom_model_layer(model, layer, &info));
            if (strcmp(info.kind, "conv") != 0 || conv++ < i) continue;
            OK(adatom_model_kernel(model, layer, kernel, 576, &count));
            ck_assert(count == t.elements && memcmp(kernel, before, count * sizeof *kernel) == 0);
            OK(adatom_model_kernel(merged, layer, kernel, 576, &count));
            ck_assert(count == t.elements && memcmp(kernel, after, count * sizeof *kernel) == 0);
            OK(adatom_model_distance(model, merged, layer, &distance));
            ck_assert_double_eq_tol(distance, t.relative, 1e-6);
        }
    }
    adatom_model_destroy(&merged);
    adatom_adapter_destroy(&adapter);
}
END_TEST

START_TEST(test_lowrank_of_residual) {
    /* Where the kernel is the sum of a kept one and of atoms; statistics of the support set besides. */
    const adatom_decompose_params residual = {.size = sizeof(adatom_decompose_params), .residual = true, .atoms = 5};
    const adatom_method
        atoms = {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_ATOMS, .steps = 4, .head = ADATOM_HEAD_LINEAR},
        lora = {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_LORA, .steps = 3, .bn = ADATOM_BN_SUPPORT};
    adatom_model *start, *moved, *merged;
    adatom_adapter *adapter;
    OK(adatom_model_decompose(model, &residual, &start));
    const adatom_fit_params p = {.size = sizeof(adatom_fit_params), .method = &atoms, .estimate = ADATOM_ESTIMATE_NONE},
                            q = {.size = sizeof q, .method = &lora, .estimate = ADATOM_ESTIMATE_NONE};
    OK(adatom_adapter_fit(device, start, pictures, &p, &adapter));
    OK(adatom_adapter_merge(adapter, start, &moved));
    adatom_adapter_destroy(&adapter);
    OK(adatom_adapter_fit(device, moved, pictures, &q, &adapter));
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    adatom_adapter_describe(adapter, &a);
    ck_assert_int_eq(a.tensors, 4 + 8); /* kernels; means and variances */
    OK(adatom_adapter_merge(adapter, moved, &merged));
    adatom_predictions *x = classify(moved, adapter), *y = classify(merged, NULL);
    ck_assert_int_eq(best_differ(x, y), 0);
    int right = 0;
    for (int i = 0; i < 48; i++) right += best(x, i) == i / 3;
    ck_assert_int_eq(right, a.fitted_right);
    adatom_predictions_destroy(&x);
    adatom_predictions_destroy(&y);
    adatom_model_destroy(&start);
    adatom_model_destroy(&moved);
    adatom_model_destroy(&merged);
    adatom_adapter_destroy(&adapter);
}
END_TEST

START_TEST(test_hostile_numbers) {
    /* Finite one by one, as the loader asks for, and yet no network. */
    const adatom_method lora = {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_LORA, .steps = 1},
                        norm = {.size = sizeof(adatom_method),
                                .adapt = ADATOM_ADAPT_NORM,
                                .steps = 1,
                                .bn = ADATOM_BN_SUPPORT};
    adatom_adapter *adapter = fit(&lora, "none");
    const adatom_adapter *const *list = (const adatom_adapter *const *)&adapter;
    adatom_predictions *predictions;
    adatom_model *merged;
    for (size_t e = 0; e < adapter->tensors[0].elements; e++) adapter->tensors[0].values[e] = 3e38f;
    for (size_t e = 0; e < adapter->tensors[1].elements; e++) adapter->tensors[1].values[e] = 3e38f;
    ck_assert_int_eq(adatom_adapter_merge(adapter, model, &merged), ADATOM_BAD_DATA);
    ck_assert(merged == NULL && strstr(adatom_context_message(ctx), "layer1.conv") != NULL);
    ck_assert_int_eq(adatom_classify(device, model, pictures,
                                     &(adatom_classify_params){
                                         .size = sizeof(adatom_classify_params), .adapters = list, .adapter_count = 1},
                                     &predictions),
                     ADATOM_BAD_DATA);
    adatom_adapter_destroy(&adapter);
    adapter = fit(&norm, "none");
    for (int i = 0; i < adapter->count; i++)
        if (strcmp(adapter->tensors[i].name, "layer3.norm.running_var") == 0) adapter->tensors[i].values[5] = -1;
    ck_assert_int_eq(adatom_classify(device, model, pictures,
                                     &(adatom_classify_params){
                                         .size = sizeof(adatom_classify_params), .adapters = list, .adapter_count = 1},
                                     &predictions),
                     ADATOM_BAD_DATA);
    ck_assert_msg(strstr(adatom_context_message(ctx), "'layer3.norm.running_var' has the variance -1 at element 5") !=
                      NULL,
                  "%s", adatom_context_message(ctx));
    adatom_adapter_destroy(&adapter);
}
END_TEST

START_TEST(test_merged_cosine) {
    /* As a linear layer: the same classes, and the same logits of normalised features. */
    const char *const methods[] = {"atoms", "centroid", "lora"};
    const adatom_method method = {
        .size = sizeof(adatom_method), .adapt = adapt_of(methods[_i]), .steps = 5, .distance = ADATOM_DISTANCE_COSINE};
    adatom_adapter *adapter = fit(&method, "none");
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    adatom_adapter_describe(adapter, &a);
    ck_assert(a.cosine);
    adatom_model *merged;
    OK(adatom_adapter_merge(adapter, model, &merged));
    adatom_predictions *x = classify(model, adapter), *y = classify(merged, NULL);
    ck_assert_int_eq(best_differ(x, y), 0);
    float features[48 * 8], logits[48 * 16];
    uint8_t *pixels = malloc(48 * 16 * 16 * 3);
    for (size_t i = 0; i < 48; i++) memcpy(pixels + i * 16 * 16 * 3, adatom_dataset_pixels(pictures, i), 16 * 16 * 3);
    ck_assert_int_eq(a.features, 8);
    const adatom_run_params run = {.size = sizeof run, .pixels = pixels, .count = 48};
    adatom_run_outputs outputs = {.size = sizeof outputs,
                                  .features = features,
                                  .features_capacity = 48 * 8,
                                  .logits = logits,
                                  .logits_capacity = 48 * 16 - 1};
    ck_assert_int_eq(adatom_model_run(device, merged, &run, &outputs), ADATOM_USAGE);
    outputs.logits_capacity = 48 * 16;
    OK(adatom_model_run(device, merged, &run, &outputs));
    free(pixels);
    for (size_t i = 0; i < 48; i++) {
        int classes;
        const float *p = adatom_predictions_get(x, 0, i, &classes);
        double length = 0, sum = 0;
        for (int f = 0; f < 8; f++) length += (double)features[8 * i + (size_t)f] * (double)features[8 * i + (size_t)f];
        for (int c = 0; c < 16; c++) sum += exp((double)logits[16 * i + (size_t)c] / sqrt(length));
        for (int c = 0; c < 16; c++)
            ck_assert_double_eq_tol((double)p[c], exp((double)logits[16 * i + (size_t)c] / sqrt(length)) / sum, 1e-5);
    }
    adatom_predictions_destroy(&x);
    adatom_predictions_destroy(&y);
    adatom_model_destroy(&merged);
    adatom_adapter_destroy(&adapter);
}
END_TEST

START_TEST(test_tasks_at_once) {
    /* The estimate does not depend on how many of its parts run at once. */
    static const char *const estimates[] = {"leave-one-out", "folds", "holdout"};
    char first[4096] = "";
    for (int at_once = 1; at_once <= 5; at_once += 2) {
        const adatom_method method = {
            .size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_ATOMS, .steps = 2, .tasks_at_once = at_once};
        adatom_adapter *adapter = fit(&method, estimates[_i]);
        adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
        adatom_adapter_describe(adapter, &a);
        ck_assert_int_eq(a.tested, _i < 2 ? 48 : 16);
        if (at_once == 1)
            snprintf(first, sizeof first, "%s", a.config_json);
        else
            ck_assert_int_eq(strncmp(first, a.config_json, sizeof first - 1), 0);
        adatom_adapter_destroy(&adapter);
    }
}
END_TEST

START_TEST(test_refused_shift) {
    /* A shift outside its range is refused, and not drawn from a range of no size. */
    static const int shifts[] = {-1, 1025};
    const adatom_fit_params p = {
        .size = sizeof(adatom_fit_params), .augment = ADATOM_AUGMENT_SHIFT, .shift = shifts[_i]};
    adatom_adapter *adapter;
    ck_assert_int_eq(adatom_adapter_fit(device, model, pictures, &p, &adapter), ADATOM_USAGE);
    ck_assert_ptr_null(adapter);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("adapter");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_fitted_as_classified, 1, SOLVED_KINDS);
    tcase_add_loop_test(tests, test_save_load_merge, 1, SOLVED_KINDS);
    tcase_add_test(tests, test_heads_start_alike);
    tcase_add_test(tests, test_movement);
    tcase_add_loop_test(tests, test_lowrank_movement, ADATOM_ADAPT_LORA, ADATOM_ADAPT_BORA + 1);
    tcase_add_test(tests, test_lowrank_of_residual);
    tcase_add_test(tests, test_hostile_numbers);
    tcase_add_loop_test(tests, test_merged_cosine, 0, 3);
    tcase_add_loop_test(tests, test_tasks_at_once, 0, 3);
    tcase_add_loop_test(tests, test_refused_shift, 0, 2);
    Suite *suite = suite_create("adapter");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
