/* Adaptation and pretraining through the public API, on the CPU engine and small pictures. */
#include "fewshot/episodes.h"
#include "net/network.h"
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
    const adatom_device_params cpu = {.select = "cpu", .threads = 2}; /* memory depends on their number */
    OK(adatom_device_open(ctx, &cpu, &device));
    const adatom_dataset_params b = {.size = 16, .split = "base", .builtin_per_class = 8},
                                n = {.size = 16, .split = "novel", .builtin_per_class = 8};
    OK(adatom_dataset_open(ctx, "builtin:shapes", &b, &base));
    OK(adatom_dataset_open(ctx, "builtin:shapes", &n, &novel));
    const adatom_model_params m = {.image_size = 16, .width = 8, .atoms = 4, .seed = 3};
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
    const adatom_episodes_params p = {.way = 3, .shot = shot, .query = 3, .tasks = tasks, .seed = 9};
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
    adatom_method method = {.adapt = names[_i], .steps = 4};
    adatom_evaluation *all, *other;
    adatom_evaluation_info a, b;
    method.tasks_at_once = 7;
    OK(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &all));
    adatom_evaluation_describe(all, &a);
    ck_assert_int_eq(a.tasks_at_once, 7);
    for (int at_once = 1; at_once <= 3; at_once += 2) {
        method.tasks_at_once = at_once;
        OK(adatom_adapt_episodes(device, model, novel, list, &method, 1, 5, NULL, &other));
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
        const adatom_method method = {.adapt = names[i], .steps = 1};
        adatom_evaluation *e;
        adatom_evaluation_info info;
        OK(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &e));
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
    adatom_method method = {.adapt = "full", .steps = 2};
    size_t many_bytes, few_bytes;
    int many, few;
    OK(adatom_adapt_plan(device, model, novel, list, &method, false, &many_bytes, &many));
    method.memory_bytes = many_bytes / 2;
    OK(adatom_adapt_plan(device, model, novel, list, &method, false, &few_bytes, &few));
    ck_assert_int_lt(few, many);
    ck_assert_int_ge(few, 1);
    ck_assert_uint_le(few_bytes, method.memory_bytes);
    adatom_evaluation *e;
    adatom_evaluation_info info;
    OK(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &e));
    adatom_evaluation_describe(e, &info);
    ck_assert_int_eq(info.tasks, 6);
    ck_assert_int_eq(info.tasks_at_once, few);
    adatom_evaluation_destroy(&e);
    adatom_episodes_destroy(&list);
}
END_TEST

