/* Adaptation and pretraining through the public API, on the CPU engine and small pictures. */
#include "fewshot/episodes.h"
#include "net/network.h"
#include "tests/choices.h"
#include "tests/run_suite.h"

#include <adatom/adapt.h>
#include <adatom/train.h>
#include <adatom/transfer.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static adatom_context *ctx;
static adatom_device *device;
static adatom_dataset *base, *novel;
static adatom_model *model;

static void setup(void) {
    OK(adatom_context_create(NULL, &ctx));
    const adatom_device_params cpu = {
        .size = sizeof(adatom_device_params), .select = "cpu", .threads = 2}; /* memory depends on their number */
    OK(adatom_device_open(ctx, &cpu, &device));
    const adatom_dataset_params
        b = {.size = sizeof(adatom_dataset_params), .image_size = 16, .split = "base", .builtin_per_class = 8},
        n = {.size = sizeof(adatom_dataset_params), .image_size = 16, .split = "novel", .builtin_per_class = 8};
    OK(adatom_dataset_open(ctx, "builtin:shapes", &b, &base));
    OK(adatom_dataset_open(ctx, "builtin:shapes", &n, &novel));
    const adatom_model_params m = {
        .size = sizeof(adatom_model_params), .image_size = 16, .width = 8, .atoms = 4, .seed = 3};
    OK(adatom_model_create(ctx, &m, &model));
}

static void teardown(void) {
    adatom_model_destroy(&model);
    adatom_dataset_destroy(&base);
    adatom_dataset_destroy(&novel);
    adatom_device_destroy(&device);
    adatom_context_destroy(&ctx);
}

static adatom_episodes *episodes(int tasks, int shot) {
    const adatom_episodes_params p = {
        .size = sizeof(adatom_episodes_params), .way = 3, .shot = shot, .query = 3, .tasks = tasks, .seed = 9};
    adatom_episodes *list;
    OK(adatom_episodes_create(ctx, novel, &p, &list));
    return list;
}

static const char *const names[] = {"centroid",   "head", "cosine", "atoms", "norm",
                                    "atoms+norm", "full", "lora",   "dora",  "bora"};

START_TEST(test_tasks_at_once) {
    /* Task by task the same predictions, whether 1, 3 or all run at once, and whatever part of the list is asked for.
     */
    adatom_episodes *list = episodes(7, 2);
    adatom_method method = {.size = sizeof(adatom_method), .adapt = adapt_of(names[_i]), .steps = 4};
    adatom_evaluation *all, *other;
    adatom_evaluation_info a = ADATOM_INIT(adatom_evaluation_info), b = ADATOM_INIT(adatom_evaluation_info);
    method.tasks_at_once = 7;
    OK(adatom_adapt_episodes(
        device, model,
        &(adatom_adapt_params){
            .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &method},
        &all));
    adatom_evaluation_describe(all, &a);
    ck_assert_int_eq(a.tasks_at_once, 7);
    for (int at_once = 1; at_once <= 3; at_once += 2) {
        method.tasks_at_once = at_once;
        OK(adatom_adapt_episodes(device, model,
                                 &(adatom_adapt_params){.size = sizeof(adatom_adapt_params),
                                                        .dataset = novel,
                                                        .episodes = list,
                                                        .method = &method,
                                                        .first = 1,
                                                        .count = 5},
                                 &other));
        adatom_evaluation_describe(other, &b);
        ck_assert_int_eq(b.tasks, 5);
        ck_assert_int_eq(b.tasks_at_once, at_once);
        ck_assert_mem_eq(b.accuracy, a.accuracy + 1, 5 * sizeof(float));
        ck_assert_mem_eq(b.predictions, a.predictions + 9, 5 * 9 * sizeof(int32_t));
        adatom_evaluation_destroy(&other);
    }
    adatom_evaluation_destroy(&all);
    adatom_episodes_destroy(&list);
}
END_TEST

