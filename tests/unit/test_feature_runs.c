/* Runs on features: the same as on the pictures that they are of, and runs on features of any width and origin. On the
 * CPU engine, or on Vulkan. */
#include "fewshot/adapter.h"
#include "tests/choices.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"
#include "vk/vk.h"

#include <adatom/features.h>
#include <adatom/train.h>
#include <adatom/transfer.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static adatom_context *ctx;
static adatom_device *device;
static adatom_dataset *pictures, *features;
static adatom_model *model;
static bool vulkan;

static const adatom_dataset_params listed = {
    .size = sizeof listed, .image_size = 16, .split = "val", .builtin_per_class = 6, .seed = 5};

static void setup(void) {
    OK(adatom_context_create(NULL, &ctx));
    const char *index = getenv("ADATOM_TEST_DEVICE");
    const adatom_device_params params = {.size = sizeof params, .select = vulkan ? index ? index : "vulkan" : "cpu"};
    OK(adatom_device_open(ctx, &params, &device));
    OK(adatom_dataset_open(ctx, "builtin:shapes", &listed, &pictures));
    const adatom_model_params m = {.size = sizeof m, .image_size = 16, .width = 8, .atoms = 4, .seed = 3, .classes = 7};
    OK(adatom_model_create(ctx, &m, &model));
    OK(adatom_features_compute(device, model, pictures, NULL, &features));
}

static void teardown(void) {
    adatom_model_destroy(&model);
    adatom_dataset_destroy(&features);
    adatom_dataset_destroy(&pictures);
    adatom_device_destroy(&device);
    adatom_context_destroy(&ctx);
}

static void refused(adatom_status status, adatom_status expected, const char *sentence) {
    ck_assert_msg(status == expected, "%s: %s: %s", sentence, adatom_status_name(status), adatom_context_message(ctx));
    ck_assert_msg(strstr(adatom_context_message(ctx), sentence) != NULL, "'%s' is not in '%s'", sentence,
                  adatom_context_message(ctx));
}

static adatom_dataset_info about(const adatom_dataset *dataset) {
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    OK(adatom_dataset_describe(dataset, &info));
    return info;
}

static adatom_episodes *draw(const adatom_dataset *dataset) {
    const adatom_episodes_params p = {.size = sizeof p, .way = 3, .shot = 2, .query = 4, .tasks = 9, .seed = 11};
    adatom_episodes *list;
    OK(adatom_episodes_create(ctx, dataset, &p, &list));
    return list;
}

/* ---- computing ---- */

START_TEST(features_are_those_of_the_model) {
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &m);
    const adatom_dataset_info p = about(pictures), f = about(features);
    ck_assert_str_eq(p.hash, f.hash);
    ck_assert_str_eq(f.model_hash, m.hash);
    ck_assert_int_eq(f.features, m.features);
    ck_assert_int_eq(f.classes, p.classes);
    ck_assert_uint_eq(f.images, p.images);
    ck_assert_ptr_nonnull(strstr(f.origin, m.hash));
    ck_assert_ptr_nonnull(strstr(f.origin, "\"preprocessing\":{\"size\":16"));
    const size_t count = p.images * (size_t)m.features;
    float *expected = calloc(count, sizeof *expected);
    const adatom_run_params run = {.size = sizeof run, .pixels = adatom_dataset_pixels(pictures, 0), .count = p.images};
    OK(adatom_model_run(
        device, model, &run,
        &(adatom_run_outputs){.size = sizeof(adatom_run_outputs), .features = expected, .features_capacity = count}));
    ck_assert_mem_eq(adatom_dataset_features(features, 0), expected, count * sizeof *expected);
    free(expected);
    for (size_t i = 0; i < p.images; i++)
        ck_assert_str_eq(adatom_dataset_path(features, i), adatom_dataset_path(pictures, i));
}
END_TEST

