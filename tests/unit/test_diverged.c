/* Through the API: what diverged has no accuracy and no class, settings that can only diverge are refused, and calls
 * can be interrupted and made again. */
#include "fewshot/adapter.h"
#include "fewshot/method.h"
#include "tests/run_suite.h"

#include <adatom/adapter.h>
#include <adatom/train.h>

#include <math.h>
#include <stdio.h>

static adatom_context *ctx;
static char warning[1024];
static adatom_device *device;
static adatom_dataset *novel;
static adatom_model *model;
static adatom_episodes *list;

static void keep_warning(void *user, adatom_log_level level, const char *text) {
    (void)user;
    if (level == ADATOM_LOG_WARNING) snprintf(warning, sizeof warning, "%s", text);
}

static void setup(void) {
    OK(adatom_context_create(&(adatom_context_params){.size = sizeof(adatom_context_params), .log = keep_warning},
                             &ctx));
    const adatom_device_params cpu = {.size = sizeof(adatom_device_params), .select = "cpu", .threads = 2};
    OK(adatom_device_open(ctx, &cpu, &device));
    const adatom_dataset_params n = {
        .size = sizeof(adatom_dataset_params), .image_size = 16, .split = "novel", .builtin_per_class = 8};
    OK(adatom_dataset_open(ctx, "builtin:shapes", &n, &novel));
    const adatom_model_params m = {
        .size = sizeof(adatom_model_params), .image_size = 16, .width = 8, .atoms = 4, .seed = 3};
    OK(adatom_model_create(ctx, &m, &model));
    const adatom_episodes_params e = {
        .size = sizeof(adatom_episodes_params), .way = 3, .shot = 2, .query = 3, .tasks = 5, .seed = 9};
    OK(adatom_episodes_create(ctx, novel, &e, &list));
}

static void teardown(void) {
    adatom_episodes_destroy(&list);
    adatom_model_destroy(&model);
    adatom_dataset_destroy(&novel);
    adatom_device_destroy(&device);
    adatom_context_destroy(&ctx);
}

static bool on_progress(void *user, const adatom_progress *now) {
    int *calls = user;
    if (now->poll) return true;
    ck_assert(now->done > 0 && isnan(now->mean));
    ++*calls;
    return true;
}

START_TEST(test_episodes_that_diverge) {
    const adatom_method wild = {.size = sizeof(adatom_method),
                                .adapt = ADATOM_ADAPT_FULL,
                                .optimizer = ADATOM_OPTIMIZER_SGD,
                                .lr_full = 1000,
                                .steps = 60,
                                .tasks_at_once = 2};
    const int steps[] = {1, 60};
    int calls = 0;
    adatom_evaluation *e = NULL, *both[2] = {NULL};
    adatom_evaluation_info info = ADATOM_INIT(adatom_evaluation_info);
    OK(adatom_adapt_episodes(device, model, RUN(novel, list, wild, .progress = on_progress, .user = &calls), &e));
    adatom_evaluation_describe(e, &info);
    ck_assert_int_eq(info.diverged, 5);
    ck_assert(isnan(info.mean) && isnan(info.ci95) && calls > 0);
    for (int i = 0; i < 5; i++) ck_assert(isnan(info.accuracy[i]));
    for (int i = 0; i < 5 * 9; i++) ck_assert_int_eq(info.predictions[i], -1);
    adatom_evaluation_destroy(&e);
    /* On the way each number of steps has its own. */
    OK(adatom_adapt_steps(device, model, RUN(novel, list, wild, .steps = steps, .step_count = 2), both, 2));
    adatom_evaluation_describe(both[1], &info);
    ck_assert_int_eq(info.diverged, 5);
    for (int k = 0; k < 2; k++) adatom_evaluation_destroy(&both[k]);
    const adatom_method tame = {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_FULL, .steps = 2};
    OK(adatom_adapt_episodes(device, model, RUN(novel, list, tame), &e));
    adatom_evaluation_describe(e, &info);
    ck_assert(info.diverged == 0 && info.mean >= 0);
    adatom_evaluation_destroy(&e);
}
END_TEST