START_TEST(test_adapted_numbers) {
    /* conv4, width 8, m 4: features 8 (16 pixels, four poolings), 3 classes. */
    const uint64_t head = 3 * 8, atoms = 3 * 4 * 9, norm = 4 * 2 * 8, ordinary = 8 * 3 * 9, coefficients = 8 * 8 * 4;
    const uint64_t lora = 4 * ((3 + 3 * 8) * 9 + 4 * 8); /* rank 4: [9 c][4] and [8][4] of each layer */
    const uint64_t want[] = {0,
                             head + 3,
                             head,
                             head + atoms,
                             head + norm,
                             head + atoms + norm,
                             head + atoms + norm + ordinary + coefficients,
                             head + lora,
                             head + lora + 4 * 8,
                             head + lora + 4 * 8 + 3 + 3 * 8};
    adatom_episodes *list = episodes(1, 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const adatom_method method = {.size = sizeof(adatom_method), .adapt = adapt_of(names[i]), .steps = 1};
        adatom_evaluation *e;
        adatom_evaluation_info info = ADATOM_INIT(adatom_evaluation_info);
        OK(adatom_adapt_episodes(
            device, model,
            &(adatom_adapt_params){
                .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &method},
            &e));
        adatom_evaluation_describe(e, &info);
        ck_assert_msg(info.adapted == want[i], "%s: %ju adapted, %ju expected", names[i], (uintmax_t)info.adapted,
                      (uintmax_t)want[i]);
        adatom_evaluation_destroy(&e);
    }
    adatom_episodes_destroy(&list);
}
END_TEST

START_TEST(test_memory_limit_chunks) {
    adatom_episodes *list = episodes(6, 1);
    adatom_method method = {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_FULL, .steps = 2};
    adatom_adapt_plan_info many = ADATOM_INIT(adatom_adapt_plan_info), few = many;
    OK(adatom_adapt_plan(
        device, model,
        &(adatom_adapt_params){
            .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &method},
        &many));
    method.memory_bytes = many.arena_bytes / 2;
    OK(adatom_adapt_plan(
        device, model,
        &(adatom_adapt_params){
            .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &method},
        &few));
    ck_assert_int_lt(few.tasks_at_once, many.tasks_at_once);
    ck_assert_int_ge(few.tasks_at_once, 1);
    ck_assert_uint_le(few.arena_bytes, method.memory_bytes);
    adatom_evaluation *e;
    adatom_evaluation_info info = ADATOM_INIT(adatom_evaluation_info);
    OK(adatom_adapt_episodes(
        device, model,
        &(adatom_adapt_params){
            .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &method},
        &e));
    adatom_evaluation_describe(e, &info);
    ck_assert_int_eq(info.tasks, 6);
    ck_assert_int_eq(info.tasks_at_once, few.tasks_at_once);
    adatom_evaluation_destroy(&e);
    adatom_episodes_destroy(&list);
}
END_TEST

/* Evaluating on the way changes nothing: each number of steps gives what a run of its own gives. */
START_TEST(test_steps_on_the_way) {
    static const int steps[] = {1, 2, 5};
    adatom_episodes *list = episodes(5, 2);
    for (size_t i = 1; i < sizeof names / sizeof *names; i++) {
        adatom_method method = {.size = sizeof(adatom_method), .adapt = adapt_of(names[i]), .tasks_at_once = 2};
        adatom_evaluation *on_the_way[3], *alone;
        adatom_evaluation_info a = ADATOM_INIT(adatom_evaluation_info), b = ADATOM_INIT(adatom_evaluation_info);
        OK(adatom_adapt_steps(device, model,
                              &(adatom_adapt_params){.size = sizeof(adatom_adapt_params),
                                                     .dataset = novel,
                                                     .episodes = list,
                                                     .method = &method,
                                                     .steps = steps,
                                                     .step_count = 3},
                              on_the_way, 3));
        for (int k = 0; k < 3; k++) {
            method.steps = steps[k];
            OK(adatom_adapt_episodes(
                device, model,
                &(adatom_adapt_params){
                    .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &method},
                &alone));
            adatom_evaluation_describe(on_the_way[k], &a);
            adatom_evaluation_describe(alone, &b);
            ck_assert_mem_eq(a.predictions, b.predictions, 5 * 9 * sizeof(int32_t));
            ck_assert_str_eq(a.config_json, b.config_json);
            ck_assert_int_eq(a.steps, steps[k]);
            adatom_evaluation_destroy(&alone);
            adatom_evaluation_destroy(&on_the_way[k]);
        }
    }
    adatom_evaluation *none[2];
    const adatom_method centroid = {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_CENTROID},
                        recipe = {.size = sizeof(adatom_method),
                                  .adapt = ADATOM_ADAPT_HEAD,
                                  .procedure = ADATOM_PROCEDURE_CLOSERLOOK_BASELINE},
                        atoms = ADATOM_INIT(adatom_method);
    const int descending[] = {2, 1};
    ck_assert_int_eq(adatom_adapt_steps(device, model,
                                        &(adatom_adapt_params){.size = sizeof(adatom_adapt_params),
                                                               .dataset = novel,
                                                               .episodes = list,
                                                               .method = &centroid,
                                                               .steps = steps,
                                                               .step_count = 2},
                                        none, 2),
                     ADATOM_USAGE);
    ck_assert_int_eq(adatom_adapt_steps(device, model,
                                        &(adatom_adapt_params){.size = sizeof(adatom_adapt_params),
                                                               .dataset = novel,
                                                               .episodes = list,
                                                               .method = &recipe,
                                                               .steps = steps,
                                                               .step_count = 2},
                                        none, 2),
                     ADATOM_USAGE);
    ck_assert_int_eq(adatom_adapt_steps(device, model,
                                        &(adatom_adapt_params){.size = sizeof(adatom_adapt_params),
                                                               .dataset = novel,
                                                               .episodes = list,
                                                               .method = &atoms,
                                                               .steps = descending,
                                                               .step_count = 2},
                                        none, 2),
                     ADATOM_USAGE);
    adatom_episodes_destroy(&list);
}
END_TEST