/* Evaluating on the way changes nothing: each number of steps gives what a run of its own gives. */
START_TEST(test_steps_on_the_way) {
    static const int steps[] = {1, 2, 5};
    adatom_episodes *list = episodes(5, 2);
    for (size_t i = 1; i < sizeof names / sizeof *names; i++) {
        adatom_method method = {.adapt = names[i], .tasks_at_once = 2};
        adatom_evaluation *on_the_way[3], *alone;
        adatom_evaluation_info a, b;
        OK(adatom_adapt_steps(device, model, novel, list, &method, steps, 3, 0, 0, NULL, on_the_way));
        for (int k = 0; k < 3; k++) {
            method.steps = steps[k];
            OK(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &alone));
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
    const adatom_method centroid = {.adapt = "centroid"}, recipe = {.adapt = "head", .recipe = "closerlook-baseline"},
                        atoms = {0};
    const int descending[] = {2, 1};
    ck_assert_int_eq(adatom_adapt_steps(device, model, novel, list, &centroid, steps, 2, 0, 0, NULL, none),
                     ADATOM_USAGE);
    ck_assert_int_eq(adatom_adapt_steps(device, model, novel, list, &recipe, steps, 2, 0, 0, NULL, none), ADATOM_USAGE);
    ck_assert_int_eq(adatom_adapt_steps(device, model, novel, list, &atoms, descending, 2, 0, 0, NULL, none),
                     ADATOM_USAGE);
    adatom_episodes_destroy(&list);
}
END_TEST

typedef struct stopwatch {
    double last, best; /* seconds: when the latest batch ended; of an episode in the fastest batch */
    int done;
} stopwatch;

static void batch_ended(void *user, int done, int total, double mean, double ci95) {
    stopwatch *w = user;
    struct timespec now;
    (void)total, (void)mean, (void)ci95;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* other load does not count */
    const double seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    if (w->done) w->best = fmin(w->best, (seconds - w->last) / (done - w->done));
    w->last = seconds;
    w->done = done;
}

/* So many tasks at once; of the fastest batch but the first, seconds an episode. */
static double measure(const adatom_episodes *list, int tasks, size_t *arena_bytes) {
    const adatom_method method = {.adapt = "atoms", .steps = 10, .tasks_at_once = tasks};
    stopwatch w = {.best = INFINITY};
    const adatom_progress progress = {batch_ended, &w};
    adatom_evaluation *e;
    adatom_evaluation_info info;
    OK(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, &progress, &e));
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
    const adatom_method method = {.adapt = adapt, .steps = strcmp(adapt, "centroid") ? 3 : 0, .bn = bn};
    adatom_evaluation *e;
    adatom_evaluation_info info;
    OK(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &e));
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
    adatom_dataset_info info;
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
    static const adatom_method starts[] = {{.adapt = "centroid", .distance = "cosine"},
                                           {.adapt = "head", .lr = -1, .steps = 1},
                                           {.adapt = "cosine", .lr = -1, .steps = 1},
                                           {.adapt = "head", .lr = -1, .steps = 1, .head_init = "zero"}};
    enum { PREDICTIONS = 20 * 9 };
    adatom_episodes *list = episodes(20, 2);
    int32_t first[PREDICTIONS];
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        adatom_evaluation *e;
        adatom_evaluation_info info;
        OK(adatom_adapt_episodes(device, model, novel, list, &starts[i], 0, 0, NULL, &e));
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
    adatom_method method = {.adapt = "head", .recipe = "closerlook-baseline", .tasks_at_once = 2};
    adatom_evaluation *a, *b;
    adatom_evaluation_info x, y;
    OK(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &a));
    adatom_evaluation_describe(a, &x);
    ck_assert_int_eq(x.steps, 200);
    method.tasks_at_once = 1;
    OK(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &b));
    adatom_evaluation_describe(b, &y);
    ck_assert_mem_eq(x.predictions, y.predictions, 18 * sizeof(int32_t));
    adatom_evaluation_destroy(&a);
    adatom_evaluation_destroy(&b);
    method.adapt = "atoms";
    ck_assert_int_eq(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &a), ADATOM_USAGE);
    adatom_episodes_destroy(&list);
}
END_TEST

START_TEST(test_refusals) {
    adatom_episodes *list = episodes(2, 1);
    adatom_evaluation *e;
    static const adatom_method wrong[] = {
        {.adapt = "atom"},
        {.head = "cosin"},
        {.bn = "none"},
        {.optimizer = "lbfgs"},
        {.steps = -1},
        {.lr = 2000.0f},
        {.adapt = "cosine", .head_init = "zero"},
        {.conv = "direct"},
        {.recipe = "mine"},
        {.label_smoothing = 1.0f},
        {.adapt = "lora", .rank = -1},
        {.adapt = "dora", .rank = 257},
        {.adapt = "bora", .conv = "atoms-first"},
        {.adapt = "lora", .lr_adapter = 2000.0f},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(adatom_adapt_episodes(device, model, novel, list, &wrong[i], 0, 0, NULL, &e), ADATOM_USAGE);
        ck_assert_ptr_null(e);
    }
    /* What is negative is none, and none is not the default. */
    const adatom_method none = {.lr = 0.25f, .lr_atoms = -1, .momentum = -1, .dampening = -1};
    char text[512];
    OK(adatom_method_text(ctx, &none, text, sizeof text));
    ck_assert_msg(strstr(text, "\"beta1\":0.0,\"beta2\":0.0,") && strstr(text, "\"lr_atoms\":0.0,\"lr\":0.25}"), "%s",
                  text);
    const adatom_method method = {0};
    ck_assert_int_eq(adatom_adapt_episodes(device, model, novel, list, &method, 1, 2, NULL, &e), ADATOM_USAGE);
    ck_assert_int_eq(adatom_adapt_episodes(device, model, base, list, &method, 0, 0, NULL, &e), ADATOM_BAD_DATA);
    adatom_episodes_destroy(&list);
}
END_TEST