/* Pictures that are only listed give the same, and are good for nothing else. */
START_TEST(listed_pictures) {
    static const char *const shapes = "builtin:shapes";
    adatom_dataset *list = NULL, *again = NULL, *none = NULL;
    adatom_episodes *episodes = draw(features);
    OK(adatom_dataset_list(ctx, &shapes, 1, true, &listed, &list));
    const adatom_dataset_info l = about(list), p = about(pictures);
    ck_assert(l.listed);
    ck_assert_str_eq(l.hash, "");
    ck_assert_int_eq(l.image_size, 16);
    ck_assert_ptr_null(adatom_dataset_pixels(list, 0));
    OK(adatom_features_compute(device, model, list, NULL, &again));
    const adatom_dataset_info a = about(again);
    ck_assert_str_eq(a.hash, p.hash);
    ck_assert_mem_eq(adatom_dataset_features(again, 0), adatom_dataset_features(features, 0),
                     p.images * (size_t)a.features * sizeof(float));
    adatom_evaluation *evaluation = NULL;
    adatom_adapter *adapter = NULL;
    adatom_predictions *predictions = NULL;
    const adatom_method centroid = {.size = sizeof centroid, .adapt = ADATOM_ADAPT_CENTROID};
    refused(adatom_adapt_episodes(device, model, RUN(list, episodes, centroid), &evaluation), ADATOM_USAGE,
            "only listed");
    refused(adatom_adapter_fit(device, model, list, NULL, &adapter), ADATOM_USAGE, "only listed");
    refused(adatom_classify(device, model, list, NULL, &predictions), ADATOM_USAGE, "only listed");
    refused(adatom_features_compute(device, model, again, NULL, &none), ADATOM_USAGE, "holds features already");
    adatom_dataset_destroy(&again);
    adatom_dataset_destroy(&list);
    adatom_episodes_destroy(&episodes);
}
END_TEST

/* A damaged picture that is taken counts once, however often the features of the listing are computed. */
START_TEST(damaged_pictures_are_counted_anew) {
    char path[] = "/tmp/adatom-features-XXXXXX.ppm";
    const int made = mkstemps(path, 4);
    ck_assert_int_ge(made, 0);
    FILE *file = fdopen(made, "wb");
    fputs("P6 16 16 255\n", file);
    for (int i = 0; i < 16 * 16; i++) fputc(i, file); /* a third of them */
    fclose(file);
    const adatom_dataset_params damaged = {.size = sizeof damaged, .image_size = 16, .allow_truncated = true};
    const char *const one = path;
    adatom_dataset *list = NULL;
    OK(adatom_dataset_list(ctx, &one, 1, true, &damaged, &list));
    for (int k = 0; k < 2; k++) {
        adatom_dataset *of = NULL;
        OK(adatom_features_compute(device, model, list, NULL, &of));
        ck_assert_uint_eq(about(of).damaged, 1);
        adatom_dataset_destroy(&of);
    }
    adatom_dataset_destroy(&list);
    unlink(path);
}
END_TEST

START_TEST(features_under_an_adapter) {
    adatom_adapter *head = NULL, *norm = NULL;
    adatom_dataset *of[2] = {NULL};
    const adatom_method methods[] = {{.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_HEAD, .steps = 2},
                                     {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_NORM, .steps = 2}};
    adatom_adapter **adapters[] = {&head, &norm};
    for (int k = 0; k < 2; k++) {
        const adatom_fit_params p = {.size = sizeof p, .method = &methods[k], .estimate = ADATOM_ESTIMATE_NONE};
        OK(adatom_adapter_fit(device, model, pictures, &p, adapters[k]));
        const adatom_features_params f = {.size = sizeof f, .adapter = *adapters[k]};
        OK(adatom_features_compute(device, model, pictures, &f, &of[k]));
    }
    const size_t bytes = about(features).images * (size_t)about(features).features * sizeof(float);
    ck_assert_str_eq(about(of[0]).model_hash, about(features).model_hash); /* a classifier is no part of the network */
    ck_assert_mem_eq(adatom_dataset_features(of[0], 0), adatom_dataset_features(features, 0), bytes);
    ck_assert_str_ne(about(of[1]).model_hash, about(features).model_hash);
    ck_assert_mem_ne(adatom_dataset_features(of[1], 0), adatom_dataset_features(features, 0), bytes);
    ck_assert_ptr_nonnull(strstr(about(of[1]).origin, "\"adapter\":{"));
    for (int k = 0; k < 2; k++) {
        adatom_dataset_destroy(&of[k]);
        adatom_adapter_destroy(adapters[k]);
    }
}
END_TEST

/* ---- episodes ---- */