typedef struct stopwatch {
    double last, best; /* seconds: when the latest batch ended; of an episode in the fastest batch */
    int done;
} stopwatch;

static bool batch_ended(void *user, const adatom_progress *progress) {
    stopwatch *w = user;
    const int done = (int)progress->done;
    struct timespec now;
    if (progress->poll) return true;
    ck_assert_int_eq(progress->phase, ADATOM_PHASE_EPISODES);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* other load does not count */
    const double seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    if (w->done) w->best = fmin(w->best, (seconds - w->last) / (done - w->done));
    w->last = seconds;
    w->done = done;
    return true;
}

/* So many tasks at once; of the fastest batch but the first, seconds an episode. */
static double measure(const adatom_episodes *list, int tasks, size_t *arena_bytes) {
    const adatom_method method = {
        .size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_ATOMS, .steps = 10, .tasks_at_once = tasks};
    stopwatch w = {.best = INFINITY};
    adatom_evaluation *e;
    adatom_evaluation_info info = ADATOM_INIT(adatom_evaluation_info);
    OK(adatom_adapt_episodes(device, model,
                             &(adatom_adapt_params){.size = sizeof(adatom_adapt_params),
                                                    .dataset = novel,
                                                    .episodes = list,
                                                    .method = &method,
                                                    .progress = batch_ended,
                                                    .user = &w},
                             &e));
    adatom_evaluation_describe(e, &info);
    ck_assert_int_eq(info.tasks_at_once, tasks);
    if (arena_bytes) *arena_bytes = info.arena_bytes;
    adatom_evaluation_destroy(&e);
    return w.best;
}

/* What a task needs only while a thread works on it, most of its memory, is there once a thread. */
START_TEST(test_cost_is_linear_in_tasks) {
    adatom_episodes *list = episodes(96, 1);
    size_t one = 0, four = 0, eight = 0, many = 0;
    measure(list, 1, &one);
    double few_s = measure(list, 4, &four), many_s = measure(list, 32, &many);
    measure(list, 8, &eight);
    const double step = (double)(eight - four) / 4, last = (double)(many - eight) / 24;
    ck_assert_uint_gt(eight, four);
    ck_assert_uint_lt(eight - four, one);
    ck_assert_msg(fabs(last / step - 1) < 0.01, "another task takes %g bytes of few, %g of many", step, last);
    for (int again = 0; again < 8 && many_s > 1.3 * few_s; again++) { /* other load disturbs: the best of a few */
        few_s = fmin(few_s, measure(list, 4, NULL));
        many_s = fmin(many_s, measure(list, 32, NULL));
    }
    ck_assert_msg(many_s <= 1.3 * few_s, "%g ms an episode where 32 run at once, %g where 4 do", 1e3 * many_s,
                  1e3 * few_s);
    adatom_episodes_destroy(&list);
}
END_TEST

enum { NORM_TASKS = 20, NORM_QUERIES = 9 }; /* three of each class */

static void predict(const adatom_episodes *list, const char *adapt, const char *bn,
                    int32_t out[NORM_TASKS * NORM_QUERIES]) {
    const adatom_method method = {.size = sizeof(adatom_method),
                                  .adapt = adapt_of(adapt),
                                  .steps = strcmp(adapt, "centroid") ? 3 : 0,
                                  .bn = bn_of(bn)};
    adatom_evaluation *e;
    adatom_evaluation_info info = ADATOM_INIT(adatom_evaluation_info);
    OK(adatom_adapt_episodes(
        device, model,
        &(adatom_adapt_params){
            .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &method},
        &e));
    adatom_evaluation_describe(e, &info);
    ck_assert_ptr_nonnull(strstr(info.config_json, bn));
    memcpy(out, info.predictions, NORM_TASKS * NORM_QUERIES * sizeof *out);
    adatom_evaluation_destroy(&e);
}