/* u takes half the memory, so that more tasks fit at once; nearly all queries are classified as before. */
START_TEST(test_half_precision) {
    enum { TASKS = 40, QUERIES = 3 };
    const adatom_episodes_params p = {.way = 3, .shot = 6, .query = 1, .tasks = TASKS, .seed = 9};
    const adatom_model_params m = {.image_size = 16, .width = 8, .atoms = 8, .seed = 3};
    adatom_device *devices[2] = {device, NULL};
    adatom_model *wide;
    adatom_episodes *list;
    OK(adatom_device_open(ctx, &(adatom_device_params){.select = "cpu", .precision = "fp16", .threads = 2},
                          &devices[1]));
    OK(adatom_model_create(ctx, &m, &wide));
    OK(adatom_episodes_create(ctx, novel, &p, &list));
    adatom_method method = {.adapt = "atoms", .steps = 10, .tasks_at_once = TASKS};
    adatom_evaluation *runs[2];
    adatom_evaluation_info info[2];
    size_t bytes[2];
    int at_once[2], differ = 0;
    for (int half = 0; half < 2; half++) {
        OK(adatom_adapt_plan(devices[half], wide, novel, list, &method, false, &bytes[half], &at_once[half]));
        ck_assert_int_eq(at_once[half], TASKS);
        OK(adatom_adapt_episodes(devices[half], wide, novel, list, &method, 0, 0, NULL, &runs[half]));
        adatom_evaluation_describe(runs[half], &info[half]);
        ck_assert_uint_eq(info[half].arena_bytes, bytes[half]);
    }
    for (int i = 0; i < TASKS * QUERIES; i++) differ += info[0].predictions[i] != info[1].predictions[i];
    ck_assert_int_le(differ, TASKS * QUERIES / 40);
    ck_assert_uint_lt(10 * bytes[1], 8 * bytes[0]);
    method.memory_bytes = bytes[1];
    for (int half = 0; half < 2; half++)
        OK(adatom_adapt_plan(devices[half], wide, novel, list, &method, false, &bytes[half], &at_once[half]));
    ck_assert_int_lt(at_once[0], at_once[1]);
    /* A method without responses is the same in both. */
    method = (adatom_method){.adapt = "full", .steps = 1};
    for (int half = 0; half < 2; half++)
        OK(adatom_adapt_plan(devices[half], wide, novel, list, &method, false, &bytes[half], &at_once[half]));
    ck_assert_uint_eq(bytes[0], bytes[1]);
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

static void stop_at(void *user, const adatom_pretrain_progress *now) {
    stop *s = user;
    s->calls++;
    if (s->at >= 0 && now->step >= s->at) adatom_context_interrupt(ctx);
}

START_TEST(test_resume_is_exact) {
    static const char *const optimizers[] = {"sgd", "adam", "sgd"};
    static const char *const augments[] = {"shift+flip", "crop+flip+jitter", "none"};
    char whole[64], parts[64], left[96];
    snprintf(whole, sizeof whole, "/tmp/adatom-whole-%d.safetensors", (int)getpid());
    snprintf(parts, sizeof parts, "/tmp/adatom-parts-%d.safetensors", (int)getpid());
    snprintf(left, sizeof left, "%s.checkpoint", parts);
    stop s = {.at = -1};
    adatom_pretrain_params p = {.model = {.arch = "conv4", .image_size = 16, .width = 8, .atoms = 4},
                                .epochs = 2,
                                .batch = 40,
                                .seed = 4,
                                .optimizer = optimizers[_i],
                                .augment = augments[_i],
                                .output = whole,
                                .progress = stop_at,
                                .user = &s};
    adatom_model *a = NULL, *b = NULL;
    adatom_model *other = NULL;
    if (_i == 2) p.from = model;
    OK(adatom_pretrain(device, base, &p, &a));
    ck_assert_int_gt(s.calls, 2);
    adatom_model_info x, y;
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
        const adatom_model_params m = {.image_size = 16, .width = 8, .atoms = 4, .seed = 33};
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

/* The loss of the last epoch. */
static void remember(void *user, const adatom_pretrain_progress *now) {
    if (now->epoch_end) *(double *)user = now->loss;
}

/* Whether every convolution of the model differs from that of the other, or every one is the same. */
static void check_kernels(const adatom_model *one, const adatom_model *other, bool moved) {
    adatom_model_info info;
    adatom_model_describe(one, &info);
    for (int i = 0; i < info.layers; i++) {
        adatom_layer_info layer;
        double distance;
        OK(adatom_model_layer(one, i, &layer));
        if (strcmp(layer.kind, "conv") != 0) continue;
        OK(adatom_model_distance(one, other, i, &distance));
        ck_assert_msg((distance > 0) == moved, "%s: distance %g", layer.name, distance);
    }
}

START_TEST(test_start_from_a_model) {
    char path[64];
    double loss = 0;
    snprintf(path, sizeof path, "/tmp/adatom-from-%d.safetensors", (int)getpid());
    adatom_model *starts[3] = {0}, *after = NULL;
    const adatom_decompose_params replace = {.sharing = "net", .atoms = 6}, residual = {.atoms = 12, .residual = true};
    adatom_pretrain_params p = {.model = {.image_size = 16, .width = 8, .sharing = "none"},
                                .epochs = 6,
                                .batch = 32,
                                .optimizer = "adam",
                                .lr = 0.02f,
                                .weight_decay = -1,
                                .augment = "none",
                                .seed = 5,
                                .output = path,
                                .progress = remember,
                                .user = &loss};
    OK(adatom_pretrain(device, base, &p, &starts[0]));
    const double chance = log(64);
    OK(adatom_model_decompose(starts[0], &replace, &starts[1]));
    OK(adatom_model_decompose(starts[0], &residual, &starts[2]));
    p.epochs = 1;
    for (int i = 0; i < 3; i++) {
        p.model = (adatom_model_params){0};
        p.from = starts[i];
        p.lr = 1e-30f; /* nothing moves: the loss is that of the start, its classifier included */
        OK(adatom_pretrain(device, base, &p, &after));
        check_kernels(after, starts[i], false);
        ck_assert_msg(loss < chance - 0.1, "start %d: loss %.3f, a new classifier has %.3f", i, loss, chance);
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
    adatom_dataset_info info;
    adatom_dataset_describe(novel, &info);
    p.lr = 1e-30f;
    OK(adatom_pretrain(device, novel, &p, NULL));
    ck_assert_double_eq_tol(loss, log(info.classes), 1e-3);

    static const struct {
        adatom_model_params model;
        const char *says;
    } wrong[] = {{{.arch = "resnet10"}, "architecture conv4, not resnet10"},
                 {{.sharing = "net"}, "sharing layer, not net"},
                 {{.stem = "3x3"}, "stem none, not 3x3"},
                 {{.atoms = 8}, "atoms 12, not 8"},
                 {{.image_size = 20}, "image size 16, not 20"},
                 {{.width = 16}, "width 8, not 16"},
                 {{.decompose_first = true}, "ordinary first convolution"}};
    unlink(path);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        p.model = wrong[i].model;
        ck_assert_int_eq(adatom_pretrain(device, base, &p, NULL), ADATOM_USAGE);
        ck_assert_msg(strstr(adatom_context_message(ctx), wrong[i].says) != NULL, "%s", adatom_context_message(ctx));
    }
    ck_assert_int_ne(access(path, F_OK), 0);
    for (int i = 0; i < 3; i++) adatom_model_destroy(&starts[i]);
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
    suite_add_tcase(suite, adapt);
    suite_add_tcase(suite, train);
    suite_add_tcase(suite, start);
    return run_suite(suite, CK_NOFORK);
}