START_TEST(episodes_are_those_of_the_pictures) {
    adatom_episodes *a = draw(pictures), *b = draw(features);
    adatom_episodes_info x = ADATOM_INIT(adatom_episodes_info), y = ADATOM_INIT(adatom_episodes_info);
    adatom_episodes_describe(a, &x);
    adatom_episodes_describe(b, &y);
    ck_assert_str_eq(x.hash, y.hash);
    ck_assert_str_eq(x.dataset_hash, y.dataset_hash);
    const adatom_method methods[] = {
        {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_CENTROID},
        {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_CENTROID, .distance = ADATOM_DISTANCE_COSINE},
        {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_HEAD},
        {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_HEAD, .head_init = ADATOM_HEAD_INIT_RANDOM, .seed = 2},
        {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_COSINE, .optimizer = ADATOM_OPTIMIZER_SGD}};
    for (size_t k = 0; k < sizeof methods / sizeof *methods; k++) {
        adatom_evaluation *of[2] = {NULL};
        adatom_evaluation_info e[2] = {ADATOM_INIT(adatom_evaluation_info), ADATOM_INIT(adatom_evaluation_info)};
        OK(adatom_adapt_episodes(device, model, RUN(pictures, a, methods[k]), &of[0]));
        OK(adatom_adapt_episodes(device, NULL, RUN(features, b, methods[k]), &of[1]));
        for (int i = 0; i < 2; i++) adatom_evaluation_describe(of[i], &e[i]);
        ck_assert_mem_eq(e[0].accuracy, e[1].accuracy, 9 * sizeof(float));
        ck_assert_mem_eq(e[0].predictions, e[1].predictions, 9 * 12 * sizeof(int32_t));
        ck_assert_ptr_nonnull(strstr(e[1].config_json, "\"arch\":\"features\""));
        ck_assert_ptr_nonnull(strstr(e[1].config_json, about(features).model_hash));
        for (int i = 0; i < 2; i++) adatom_evaluation_destroy(&of[i]);
    }
    adatom_adapt_plan_info plan = ADATOM_INIT(adatom_adapt_plan_info);
    OK(adatom_adapt_plan(device, NULL, RUN(features, b, methods[2]), &plan));
    ck_assert_uint_gt(plan.arena_bytes, 0);
    const int steps[] = {1, 3};
    adatom_evaluation *after[2];
    OK(adatom_adapt_steps(device, NULL, RUN(features, b, methods[2], .steps = steps, .step_count = 2), after, 2));
    for (int i = 0; i < 2; i++) adatom_evaluation_destroy(&after[i]);
    adatom_episodes_destroy(&a);
    adatom_episodes_destroy(&b);
}
END_TEST

/* Methods that need the network, and models that are another's. */
START_TEST(what_features_cannot_do) {
    adatom_episodes *list = draw(features);
    adatom_evaluation *e = NULL;
    adatom_adapter *adapter = NULL;
    for (int kind = 0; kind < SOLVED_KINDS; kind++) { /* 0: the default */
        const adatom_method m = {.size = sizeof m, .adapt = (adatom_adapt_kind)kind, .steps = 1};
        const adatom_fit_params fit = {.size = sizeof fit, .method = &m};
        if (kind == ADATOM_ADAPT_CENTROID || kind == ADATOM_ADAPT_HEAD || kind == ADATOM_ADAPT_COSINE) continue;
        refused(
            adatom_adapt_episodes(device, NULL, RUN(features, list, m), &e), ADATOM_USAGE,
            "methods that leave it as it is are centroid, head, cosine, logistic, lda, knn, bd-cspn and simpleshot");
        refused(adatom_adapter_fit(device, NULL, features, &fit, &adapter), ADATOM_USAGE, "adapts the network, and");
        ck_assert_ptr_null(e);
        ck_assert_ptr_null(adapter);
    }
    const adatom_method support = {.size = sizeof support, .adapt = ADATOM_ADAPT_HEAD, .bn = ADATOM_BN_SUPPORT},
                        head = {.size = sizeof head, .adapt = ADATOM_ADAPT_HEAD};
    refused(adatom_adapt_episodes(device, NULL, RUN(features, list, support), &e), ADATOM_USAGE,
            "statistics of batch norm need pictures");
    refused(adatom_adapt_episodes(device, NULL, RUN(pictures, list, head), &e), ADATOM_USAGE,
            "holds pictures, which need a model");
    const adatom_fit_params flip = {.size = sizeof flip, .method = &head, .augment = ADATOM_AUGMENT_FLIP};
    refused(adatom_adapter_fit(device, NULL, features, &flip, &adapter), ADATOM_USAGE, "leave the augmentation out");
    adatom_model *other = NULL;
    adatom_model_params m = {.size = sizeof m, .image_size = 16, .width = 8, .atoms = 4, .seed = 4};
    OK(adatom_model_create(ctx, &m, &other));
    refused(adatom_adapt_episodes(device, other, RUN(features, list, head), &e), ADATOM_BAD_DATA, "another network");
    adatom_model_destroy(&other);
    m.width = 12;
    OK(adatom_model_create(ctx, &m, &other));
    refused(adatom_adapt_episodes(device, other, RUN(features, list, head), &e), ADATOM_BAD_DATA,
            "holds 8 features of each picture, the model has 12");
    adatom_model_destroy(&other);
    OK(adatom_adapt_episodes(device, model, RUN(features, list, head), &e));
    adatom_evaluation_destroy(&e);
    const adatom_pretrain_params train = {.size = sizeof train, .output = "/tmp/adatom-features-none.safetensors"};
    adatom_model *trained = NULL;
    refused(adatom_pretrain(device, features, &train, &trained), ADATOM_USAGE,
            "holds no decoded pictures, which training needs");
    adatom_episodes_destroy(&list);
}
END_TEST