/* How many predictions differ, the first query of each task left out. */
static int others_that_differ(const int32_t *a, const int32_t *b) {
    int differ = 0;
    for (int i = 0; i < NORM_TASKS * NORM_QUERIES; i++) differ += i % NORM_QUERIES != 0 && a[i] != b[i];
    return differ;
}

/* Each policy takes other statistics. Only where queries are normalised by their own does one of them change what
 * others are. */
START_TEST(test_batch_norm_policies) {
    static const char *const policies[] = {"frozen", "support", "transductive"};
    static const char *const adapted[] = {"centroid", "cosine", "norm", "full"};
    enum { SHOT = 2, SUPPORT = 3 * SHOT };
    adatom_episodes *list = episodes(NORM_TASKS, SHOT), *changed = episodes(NORM_TASKS, SHOT);
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(novel, &info);
    const int32_t images = (int32_t)info.images;
    for (int t = 0; t < NORM_TASKS; t++) { /* the first query becomes a picture of a class far away */
        int32_t *picture = &changed->pictures[t * (SUPPORT + NORM_QUERIES) + SUPPORT];
        *picture = (*picture + images / 2) % images;
    }
    ad_episodes_rehash(changed);
    int32_t before[3][NORM_TASKS * NORM_QUERIES], after[NORM_TASKS * NORM_QUERIES];
    for (size_t k = 0; k < AD_COUNT(adapted); k++) {
        for (int i = 0; i < 3; i++) {
            predict(list, adapted[k], policies[i], before[i]);
            predict(changed, adapted[k], policies[i], after);
            const int moved = others_that_differ(before[i], after);
            ck_assert_msg((moved > 0) == (i == 2), "%s, %s: one query changes %d others", adapted[k], policies[i],
                          moved);
            for (int other = 0; other < i; other++)
                ck_assert_msg(others_that_differ(before[i], before[other]) > 0, "%s: %s gives what %s gives",
                              adapted[k], policies[i], policies[other]);
        }
    }
    adatom_episodes_destroy(&changed);
    adatom_episodes_destroy(&list);
}
END_TEST

/* Where heads start: at the classes that the directions of the class means give, for a linear one as for a cosine one.
 */
START_TEST(test_heads_start_from_means) {
    static const adatom_method starts[] = {
        {.adapt = ADATOM_ADAPT_CENTROID, .distance = ADATOM_DISTANCE_COSINE},
        {.adapt = ADATOM_ADAPT_HEAD, .lr = -1, .steps = 1},
        {.adapt = ADATOM_ADAPT_COSINE, .lr = -1, .steps = 1},
        {.adapt = ADATOM_ADAPT_HEAD, .lr = -1, .steps = 1, .head_init = ADATOM_HEAD_INIT_ZERO}};
    enum { PREDICTIONS = 20 * 9 };
    adatom_episodes *list = episodes(20, 2);
    int32_t first[PREDICTIONS];
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        adatom_evaluation *e;
        adatom_evaluation_info info = ADATOM_INIT(adatom_evaluation_info);
        OK(adatom_adapt_episodes(
            device, model,
            &(adatom_adapt_params){
                .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &starts[i]},
            &e));
        adatom_evaluation_describe(e, &info);
        int differ = 0;
        for (int k = 0; k < PREDICTIONS; k++) differ += i > 0 && info.predictions[k] != first[k];
        if (i == 0) memcpy(first, info.predictions, sizeof first);
        ck_assert_msg(i == 3 ? differ > PREDICTIONS / 4 : differ <= 1, "start %zu: %d of %d differ", i, differ,
                      PREDICTIONS);
        adatom_evaluation_destroy(&e);
    }
    adatom_episodes_destroy(&list);
}
END_TEST

START_TEST(test_closerlook_recipe) {
    adatom_episodes *list = episodes(2, 2); /* 6 support pictures: batches of 4 and 2 */
    adatom_method method = {.size = sizeof(adatom_method),
                            .adapt = ADATOM_ADAPT_HEAD,
                            .procedure = ADATOM_PROCEDURE_CLOSERLOOK_BASELINE,
                            .tasks_at_once = 2};
    adatom_evaluation *a, *b;
    adatom_evaluation_info x = ADATOM_INIT(adatom_evaluation_info), y = ADATOM_INIT(adatom_evaluation_info);
    OK(adatom_adapt_episodes(
        device, model,
        &(adatom_adapt_params){
            .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &method},
        &a));
    adatom_evaluation_describe(a, &x);
    ck_assert_int_eq(x.steps, 200);
    method.tasks_at_once = 1;
    OK(adatom_adapt_episodes(
        device, model,
        &(adatom_adapt_params){
            .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &method},
        &b));
    adatom_evaluation_describe(b, &y);
    ck_assert_mem_eq(x.predictions, y.predictions, 18 * sizeof(int32_t));
    adatom_evaluation_destroy(&a);
    adatom_evaluation_destroy(&b);
    method.adapt = ADATOM_ADAPT_ATOMS;
    ck_assert_int_eq(adatom_adapt_episodes(device, model,
                                           &(adatom_adapt_params){.size = sizeof(adatom_adapt_params),
                                                                  .dataset = novel,
                                                                  .episodes = list,
                                                                  .method = &method},
                                           &a),
                     ADATOM_USAGE);
    adatom_episodes_destroy(&list);
}
END_TEST