START_TEST(test_means_leave_them_out) {
    const float a[] = {0.5f, NAN, 0.75f, 0.25f}, b[] = {0.25f, 0.5f, NAN, 0.5f}, none[] = {NAN, NAN},
                one[] = {NAN, 0.5f};
    double mean, ci95, want, want_ci;
    adatom_mean_interval(a, NULL, 4, &mean, &ci95);
    adatom_mean_interval((const float[]){0.5f, 0.75f, 0.25f}, NULL, 3, &want, &want_ci);
    ck_assert(mean == want && ci95 == want_ci);
    adatom_mean_interval(a, b, 4, &mean, &ci95);
    ck_assert(mean == 0.0 && isfinite(ci95));
    adatom_mean_interval(none, NULL, 2, &mean, &ci95);
    ck_assert(isnan(mean) && isnan(ci95));
    adatom_mean_interval(one, NULL, 2, &mean, &ci95);
    ck_assert(mean == 0.5 && isinf(ci95));
}
END_TEST

START_TEST(test_pictures_without_class) {
    const adatom_method centroid = {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_HEAD, .steps = 1};
    const adatom_fit_params fit = {
        .size = sizeof(adatom_fit_params), .method = &centroid, .estimate = ADATOM_ESTIMATE_NONE};
    adatom_adapter *adapter = NULL;
    adatom_predictions *p = NULL;
    adatom_predictions_info info = ADATOM_INIT(adatom_predictions_info);
    int classes;
    OK(adatom_adapter_fit(device, model, novel, &fit, &adapter));
    for (int f = 0; f < adapter->info.features; f++)
        adapter->head[f] = f % 2 ? 3e38f : -3e38f; /* finite, but not what comes of it */
    adapter->bias[0] = 3e38f;
    adapter->scale = 1e6f;
    const adatom_adapter *const adapters[] = {adapter};
    OK(adatom_classify(
        device, model, novel,
        &(adatom_classify_params){.size = sizeof(adatom_classify_params), .adapters = adapters, .adapter_count = 1},
        &p));
    adatom_predictions_describe(p, &info);
    ck_assert_uint_gt(info.lost, 0);
    size_t lost = 0;
    for (size_t i = 0; i < info.images; i++) lost += isnan(adatom_predictions_get(p, 0, i, &classes)[0]) != 0;
    ck_assert_uint_eq(lost, info.lost);
    adatom_predictions_destroy(&p);
    adatom_adapter_destroy(&adapter);
}
END_TEST

/* Of an adapter whose estimate is of several tasks: those that diverge are not in it, and that is said in all
 * places. */