/* ---- adapters ---- */

static adatom_dataset *table(size_t width, bool labels, int seed) {
    enum { ROWS = 24, CLASSES = 3 };
    float *values = calloc(ROWS * width, sizeof *values);
    int64_t labelled[ROWS];
    ad_random random = ad_random_make((uint64_t)seed, 99, 0);
    for (size_t i = 0; i < ROWS; i++) {
        labelled[i] = (int64_t)i % CLASSES;
        for (size_t f = 0; f < width; f++)
            values[i * width + f] = ad_random_normal(&random) * 0.3f + (f % CLASSES == i % CLASSES ? 2.0f : 0.0f);
    }
    const adatom_feature_table t = {
        .size = sizeof t, .rows = ROWS, .width = width, .values = values, .labels = labels ? labelled : NULL};
    adatom_dataset *d = NULL;
    OK(adatom_features_create(ctx, &t, &d));
    free(values);
    return d;
}

static adatom_predictions *classify(const adatom_model *of, const adatom_dataset *dataset,
                                    const adatom_adapter *adapter) {
    const adatom_classify_params p = {.size = sizeof p, .adapters = &adapter, .adapter_count = adapter ? 1 : 0};
    adatom_predictions *predictions = NULL;
    OK(adatom_classify(device, of, dataset, &p, &predictions));
    return predictions;
}

/* Features of any width, of no known network: an adapter of them classifies others of their kind, also from its files.
 */
START_TEST(adapters_of_any_features) {
    static const size_t widths[] = {3, 5, 7, 64, 513};
    static const char *const methods[] = {"centroid", "head", "cosine"};
    char folder[] = "/tmp/adatom-features-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++) {
        adatom_dataset *support = table(widths[k], true, 1), *bare = table(widths[k], false, 2);
        adatom_episodes *list = NULL;
        const adatom_episodes_params drawn = {.size = sizeof drawn, .way = 3, .shot = 2, .query = 5, .tasks = 4};
        OK(adatom_episodes_create(ctx, support, &drawn, &list));
        for (int m = 0; m < 3; m++) {
            const adatom_method method = {.size = sizeof method, .adapt = adapt_of(methods[m])};
            const adatom_fit_params fit = {.size = sizeof fit, .method = &method};
            adatom_adapter *made = NULL, *kept = NULL;
            adatom_evaluation *e = NULL;
            adatom_evaluation_info about_e = ADATOM_INIT(adatom_evaluation_info);
            OK(adatom_adapt_episodes(device, NULL, RUN(support, list, method), &e));
            adatom_evaluation_describe(e, &about_e);
            ck_assert_double_gt(about_e.mean, 0.9); /* the classes lie far apart */
            adatom_evaluation_destroy(&e);
            OK(adatom_adapter_fit(device, NULL, support, &fit, &made));
            OK(adatom_adapter_save(made, folder));
            OK(adatom_adapter_load(ctx, folder, &kept));
            adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
            adatom_adapter_describe(kept, &a);
            ck_assert_str_eq(a.model_hash, AD_ADAPTER_UNKNOWN);
            ck_assert_int_eq(a.features, (int)widths[k]);
            ck_assert_int_eq(a.tensors, 0);
            adatom_predictions *p = classify(NULL, bare, kept);
            int right = 0, classes = 0;
            for (size_t i = 0; i < 24; i++) {
                const float *of = adatom_predictions_get(p, 0, i, &classes);
                right += of[i % 3] > of[(i + 1) % 3] && of[i % 3] > of[(i + 2) % 3];
            }
            ck_assert_int_eq(classes, 3);
            ck_assert_int_ge(right, 22);
            adatom_predictions_destroy(&p);
            adatom_adapter_destroy(&made);
            adatom_adapter_destroy(&kept);
        }
        adatom_episodes *none = NULL;
        refused(adatom_episodes_create(ctx, bare, &drawn, &none), ADATOM_BAD_DATA, "has no classes");
        adatom_adapter *adapter = NULL;
        refused(adatom_adapter_fit(device, NULL, bare, NULL, &adapter), ADATOM_USAGE, "'atoms' adapts the network");
        const adatom_method head = {.size = sizeof head, .adapt = ADATOM_ADAPT_HEAD};
        refused(adatom_adapter_fit(device, NULL, bare,
                                   &(adatom_fit_params){.size = sizeof(adatom_fit_params), .method = &head}, &adapter),
                ADATOM_BAD_DATA, "has no classes");
        adatom_episodes_destroy(&list);
        adatom_dataset_destroy(&support);
        adatom_dataset_destroy(&bare);
    }
    char path[64];
    snprintf(path, sizeof path, "%s/adapter.safetensors", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/adapter_config.json", folder);
    unlink(path);
    rmdir(folder);
}
END_TEST