START_TEST(test_refusals) {
    adatom_episodes *list = episodes(2, 1);
    adatom_evaluation *e;
    static const adatom_method wrong[] = {
        {.adapt = (adatom_adapt_kind)99},
        {.head = (adatom_head)9},
        {.bn = (adatom_bn)9},
        {.optimizer = (adatom_optimizer)9},
        {.steps = -1},
        {.lr = 2000.0f},
        {.adapt = ADATOM_ADAPT_COSINE, .head_init = ADATOM_HEAD_INIT_ZERO},
        {.conv = (adatom_conv)9},
        {.procedure = (adatom_procedure)9},
        {.label_smoothing = 1.0f},
        {.adapt = ADATOM_ADAPT_LORA, .rank = -1},
        {.adapt = ADATOM_ADAPT_DORA, .rank = 257},
        {.adapt = ADATOM_ADAPT_BORA, .conv = ADATOM_CONV_ATOMS_FIRST},
        {.adapt = ADATOM_ADAPT_LORA, .lr_adapter = 2000.0f},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        adatom_method method = wrong[i];
        method.size = sizeof method;
        ck_assert_int_eq(adatom_adapt_episodes(device, model,
                                               &(adatom_adapt_params){.size = sizeof(adatom_adapt_params),
                                                                      .dataset = novel,
                                                                      .episodes = list,
                                                                      .method = &method},
                                               &e),
                         ADATOM_USAGE);
        ck_assert_ptr_null(e);
    }
    /* What is negative is none, and none is not the default. */
    const adatom_method none = {
        .size = sizeof(adatom_method), .lr = 0.25f, .lr_atoms = -1, .momentum = -1, .dampening = -1};
    char text[512];
    OK(adatom_method_text(ctx, &none, text, sizeof text));
    ck_assert_msg(strstr(text, "\"beta1\":0.0,\"beta2\":0.0,") && strstr(text, "\"lr_atoms\":0.0,\"lr\":0.25}"), "%s",
                  text);
    const adatom_method method = ADATOM_INIT(adatom_method);
    ck_assert_int_eq(adatom_adapt_episodes(device, model,
                                           &(adatom_adapt_params){.size = sizeof(adatom_adapt_params),
                                                                  .dataset = novel,
                                                                  .episodes = list,
                                                                  .method = &method,
                                                                  .first = 1,
                                                                  .count = 2},
                                           &e),
                     ADATOM_USAGE);
    ck_assert_int_eq(adatom_adapt_episodes(
                         device, model,
                         &(adatom_adapt_params){
                             .size = sizeof(adatom_adapt_params), .dataset = base, .episodes = list, .method = &method},
                         &e),
                     ADATOM_BAD_DATA);
    adatom_episodes_destroy(&list);
}
END_TEST