START_TEST(test_estimates_without_some_tasks) {
    int partly = 0;
    for (int turn = 0; turn < 60 && partly < 2; turn++) {
        /* From where nothing diverges to where nearly all does. */
        const float rate = 60.0f * powf(1.12f, (float)(turn % 20));
        const adatom_method wild = {.size = sizeof(adatom_method),
                                    .adapt = ADATOM_ADAPT_FULL,
                                    .optimizer = ADATOM_OPTIMIZER_SGD,
                                    .lr_full = rate,
                                    .steps = 12,
                                    .seed = (uint64_t)(1 + turn / 20)};
        const adatom_fit_params fit = {.size = sizeof(adatom_fit_params),
                                       .method = &wild,
                                       .estimate = ADATOM_ESTIMATE_FOLDS,
                                       .folds = 7,
                                       .batch = 16,
                                       .early_stop = partly == 1};
        adatom_adapter *adapter = NULL, *again = NULL;
        adatom_adapter_info info = ADATOM_INIT(adatom_adapter_info), loaded = ADATOM_INIT(adatom_adapter_info);
        warning[0] = 0;
        if (adatom_adapter_fit(device, model, novel, &fit, &adapter) != ADATOM_OK) {
            ck_assert_ptr_null(adapter);
            ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "diverged"));
            continue;
        }
        adatom_adapter_describe(adapter, &info);
        int tested = 0, right = 0;
        for (int c = 0; c < info.classes; c++) {
            adatom_adapter_class one = ADATOM_INIT(adatom_adapter_class);
            OK(adatom_adapter_get_class(adapter, c, &one));
            ck_assert(one.tested <= one.images && one.right <= one.tested);
            tested += one.tested;
            right += one.right;
        }
        ck_assert(tested == info.tested && right == info.right && info.accuracy == (double)right / tested);
        if (info.diverged == 0) {
            ck_assert_int_eq(info.tested, info.fitted);
            ck_assert_int_eq(info.tasks, 0);
            ck_assert_str_eq(warning, "");
        } else {
            char counts[64];
            partly++;
            snprintf(counts, sizeof counts, "%d of the 7 tasks of the estimate", info.diverged);
            ck_assert_msg(strstr(warning, counts) && strstr(warning, "leaves out '"), "%s", warning);
            ck_assert_int_eq(info.tasks, 7);
            ck_assert(info.diverged < 7 && info.tested < info.fitted && info.tested > 0);
            ck_assert_ptr_nonnull(strstr(info.config_json, "\"diverged\""));
        }
        char folder[] = "/tmp/adatom-diverged-XXXXXX", file[64];
        ck_assert_ptr_nonnull(mkdtemp(folder));
        OK(adatom_adapter_save(adapter, folder));
        OK(adatom_adapter_load(ctx, folder, &again));
        adatom_adapter_describe(again, &loaded);
        ck_assert(loaded.diverged == info.diverged && loaded.tasks == info.tasks && loaded.tested == info.tested);
        snprintf(file, sizeof file, "%s/" AD_ADAPTER_TENSORS, folder);
        unlink(file);
        snprintf(file, sizeof file, "%s/" AD_ADAPTER_CONFIG, folder);
        unlink(file);
        rmdir(folder);
        adatom_adapter_destroy(&again);
        adatom_adapter_destroy(&adapter);
    }
    ck_assert_int_gt(partly, 0);
    const adatom_method wilder = {.size = sizeof(adatom_method),
                                  .adapt = ADATOM_ADAPT_FULL,
                                  .optimizer = ADATOM_OPTIMIZER_SGD,
                                  .lr_full = 1000,
                                  .steps = 60};
    const adatom_fit_params fit = {.size = sizeof(adatom_fit_params),
                                   .method = &wilder,
                                   .estimate = ADATOM_ESTIMATE_FOLDS,
                                   .folds = 2,
                                   .batch = 16};
    adatom_adapter *adapter = NULL;
    ck_assert_int_eq(adatom_adapter_fit(device, model, novel, &fit, &adapter), ADATOM_FAILED);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "2 of the 2 tasks of the estimate"));
}
END_TEST