/* An adapter of a known network's features is that of its pictures, and the other way round. */
START_TEST(adapters_of_known_features) {
    const adatom_method head = {.size = sizeof head, .adapt = ADATOM_ADAPT_HEAD, .steps = 3},
                        norm = {.size = sizeof norm, .adapt = ADATOM_ADAPT_NORM, .steps = 1};
    const adatom_fit_params fit = {.size = sizeof fit, .method = &head, .estimate = ADATOM_ESTIMATE_NONE},
                            fit_norm = {.size = sizeof fit_norm, .method = &norm, .estimate = ADATOM_ESTIMATE_NONE};
    adatom_adapter *of_pictures = NULL, *of_features = NULL, *of_norms = NULL, *of_others = NULL;
    OK(adatom_adapter_fit(device, model, pictures, &fit, &of_pictures));
    OK(adatom_adapter_fit(device, NULL, features, &fit, &of_features));
    OK(adatom_adapter_fit(device, model, pictures, &fit_norm, &of_norms));
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info), b = ADATOM_INIT(adatom_adapter_info);
    adatom_adapter_describe(of_pictures, &a);
    adatom_adapter_describe(of_features, &b);
    ck_assert_str_eq(a.hash, b.hash);
    ck_assert_str_eq(a.model_hash, b.model_hash);
    adatom_predictions *x = classify(model, pictures, of_features), *y = classify(NULL, features, of_pictures);
    for (size_t i = 0; i < about(pictures).images; i++) {
        int classes = 0;
        const float *p = adatom_predictions_get(x, 0, i, &classes);
        ck_assert_mem_eq(p, adatom_predictions_get(y, 0, i, &classes), (size_t)classes * sizeof *p);
    }
    adatom_predictions_destroy(&x);
    adatom_predictions_destroy(&y);
    /* The model's own classifier, too. */
    x = classify(model, pictures, NULL);
    y = classify(model, features, NULL);
    for (size_t i = 0; i < about(pictures).images; i++) {
        int classes = 0;
        const float *p = adatom_predictions_get(x, 0, i, &classes);
        ck_assert_int_eq(classes, 7);
        ck_assert_mem_eq(p, adatom_predictions_get(y, 0, i, &classes), 7 * sizeof *p);
    }
    adatom_predictions_destroy(&x);
    adatom_predictions_destroy(&y);
    refused(adatom_classify(device, NULL, features, NULL, &x), ADATOM_USAGE, "no classifier of its own");
    const adatom_adapter *one = of_norms;
    adatom_classify_params p = {.size = sizeof p, .adapters = &one, .adapter_count = 1};
    refused(adatom_classify(device, NULL, features, &p, &x), ADATOM_BAD_DATA, "it classifies pictures, not features");
    adatom_dataset *others = table(8, true, 1), *wide = table(9, true, 1);
    OK(adatom_adapter_fit(device, NULL, others, &fit, &of_others));
    one = of_others;
    refused(adatom_classify(device, model, pictures, &p, &x), ADATOM_BAD_DATA, "of a network that is not known");
    refused(adatom_classify(device, NULL, wide, &p, &x), ADATOM_BAD_DATA, "takes 8 features, 'features' has 9");
    adatom_dataset_destroy(&others);
    adatom_dataset_destroy(&wide);
    adatom_adapter_destroy(&of_pictures);
    adatom_adapter_destroy(&of_features);
    adatom_adapter_destroy(&of_norms);
    adatom_adapter_destroy(&of_others);
}
END_TEST