/* u takes half the memory, so that more tasks fit at once; nearly all queries are classified as before. */
START_TEST(test_half_precision) {
    enum { TASKS = 40, QUERIES = 3 };
    const adatom_episodes_params p = {
        .size = sizeof(adatom_episodes_params), .way = 3, .shot = 6, .query = 1, .tasks = TASKS, .seed = 9};
    const adatom_model_params m = {
        .size = sizeof(adatom_model_params), .image_size = 16, .width = 8, .atoms = 8, .seed = 3};
    adatom_device *devices[2] = {device, NULL};
    adatom_model *wide;
    adatom_episodes *list;
    OK(adatom_device_open(
        ctx,
        &(adatom_device_params){
            .size = sizeof(adatom_device_params), .select = "cpu", .precision = ADATOM_PRECISION_FP16, .threads = 2},
        &devices[1]));
    OK(adatom_model_create(ctx, &m, &wide));
    OK(adatom_episodes_create(ctx, novel, &p, &list));
    adatom_method method = {
        .size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_ATOMS, .steps = 10, .tasks_at_once = TASKS};
    adatom_evaluation *runs[2];
    adatom_evaluation_info info[2] = {ADATOM_INIT(adatom_evaluation_info), ADATOM_INIT(adatom_evaluation_info)};
    adatom_adapt_plan_info plans[2] = {ADATOM_INIT(adatom_adapt_plan_info), ADATOM_INIT(adatom_adapt_plan_info)};
    int differ = 0;
    for (int half = 0; half < 2; half++) {
        OK(adatom_adapt_plan(
            devices[half], wide,
            &(adatom_adapt_params){
                .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &method},
            &plans[half]));
        ck_assert_int_eq(plans[half].tasks_at_once, TASKS);
        OK(adatom_adapt_episodes(
            devices[half], wide,
            &(adatom_adapt_params){
                .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &method},
            &runs[half]));
        adatom_evaluation_describe(runs[half], &info[half]);
        ck_assert_uint_eq(info[half].arena_bytes, plans[half].arena_bytes);
    }
    for (int i = 0; i < TASKS * QUERIES; i++) differ += info[0].predictions[i] != info[1].predictions[i];
    ck_assert_int_le(differ, TASKS * QUERIES / 40);
    ck_assert_uint_lt(10 * plans[1].arena_bytes, 8 * plans[0].arena_bytes);
    method.memory_bytes = plans[1].arena_bytes;
    for (int half = 0; half < 2; half++)
        OK(adatom_adapt_plan(
            devices[half], wide,
            &(adatom_adapt_params){
                .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &method},
            &plans[half]));
    ck_assert_int_lt(plans[0].tasks_at_once, plans[1].tasks_at_once);
    /* A method without responses is the same in both. */
    method = (adatom_method){.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_FULL, .steps = 1};
    for (int half = 0; half < 2; half++)
        OK(adatom_adapt_plan(
            devices[half], wide,
            &(adatom_adapt_params){
                .size = sizeof(adatom_adapt_params), .dataset = novel, .episodes = list, .method = &method},
            &plans[half]));
    ck_assert_uint_eq(plans[0].arena_bytes, plans[1].arena_bytes);
    for (int half = 0; half < 2; half++) adatom_evaluation_destroy(&runs[half]);
    adatom_episodes_destroy(&list);
    adatom_model_destroy(&wide);
    adatom_device_destroy(&devices[1]);
}
END_TEST

/* ---- pretraining --------------------------------------------------------------------------------------------------
 */

typedef struct stop {
    long at;
    int calls;
} stop;

static bool stop_at(void *user, const adatom_progress *now) {
    stop *s = user;
    s->calls += now->training != NULL;
    return !now->training || s->at < 0 || now->done < (uint64_t)s->at;
}

START_TEST(test_resume_is_exact) {
    static const char *const optimizers[] = {"sgd", "adam", "sgd"};
    static const uint32_t augments[] = {ADATOM_AUGMENT_SHIFT | ADATOM_AUGMENT_FLIP,
                                        ADATOM_AUGMENT_CROP | ADATOM_AUGMENT_FLIP | ADATOM_AUGMENT_JITTER,
                                        ADATOM_AUGMENT_NONE};
    char whole[64], parts[64], left[96];
    snprintf(whole, sizeof whole, "/tmp/adatom-whole-%d.safetensors", (int)getpid());
    snprintf(parts, sizeof parts, "/tmp/adatom-parts-%d.safetensors", (int)getpid());
    snprintf(left, sizeof left, "%s.checkpoint", parts);
    stop s = {.at = -1};
    const adatom_model_params small = {.size = sizeof small, .arch = "conv4", .image_size = 16, .width = 8, .atoms = 4};
    adatom_pretrain_params p = {.size = sizeof(adatom_pretrain_params),
                                .model = &small,
                                .epochs = 2,
                                .batch = 40,
                                .seed = 4,
                                .optimizer = optimizer_of(optimizers[_i]),
                                .augment = augments[_i],
                                .output = whole,
                                .progress = stop_at,
                                .user = &s};
    adatom_model *a = NULL, *b = NULL;
    adatom_model *other = NULL;
    if (_i == 2) p.from = model;
    OK(adatom_pretrain(device, base, &p, &a));
    ck_assert_int_gt(s.calls, 2);
    adatom_model_info x = ADATOM_INIT(adatom_model_info), y = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(a, &x);

    p.output = parts;
    p.resume = true;
    s.at = 12; /* the first epoch has 12 steps (64 classes x 8 pictures) */
    ck_assert_int_eq(adatom_pretrain(device, base, &p, NULL), ADATOM_INTERRUPTED);
    ck_assert_int_ne(access(parts, F_OK), 0);
    ck_assert_int_eq(access(left, F_OK), 0);
    char hash[17];
    memcpy(hash, x.hash, sizeof hash);
    adatom_model_destroy(&a);

    p.lr = 0.05f; /* another run's settings do not fit the checkpoint */
    ck_assert_int_eq(adatom_pretrain(device, base, &p, NULL), ADATOM_BAD_DATA);
    p.lr = 0;
    if (p.from) { /* nor does another start */
        const adatom_model_params m = {
            .size = sizeof(adatom_model_params), .image_size = 16, .width = 8, .atoms = 4, .seed = 33};
        OK(adatom_model_create(ctx, &m, &other));
        p.from = other;
        ck_assert_int_eq(adatom_pretrain(device, base, &p, NULL), ADATOM_BAD_DATA);
        p.from = model;
        adatom_model_destroy(&other);
    }
    s.at = -1;
    OK(adatom_pretrain(device, base, &p, &b));
    adatom_model_describe(b, &y);
    ck_assert_str_eq(hash, y.hash);
    ck_assert_int_ne(access(left, F_OK), 0);
    adatom_model_destroy(&b);
    unlink(whole);
    unlink(parts);
}
END_TEST