/* Every number that decides anything, with NaN, infinity and what is outside its range. */
START_TEST(test_numbers_out_of_range) {
    adatom_method cases[24];
    size_t n = 0;
#define CASE(...) cases[n++] = (adatom_method){.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_ATOMS, __VA_ARGS__}
    CASE(.lr = NAN);
    CASE(.lr_atoms = INFINITY);
    CASE(.lr_norm = NAN);
    CASE(.lr_full = 1e4f);
    CASE(.lr_adapter = NAN);
    CASE(.momentum = 1);
    CASE(.momentum = NAN);
    CASE(.momentum = 1.5f, .optimizer = ADATOM_OPTIMIZER_SGD);
    CASE(.dampening = 1);
    CASE(.dampening = NAN);
    CASE(.dampening = 1.5f, .optimizer = ADATOM_OPTIMIZER_SGD);
    CASE(.weight_decay = NAN);
    CASE(.weight_decay = -1);
    CASE(.weight_decay = INFINITY);
    CASE(.label_smoothing = NAN);
    CASE(.label_smoothing = 1);
    CASE(.label_smoothing = -0.1f);
    CASE(.cosine_scale = NAN);
    CASE(.cosine_scale = -1);
    CASE(.cosine_scale = INFINITY);
    CASE(.adapter_scale = NAN);
    CASE(.steps = -1);
    CASE(.steps = 2000000000);
#undef CASE
    for (size_t i = 0; i < n; i++) {
        adatom_evaluation *e = NULL;
        ck_assert_msg(adatom_adapt_episodes(device, model, RUN(novel, list, cases[i]), &e) == ADATOM_USAGE, "case %zu",
                      i);
        ck_assert(adatom_context_message(ctx)[0] && !e);
    }
    adatom_pretrain_params training[20];
    n = 0;
#define CASE(...)                                                                                                      \
    training[n++] =                                                                                                    \
        (adatom_pretrain_params){.size = sizeof(adatom_pretrain_params), .output = "/nonexistent/m", __VA_ARGS__}
    CASE(.lr = NAN);
    CASE(.lr = INFINITY);
    CASE(.lr = -1);
    CASE(.momentum = 1);
    CASE(.momentum = NAN);
    CASE(.weight_decay = NAN);
    CASE(.weight_decay = 1e9f);
    CASE(.label_smoothing = NAN);
    CASE(.label_smoothing = 1);
    CASE(.warmup = 1);
    CASE(.warmup = NAN);
    CASE(.shift = -3);
    CASE(.batch = -1);
    CASE(.epochs = 2000000000);
    CASE(.validation_tasks = -1);
    CASE(.checkpoint_seconds = -1);
#undef CASE
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(adatom_pretrain(device, novel, &training[i], NULL) == ADATOM_USAGE, "training %zu: %s", i,
                      adatom_context_message(ctx));
    /* Parts of a list whose ends overflow. */
    const adatom_method centroid = {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_CENTROID};
    const int parts[][2] = {{-1, 2}, {2147483647, 2}, {2, 2147483647}, {5, 1}, {5, 0}, {0, -1}, {-5, 0}};
    for (size_t i = 0; i < AD_COUNT(parts); i++) {
        adatom_evaluation *e = NULL;
        ck_assert_int_eq(adatom_adapt_episodes(
                             device, model, RUN(novel, list, centroid, .first = parts[i][0], .count = parts[i][1]), &e),
                         ADATOM_USAGE);
    }
}
END_TEST

/* The seed of the network's start is the caller's; 0: that of the training. */
START_TEST(test_seed_of_the_start) {
    char path[] = "/tmp/adatom-seed-XXXXXX", hash[3][17];
    const uint64_t seeds[3] = {0, 4, 5};
    make_file(path);
    for (int i = 0; i < 3; i++) {
        adatom_model *m = NULL;
        adatom_model_info info = ADATOM_INIT(adatom_model_info);
        const adatom_model_params network = {.size = sizeof network, .image_size = 16, .width = 8, .seed = seeds[i]};
        const adatom_pretrain_params p = {.size = sizeof(adatom_pretrain_params),
                                          .model = &network,
                                          .epochs = 1,
                                          .batch = 16,
                                          .seed = 4,
                                          .output = path};
        OK(adatom_pretrain(device, novel, &p, &m));
        adatom_model_describe(m, &info);
        memcpy(hash[i], info.hash, sizeof hash[i]);
        adatom_model_destroy(&m);
    }
    ck_assert_str_eq(hash[0], hash[1]);
    ck_assert_str_ne(hash[0], hash[2]);
    unlink(path);
}
END_TEST

/* Pictures are changed by all 64 bits of the seed; seeds of 32 bits change them as they always did. */
START_TEST(test_seed_of_the_augmentation) {
    static const float mean[3] = {0.5f, 0.5f, 0.5f};
    ad_build_params low = {0}, high = {0};
    ad_augment_apply(ADATOM_AUGMENT_SHIFT | ADATOM_AUGMENT_FLIP, 4, 7, mean, &low);
    ad_augment_apply(ADATOM_AUGMENT_SHIFT | ADATOM_AUGMENT_FLIP, 4, 7 + (1ull << 40), mean, &high);
    ck_assert_int_eq(low.augment_seed, 7);
    ck_assert_int_ne(high.augment_seed, low.augment_seed);
}
END_TEST