/* What a file tells of its network holds as long as nobody changed its numbers. */
static int warned;
static void on_log(void *user, adatom_log_level level, const char *text) {
    (void)user;
    warned += level == ADATOM_LOG_WARNING && strstr(text, "were changed since its metadata was written") != NULL;
}

START_TEST(changed_files) {
    char path[] = "/tmp/adatom-features-XXXXXX.safetensors";
    const int made = mkstemps(path, 12);
    ck_assert_int_ge(made, 0);
    close(made);
    adatom_context *logged = NULL;
    OK(adatom_context_create(&(adatom_context_params){.size = sizeof(adatom_context_params), .log = on_log}, &logged));
    OK(adatom_features_save(features, path, NULL));
    for (int changed = 0; changed < 2; changed++) {
        adatom_dataset *d = NULL;
        if (changed) {
            FILE *file = fopen(path, "r+b");
            ck_assert_int_eq(fseek(file, -4 * (long)about(features).images - 4, SEEK_END), 0);
            fwrite(&(float){7}, sizeof(float), 1, file); /* the last number before the labels */
            fclose(file);
        }
        ck_assert_int_eq(adatom_features_load(logged, path, NULL, &d), ADATOM_OK);
        const adatom_dataset_info info = about(d);
        ck_assert_int_eq(warned, changed);
        ck_assert_str_eq(info.model_hash, changed ? "" : about(features).model_hash);
        ck_assert_int_eq(strcmp(info.hash, about(pictures).hash) != 0, changed);
        ck_assert_int_eq(info.origin == NULL, changed);
        adatom_dataset_destroy(&d);
    }
    adatom_context_destroy(&logged);
    unlink(path);
}
END_TEST

/* A missing allocation anywhere fails cleanly, and the next try works. */
START_TEST(out_of_memory_anywhere) {
    static const char *const shapes = "builtin:shapes";
    for (int k = 0; k < 2; k++) {
        long failures = 0;
        for (long n = 0;; n++) {
            adatom_dataset *list = NULL, *out = NULL;
            if (k == 1) OK(adatom_dataset_list(ctx, &shapes, 1, true, &listed, &list));
            ad_test_fail_allocation(n);
            const adatom_status status = k == 0 ? adatom_dataset_list(ctx, &shapes, 1, true, &listed, &list)
                                                : adatom_features_compute(device, model, list, NULL, &out);
            ad_test_fail_allocation(-1);
            ck_assert_msg(status == ADATOM_OK || status == ADATOM_OUT_OF_MEMORY, "%d, allocation %ld: %s", k, n,
                          adatom_context_message(ctx));
            ck_assert_int_eq(k == 0 ? list != NULL : out != NULL, status == ADATOM_OK);
            adatom_dataset_destroy(&list);
            adatom_dataset_destroy(&out);
            if (status == ADATOM_OK) break;
            failures++;
        }
        ck_assert_int_gt(failures, 5);
    }
}
END_TEST

/* unit_feature_runs: on the CPU engine. unit_feature_runs vulkan: what depends on the engine, on a Vulkan device. */
int main(int argc, char **argv) {
    size_t count = 0;
    vulkan = argc > 1 && !strcmp(argv[1], "vulkan");
    if (vulkan && ad_vk_list(NULL, NULL, 0, &count) == ADATOM_OK && count == 0 && !getenv("CI")) return 77;
    Suite *suite = suite_create("feature_runs");
    TCase *tests = tcase_create("feature_runs");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, features_are_those_of_the_model);
    tcase_add_test(tests, listed_pictures);
    tcase_add_test(tests, episodes_are_those_of_the_pictures);
    tcase_add_test(tests, adapters_of_any_features);
    tcase_add_test(tests, adapters_of_known_features);
    if (!vulkan) {
        tcase_add_test(tests, damaged_pictures_are_counted_anew);
        tcase_add_test(tests, features_under_an_adapter);
        tcase_add_test(tests, what_features_cannot_do);
        tcase_add_test(tests, changed_files);
        tcase_add_test(tests, out_of_memory_anywhere);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