/* Loss and validation accuracy of the last epoch. */
static bool remember(void *user, const adatom_progress *progress) {
    const adatom_training_progress *now = progress->training;
    double *seen = user;
    if (!now || !now->epoch_end) return true;
    seen[0] = now->loss;
    seen[1] = now->validation;
    return true;
}

/* Whether every convolution of the model differs from that of the other, or every one is the same. */
static void check_kernels(const adatom_model *one, const adatom_model *other, bool moved) {
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(one, &info);
    for (int i = 0; i < info.layers; i++) {
        adatom_layer_info layer = ADATOM_INIT(adatom_layer_info);
        double distance;
        OK(adatom_model_layer(one, i, &layer));
        if (strcmp(layer.kind, "conv") != 0) continue;
        OK(adatom_model_distance(one, other, i, &distance));
        ck_assert_msg((distance > 0) == moved, "%s: distance %g", layer.name, distance);
    }
}

START_TEST(test_start_from_a_model) {
    char path[64];
    double seen[2] = {0};
    snprintf(path, sizeof path, "/tmp/adatom-from-%d.safetensors", (int)getpid());
    adatom_model *starts[3] = {0}, *after = NULL;
    const adatom_model_params dense = {
        .size = sizeof dense, .image_size = 16, .width = 8, .sharing = ADATOM_SHARING_NONE};
    const adatom_decompose_params replace = {.size = sizeof(adatom_decompose_params),
                                             .sharing = ADATOM_SHARING_NET,
                                             .atoms = 6},
                                  residual = {.size = sizeof(adatom_decompose_params), .atoms = 12, .residual = true};
    adatom_pretrain_params p = {.size = sizeof(adatom_pretrain_params),
                                .model = &dense,
                                .epochs = 6,
                                .batch = 32,
                                .optimizer = ADATOM_OPTIMIZER_ADAM,
                                .lr = 0.02f,
                                .weight_decay = -1,
                                .augment = ADATOM_AUGMENT_NONE,
                                .seed = 5,
                                .output = path,
                                .progress = remember,
                                .user = seen};
    OK(adatom_pretrain(device, base, &p, &starts[0]));
    const double chance = log(64);
    OK(adatom_model_decompose(starts[0], &replace, &starts[1]));
    OK(adatom_model_decompose(starts[0], &residual, &starts[2]));
    p.epochs = 1;
    for (int i = 0; i < 3; i++) {
        p.model = NULL;
        p.from = starts[i];
        p.lr = 1e-30f; /* nothing moves: the loss is that of the start, its classifier included */
        OK(adatom_pretrain(device, base, &p, &after));
        check_kernels(after, starts[i], false);
        ck_assert_msg(seen[0] < chance - 0.1, "start %d: loss %.3f, a new classifier has %.3f", i, seen[0], chance);
        adatom_model_destroy(&after);
        p.lr = 3e-3f; /* everything trains */
        OK(adatom_pretrain(device, base, &p, &after));
        check_kernels(after, starts[i], true);
        adatom_model_destroy(&after);
    }
    /* The kernels that a residual model keeps train along with its atoms. */
    OK(adatom_pretrain(device, base, &p, &after));
    for (int i = 0; i < after->net.param_count; i++) {
        const ad_param *param = &after->net.params[i];
        ck_assert_msg(
            memcmp(after->values + param->offset, starts[2]->values + param->offset, param->count * sizeof(float)) != 0,
            "%s did not train", param->name);
    }
    adatom_model_destroy(&after);

    /* Other classes: a new classifier. */
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(novel, &info);
    p.lr = 1e-30f;
    OK(adatom_pretrain(device, novel, &p, NULL));
    ck_assert_double_eq_tol(seen[0], log(info.classes), 1e-3);

    static const struct {
        adatom_model_params model;
        const char *says;
    } wrong[] = {{{.arch = "resnet10"}, "architecture conv4, not resnet10"},
                 {{.sharing = ADATOM_SHARING_NET}, "sharing layer, not net"},
                 {{.stem = ADATOM_STEM_3X3}, "stem none, not 3x3"},
                 {{.atoms = 8}, "atoms 12, not 8"},
                 {{.image_size = 20}, "image size 16, not 20"},
                 {{.width = 16}, "width 8, not 16"},
                 {{.decompose_first = true}, "ordinary first convolution"},
                 {{.classes = 5}, "is to have 5 classes; the data set has 64"}};
    unlink(path);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        adatom_model_params network = wrong[i].model;
        network.size = sizeof network;
        p.model = &network;
        ck_assert_int_eq(adatom_pretrain(device, base, &p, NULL), ADATOM_USAGE);
        ck_assert_msg(strstr(adatom_context_message(ctx), wrong[i].says) != NULL, "%s", adatom_context_message(ctx));
    }
    ck_assert_int_ne(access(path, F_OK), 0);
    for (int i = 0; i < 3; i++) adatom_model_destroy(&starts[i]);
}
END_TEST