static bool stop(void *user, const adatom_progress *now) {
    (void)user;
    return now->poll; /* the call has begun and done something */
}

static bool stop_at_once(void *user, const adatom_progress *now) {
    (void)user;
    (void)now;
    return false;
}

/* Whatever was interrupted can be done again with the same objects, and a success leaves no message of what failed
 * before. */
START_TEST(test_interrupted_and_again) {
    const adatom_method method = {.size = sizeof(adatom_method),
                                  .adapt = ADATOM_ADAPT_ATOMS,
                                  .steps = 2,
                                  .tasks_at_once = 1},
                        head = {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_HEAD, .steps = 1};
    adatom_fit_params fit = {.size = sizeof(adatom_fit_params),
                             .method = &head,
                             .estimate = ADATOM_ESTIMATE_LEAVE_ONE_OUT,
                             .progress = stop};
    adatom_classify_params classify = {.size = sizeof(adatom_classify_params), .batch = 4, .progress = stop};
    adatom_evaluation *e = NULL;
    adatom_adapter *adapter = NULL;
    adatom_predictions *p = NULL;
    adatom_dataset *data = NULL;
    for (int turn = 0; turn < 2; turn++) {
        ck_assert_int_eq(adatom_adapt_episodes(device, model, RUN(novel, list, method, .progress = stop), &e),
                         ADATOM_INTERRUPTED);
        ck_assert(!e && adatom_context_message(ctx)[0]);
        OK(adatom_adapt_episodes(device, model, RUN(novel, list, method), &e));
        ck_assert_str_eq(adatom_context_message(ctx), "");
        adatom_evaluation_destroy(&e);
        fit.progress = stop;
        fit.estimate = ADATOM_ESTIMATE_FOLDS;
        adatom_method one = head;
        one.tasks_at_once = 1;
        fit.method = &one;
        ck_assert_int_eq(adatom_adapter_fit(device, model, novel, &fit, &adapter), ADATOM_INTERRUPTED);
        fit.progress = NULL;
        OK(adatom_adapter_fit(device, model, novel, &fit, &adapter));
        const adatom_adapter *const adapters[] = {adapter};
        classify.adapters = adapters;
        classify.adapter_count = 1;
        ck_assert_int_eq(adatom_classify(device, model, novel, &classify, &p), ADATOM_INTERRUPTED);
        OK(adatom_classify(
            device, model, novel,
            &(adatom_classify_params){.size = sizeof(adatom_classify_params), .adapters = adapters, .adapter_count = 1},
            &p));
        adatom_predictions_destroy(&p);
        adatom_adapter_destroy(&adapter);
        /* Asked for while nothing runs: no call is interrupted by it. */
        adatom_context_interrupt(ctx);
        adatom_dataset_params n = {
            .size = sizeof(adatom_dataset_params), .image_size = 16, .split = "val", .builtin_per_class = 8};
        OK(adatom_dataset_open(ctx, "builtin:shapes", &n, &data));
        adatom_dataset_destroy(&data);
        n.progress = stop_at_once;
        ck_assert_int_eq(adatom_dataset_open(ctx, "builtin:shapes", &n, &data), ADATOM_INTERRUPTED);
        n.progress = NULL;
        OK(adatom_dataset_open(ctx, "builtin:shapes", &n, &data));
        adatom_dataset_destroy(&data);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("diverged");
    TCase *tests = tcase_create("diverged");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_episodes_that_diverge);
    tcase_add_test(tests, test_estimates_without_some_tasks);
    tcase_add_test(tests, test_means_leave_them_out);
    tcase_add_test(tests, test_pictures_without_class);
    tcase_add_test(tests, test_numbers_out_of_range);
    tcase_add_test(tests, test_seed_of_the_start);
    tcase_add_test(tests, test_seed_of_the_augmentation);
    tcase_add_test(tests, test_interrupted_and_again);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
