/* Two contexts on two threads, a device each, at the same time: the results are those of each alone. Under the thread
 * sanitizer this shows that contexts share nothing. */
#include "tests/run_suite.h"

#include <adatom/adapter.h>
#include <pthread.h>
#include <stdio.h>

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER
#endif
#endif

enum { TASKS = 4, QUERIES = 6, STEPS = 3 };

typedef struct work {
    const char *select; /* the device */
    uint64_t seed;
    bool stop; /* the adapter's fit is to end after its first task */
    /* results */
    adatom_status status;
    char message[512], hash[17];
    int32_t predictions[TASKS * QUERIES];
} work;

static bool on_progress(void *user, const adatom_progress *now) {
    const work *w = user;
    return now->poll || !w->stop;
}

static adatom_status run(work *w, adatom_context *ctx, adatom_device *device) {
    const adatom_dataset_params s = {
        .size = sizeof s, .image_size = 16, .split = "val", .builtin_per_class = 4, .threads = 2, .seed = w->seed};
    const adatom_model_params m = {.size = sizeof m, .image_size = 16, .width = 8, .seed = w->seed};
    const adatom_episodes_params e = {
        .size = sizeof e, .way = 3, .shot = 2, .query = 2, .tasks = TASKS, .seed = w->seed};
    const adatom_method atoms = {.size = sizeof atoms, .adapt = ADATOM_ADAPT_ATOMS, .steps = STEPS, .tasks_at_once = 1};
    const adatom_fit_params fit = {.size = sizeof fit,
                                   .method = &atoms,
                                   .estimate = ADATOM_ESTIMATE_FOLDS,
                                   .folds = 2,
                                   .progress = on_progress,
                                   .user = w};
    adatom_dataset *data = NULL;
    adatom_model *model = NULL;
    adatom_episodes *list = NULL;
    adatom_evaluation *evaluation = NULL;
    adatom_adapter *adapter = NULL;
    adatom_evaluation_info info = ADATOM_INIT(adatom_evaluation_info);
    adatom_adapter_info about = ADATOM_INIT(adatom_adapter_info);
    adatom_status status = adatom_dataset_open(ctx, "builtin:shapes", &s, &data);
    if (!status) status = adatom_model_create(ctx, &m, &model);
    if (!status) status = adatom_episodes_create(ctx, data, &e, &list);
    const adatom_adapt_params params = {.size = sizeof params, .dataset = data, .episodes = list, .method = &atoms};
    if (!status) status = adatom_adapt_episodes(device, model, &params, &evaluation);
    if (!status) status = adatom_evaluation_describe(evaluation, &info);
    if (!status) memcpy(w->predictions, info.predictions, sizeof w->predictions);
    if (!status) status = adatom_adapter_fit(device, model, data, &fit, &adapter);
    if (!status) status = adatom_adapter_describe(adapter, &about);
    if (!status) memcpy(w->hash, about.hash, sizeof w->hash);
    adatom_adapter_destroy(&adapter);
    adatom_evaluation_destroy(&evaluation);
    adatom_episodes_destroy(&list);
    adatom_model_destroy(&model);
    adatom_dataset_destroy(&data);
    return status;
}

static void *thread(void *user) {
    work *w = user;
    adatom_context *ctx = NULL;
    adatom_device *device = NULL;
    const adatom_device_params params = {.size = sizeof params, .select = w->select, .threads = 2};
    w->status = adatom_context_create(NULL, &ctx);
    if (!w->status) w->status = adatom_device_open(ctx, &params, &device);
    if (!w->status) w->status = run(w, ctx, device);
    if (ctx) snprintf(w->message, sizeof w->message, "%s", adatom_context_message(ctx));
    adatom_device_destroy(&device);
    adatom_context_destroy(&ctx);
    return NULL;
}

static void together(work *a, work *b) {
    pthread_t threads[2];
    ck_assert_int_eq(pthread_create(&threads[0], NULL, thread, a), 0);
    ck_assert_int_eq(pthread_create(&threads[1], NULL, thread, b), 0);
    for (int i = 0; i < 2; i++) ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

static void check_same(const work *a, const work *b) {
    ck_assert_msg(a->status == ADATOM_OK && b->status == ADATOM_OK, "%s; %s", a->message, b->message);
    ck_assert_str_eq(a->hash, b->hash);
    ck_assert_mem_eq(a->predictions, b->predictions, sizeof a->predictions);
}

static void check_pair(const char *first, const char *second) {
    work alone[2] = {{.select = first, .seed = 1}, {.select = second, .seed = 2}};
    for (int i = 0; i < 2; i++) thread(&alone[i]);
    for (int turn = 0; turn < 2; turn++) {
        work a = {.select = first, .seed = 1}, b = {.select = second, .seed = 2};
        together(&a, &b);
        check_same(&a, &alone[0]);
        check_same(&b, &alone[1]);
    }
    /* What stops one does not stop the other. */
    work a = {.select = first, .seed = 1, .stop = true}, b = {.select = second, .seed = 2};
    together(&a, &b);
    ck_assert_msg(a.status == ADATOM_INTERRUPTED, "%s", a.message);
    check_same(&b, &alone[1]);
}

START_TEST(two_cpu_engines) { check_pair("cpu", "cpu"); }
END_TEST

#ifndef THREAD_SANITIZER
START_TEST(cpu_and_vulkan) {
    work probe = {.select = "vulkan", .seed = 1};
    thread(&probe);
    if (probe.status == ADATOM_NO_DEVICE && !getenv("CI")) return; /* there is none */
    check_pair("cpu", "vulkan");
}
END_TEST
#endif

int main(void) {
    Suite *suite = suite_create("threads");
    TCase *tests = tcase_create("threads");
    tcase_add_test(tests, two_cpu_engines);
#ifndef THREAD_SANITIZER /* the Vulkan loader and drivers know nothing of it */
    tcase_add_test(tests, cpu_and_vulkan);
#endif
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