START_TEST(test_pretraining_learns) {
    char path[64];
    double last = 10, accuracy = 0;
    snprintf(path, sizeof path, "/tmp/adatom-learns-%d.safetensors", (int)getpid());
    const adatom_dataset_params
        b = {.size = sizeof(adatom_dataset_params), .image_size = 32, .split = "base", .builtin_per_class = 20},
        v = {.size = sizeof(adatom_dataset_params), .image_size = 32, .split = "val", .builtin_per_class = 20};
    adatom_dataset *pictures, *others; /* classes that are not trained on */
    OK(adatom_dataset_open(ctx, "builtin:shapes", &b, &pictures));
    OK(adatom_dataset_open(ctx, "builtin:shapes", &v, &others));
    double seen[2] = {0};
    const adatom_model_params wide = {.size = sizeof wide, .width = 16};
    const adatom_pretrain_params p = {.size = sizeof(adatom_pretrain_params),
                                      .model = &wide,
                                      .epochs = 8,
                                      .batch = 32,
                                      .seed = 1,
                                      .output = path,
                                      .validation = others,
                                      .validation_tasks = 50,
                                      .progress = remember,
                                      .user = seen};
    OK(adatom_pretrain(device, pictures, &p, NULL));
    last = seen[0];
    accuracy = seen[1];
    ck_assert_msg(last < 3.9, "loss %.3f after 8 epochs; chance is 4.16", last);
    ck_assert_msg(accuracy > 0.3, "class means of 5 classes: %.3f", accuracy);
    adatom_dataset_destroy(&pictures);
    adatom_dataset_destroy(&others);
    unlink(path);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("adapt");
    TCase *adapt = tcase_create("adapt"), *train = tcase_create("pretrain"), *start = tcase_create("start");
    tcase_add_checked_fixture(adapt, setup, teardown);
    tcase_add_checked_fixture(train, setup, teardown);
    tcase_add_checked_fixture(start, setup, teardown);
    tcase_add_test(start, test_start_from_a_model);
    tcase_add_loop_test(adapt, test_tasks_at_once, 0, (int)(sizeof names / sizeof *names));
    tcase_add_test(adapt, test_adapted_numbers);
    tcase_add_test(adapt, test_memory_limit_chunks);
    tcase_add_test(adapt, test_cost_is_linear_in_tasks);
    tcase_add_test(adapt, test_steps_on_the_way);
    tcase_add_test(adapt, test_batch_norm_policies);
    tcase_add_test(adapt, test_heads_start_from_means);
    tcase_add_test(adapt, test_closerlook_recipe);
    tcase_add_test(adapt, test_half_precision);
    tcase_add_test(adapt, test_refusals);
    tcase_add_loop_test(train, test_resume_is_exact, 0, 3);
    tcase_add_test(train, test_pretraining_learns);
    suite_add_tcase(suite, adapt);
    suite_add_tcase(suite, train);
    suite_add_tcase(suite, start);
    return run_suite(suite, CK_NOFORK);
}
