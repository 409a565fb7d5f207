/* Adaptation through the public API, on the CPU engine and small pictures. */
#include "fewshot/episodes.h"
#include "fewshot/method.h"
#include "net/network.h"
#include "tests/choices.h"
#include "tests/shapes_fixture.h"

#include <adatom/train.h>
#include <adatom/transfer.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static adatom_episodes *episodes(int tasks, int shot) {
    const adatom_episodes_params p = {
        .size = sizeof(adatom_episodes_params), .way = 3, .shot = shot, .query = 3, .tasks = tasks, .seed = 9};
    adatom_episodes *list;
    OK(adatom_episodes_create(ctx, novel, &p, &list));
    return list;
}

START_TEST(test_tasks_at_once) {
    /* Task by task the same predictions, whether 1, 3 or all run at once, and whatever part of the list is asked
     * for. */
    adatom_episodes *list = episodes(7, 2);
    adatom_method method = {.size = sizeof(adatom_method), .adapt = (adatom_adapt_kind)_i, .steps = 4};
    adatom_evaluation *all, *other;
    adatom_evaluation_info a = ADATOM_INIT(adatom_evaluation_info), b = ADATOM_INIT(adatom_evaluation_info);
    method.tasks_at_once = 7;
    OK(adatom_adapt_episodes(device, model, RUN(novel, list, method), &all));
    adatom_evaluation_describe(all, &a);
    ck_assert_int_eq(a.tasks_at_once, 7);
    for (int at_once = 1; at_once <= 3; at_once += 2) {
        method.tasks_at_once = at_once;
        OK(adatom_adapt_episodes(device, model, RUN(novel, list, method, .first = 1, .count = 5), &other));
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
    const uint64_t want[] = {[ADATOM_ADAPT_CENTROID] = 0,
                             [ADATOM_ADAPT_HEAD] = head + 3,
                             [ADATOM_ADAPT_COSINE] = head,
                             [ADATOM_ADAPT_ATOMS] = head + atoms,
                             [ADATOM_ADAPT_NORM] = head + norm,
                             [ADATOM_ADAPT_ATOMS_NORM] = head + atoms + norm,
                             [ADATOM_ADAPT_FULL] = head + atoms + norm + ordinary + coefficients,
                             [ADATOM_ADAPT_LORA] = head + lora,
                             [ADATOM_ADAPT_DORA] = head + lora + 4 * 8,
                             [ADATOM_ADAPT_BORA] = head + lora + 4 * 8 + 3 + 3 * 8,
                             [ADATOM_ADAPT_TSA] = head + (3 + 3 * 8) * 8 + 8 * 8, /* and the alignment */
                             [ADATOM_ADAPT_LOGISTIC] = head + 3,
                             [ADATOM_ADAPT_LDA] = head + 3,
                             [ADATOM_ADAPT_KNN] = 0,
                             [ADATOM_ADAPT_BD_CSPN] = head,
                             [ADATOM_ADAPT_SIMPLESHOT] = head};
    _Static_assert(AD_COUNT(want) == ADAPT_KINDS, "a method of adatom/choice.h has no row");
    adatom_episodes *list = episodes(1, 1);
    for (int kind = 1; kind < ADAPT_KINDS; kind++) {
        const adatom_method method = {.size = sizeof(adatom_method), .adapt = (adatom_adapt_kind)kind, .steps = 1};
        adatom_evaluation *e;
        adatom_evaluation_info info = ADATOM_INIT(adatom_evaluation_info);
        if (kind == ADATOM_ADAPT_SIMPLESHOT) model->base_mean = ad_calloc(ctx, 8, sizeof(float));
        OK(adatom_adapt_episodes(device, model, RUN(novel, list, method), &e));
        adatom_evaluation_describe(e, &info);
        ck_assert_msg(info.adapted == want[kind], "%s: %ju adapted, %ju expected", adatom_adapt_kind_name(method.adapt),
                      (uintmax_t)info.adapted, (uintmax_t)want[kind]);
        adatom_evaluation_destroy(&e);
    }
    adatom_episodes_destroy(&list);
}
END_TEST

START_TEST(test_memory_limit_chunks) {
    adatom_episodes *list = episodes(6, 1);
    adatom_method method = {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_FULL, .steps = 2};
    adatom_adapt_plan_info many = ADATOM_INIT(adatom_adapt_plan_info), few = many;
    OK(adatom_adapt_plan(device, model, RUN(novel, list, method), &many));
    method.memory_bytes = many.arena_bytes / 2;
    OK(adatom_adapt_plan(device, model, RUN(novel, list, method), &few));
    ck_assert_int_lt(few.tasks_at_once, many.tasks_at_once);
    ck_assert_int_ge(few.tasks_at_once, 1);
    ck_assert_uint_le(few.arena_bytes, method.memory_bytes);
    adatom_evaluation *e;
    adatom_evaluation_info info = ADATOM_INIT(adatom_evaluation_info);
    OK(adatom_adapt_episodes(device, model, RUN(novel, list, method), &e));
    adatom_evaluation_describe(e, &info);
    ck_assert_int_eq(info.tasks, 6);
    ck_assert_int_eq(info.tasks_at_once, few.tasks_at_once);
    adatom_evaluation_destroy(&e);
    adatom_episodes_destroy(&list);
}
END_TEST

/* Evaluating on the way changes nothing: each number of steps gives what a run of its own gives. */
START_TEST(test_steps_on_the_way) {
    static const int steps[] = {0, 1, 2, 5};
    adatom_episodes *list = episodes(5, 2);
    for (int kind = ADATOM_ADAPT_HEAD; kind < SOLVED_KINDS; kind++) { /* the centroid takes no steps */
        adatom_method method = {.size = sizeof(adatom_method), .adapt = (adatom_adapt_kind)kind, .tasks_at_once = 2};
        adatom_evaluation *on_the_way[4], *alone;
        adatom_evaluation_info a = ADATOM_INIT(adatom_evaluation_info), b = ADATOM_INIT(adatom_evaluation_info);
        OK(adatom_adapt_steps(device, model, RUN(novel, list, method, .steps = steps, .step_count = 4), on_the_way, 4));
        /* The start is where a step that changes nothing leads. */
        adatom_method still = method;
        still.steps = 1;
        still.lr = still.lr_atoms = still.lr_norm = still.lr_full = still.lr_adapter = -1;
        OK(adatom_adapt_episodes(device, model, RUN(novel, list, still), &alone));
        adatom_evaluation_describe(on_the_way[0], &a);
        adatom_evaluation_describe(alone, &b);
        ck_assert_mem_eq(a.predictions, b.predictions, 5 * 9 * sizeof(int32_t));
        ck_assert_int_eq(a.steps, 0);
        ck_assert_int_eq(a.diverged, 0);
        adatom_evaluation_destroy(&alone);
        adatom_evaluation_destroy(&on_the_way[0]);
        for (int k = 1; k < 4; k++) {
            method.steps = steps[k];
            OK(adatom_adapt_episodes(device, model, RUN(novel, list, method), &alone));
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
    static const int descending[] = {2, 1}, nothing[] = {0}, negative[] = {-1, 2};
    const struct {
        const adatom_method *method;
        const int *steps;
        size_t count;
    } wrong[] = {{&atoms, nothing, 1},
                 {&atoms, negative, 2},
                 {&atoms, descending, 2},
                 {&centroid, steps, 2},
                 {&recipe, steps, 2}};
    for (size_t i = 0; i < AD_COUNT(wrong); i++)
        ck_assert_int_eq(adatom_adapt_steps(
                             device, model,
                             RUN(novel, list, *wrong[i].method, .steps = wrong[i].steps, .step_count = wrong[i].count),
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
    OK(adatom_adapt_episodes(device, model, RUN(novel, list, method, .progress = batch_ended, .user = &w), &e));
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
    OK(adatom_adapt_episodes(device, model, RUN(novel, list, method), &e));
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

/* Where heads start: at the classes that the directions of the class means give, for a linear one as for a cosine
 * one. */
START_TEST(test_heads_start_from_means) {
    static const adatom_method starts[] = {
        {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_CENTROID, .distance = ADATOM_DISTANCE_COSINE},
        {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_HEAD, .lr = -1, .steps = 1},
        {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_COSINE, .lr = -1, .steps = 1},
        {.size = sizeof(adatom_method),
         .adapt = ADATOM_ADAPT_HEAD,
         .lr = -1,
         .steps = 1,
         .head_init = ADATOM_HEAD_INIT_ZERO}};
    enum { PREDICTIONS = 20 * 9 };
    adatom_episodes *list = episodes(20, 2);
    int32_t first[PREDICTIONS];
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        adatom_evaluation *e;
        adatom_evaluation_info info = ADATOM_INIT(adatom_evaluation_info);
        OK(adatom_adapt_episodes(device, model, RUN(novel, list, starts[i]), &e));
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

/* Wrong labels: as many pictures a class as before, more noise turns more of the same ones; methods see them, on the
 * device and on the host, and queries keep theirs. */
START_TEST(test_label_noise) {
    const adatom_episodes_info of = {.way = 3, .shot = 5};
    int wrong[3] = {0}, of_class[3] = {0};
    for (int i = 0; i < 15; i++) {
        const int before = ad_support_label(&of, i, 0), few = ad_support_label(&of, i, 0.2f),
                  many = ad_support_label(&of, i, 0.5f);
        ck_assert_int_eq(before, i / 5);
        ck_assert(few == before || few == many);
        wrong[0] += few != before;
        wrong[1] += many != before;
        of_class[many]++;
    }
    ck_assert_int_eq(wrong[0], 3);
    ck_assert_int_eq(wrong[1], 9); /* round(2.5) = 3 of 5 */
    for (int k = 0; k < 3; k++) ck_assert_int_eq(of_class[k], 5);
    /* With all labels those of the next class, every answer is the next class's. */
    adatom_episodes *list = episodes(6, 2);
    static const adatom_adapt_kind kinds[] = {ADATOM_ADAPT_CENTROID, ADATOM_ADAPT_COSINE, ADATOM_ADAPT_ATOMS,
                                              ADATOM_ADAPT_LDA,      ADATOM_ADAPT_KNN,    ADATOM_ADAPT_BD_CSPN};
    for (size_t k = 0; k < AD_COUNT(kinds); k++) {
        adatom_method method = {.size = sizeof method, .adapt = kinds[k], .steps = 2};
        adatom_evaluation *right, *turned;
        adatom_evaluation_info a = ADATOM_INIT(adatom_evaluation_info), b = ADATOM_INIT(adatom_evaluation_info);
        OK(adatom_adapt_episodes(device, model, RUN(novel, list, method), &right));
        method.label_noise = 0.99f;
        OK(adatom_adapt_episodes(device, model, RUN(novel, list, method), &turned));
        adatom_evaluation_describe(right, &a);
        adatom_evaluation_describe(turned, &b);
        int differ = 0;
        for (int i = 0; i < 6 * 9; i++) differ += b.predictions[i] != (a.predictions[i] + 1) % 3;
        ck_assert_msg(differ <= 1, "%s: %d of 54 answers are not the next class", adatom_adapt_kind_name(kinds[k]),
                      differ);
        ck_assert_ptr_nonnull(strstr(b.config_json, "\"label_noise\":0.99"));
        ck_assert_ptr_null(strstr(a.config_json, "label_noise"));
        adatom_evaluation_destroy(&right);
        adatom_evaluation_destroy(&turned);
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
    OK(adatom_adapt_episodes(device, model, RUN(novel, list, method), &a));
    adatom_evaluation_describe(a, &x);
    ck_assert_int_eq(x.steps, 200);
    method.tasks_at_once = 1;
    OK(adatom_adapt_episodes(device, model, RUN(novel, list, method), &b));
    adatom_evaluation_describe(b, &y);
    ck_assert_mem_eq(x.predictions, y.predictions, 18 * sizeof(int32_t));
    adatom_evaluation_destroy(&a);
    adatom_evaluation_destroy(&b);
    method.adapt = ADATOM_ADAPT_ATOMS;
    ck_assert_int_eq(adatom_adapt_episodes(device, model, RUN(novel, list, method), &a), ADATOM_USAGE);
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
        {.adapt = ADATOM_ADAPT_LOGISTIC, .inverse_penalty = -1},
        {.adapt = ADATOM_ADAPT_LOGISTIC, .inverse_penalty = 2e6f},
        {.adapt = ADATOM_ADAPT_LOGISTIC, .inverse_penalty = NAN},
        {.adapt = ADATOM_ADAPT_LDA, .shrinkage = 1.5f},
        {.adapt = ADATOM_ADAPT_LDA, .shrinkage = -0.5f},
        {.adapt = ADATOM_ADAPT_KNN, .neighbours = -1},
        {.label_noise = 1},
        {.adapt = ADATOM_ADAPT_SIMPLESHOT}, /* of a model that was not trained */
        {.label_noise = -0.1f},
        {.adapt = ADATOM_ADAPT_LDA, .label_noise = NAN},
        {.adapt = ADATOM_ADAPT_BD_CSPN, .bn = ADATOM_BN_SUPPORT},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        adatom_method method = wrong[i];
        method.size = sizeof method;
        ck_assert_int_eq(adatom_adapt_episodes(device, model, RUN(novel, list, method), &e), ADATOM_USAGE);
        ck_assert_ptr_null(e);
    }
    /* What is negative is none, and none is not the default. */
    const adatom_method none = {
        .size = sizeof(adatom_method), .lr = 0.25f, .lr_atoms = -1, .momentum = -1, .dampening = -1};
    char text[512];
    OK(adatom_method_text(ctx, &none, NULL, text, sizeof text));
    ck_assert_msg(strstr(text, "\"beta1\":0.0,\"beta2\":0.0,") && strstr(text, "\"lr_atoms\":0.0,\"lr\":0.25}"), "%s",
                  text);
    const adatom_method method = ADATOM_INIT(adatom_method);
    ck_assert_int_eq(adatom_adapt_episodes(device, model, RUN(novel, list, method, .first = 1, .count = 2), &e),
                     ADATOM_USAGE);
    ck_assert_int_eq(adatom_adapt_episodes(device, model, RUN(base, list, method), &e), ADATOM_BAD_DATA);
    adatom_episodes_destroy(&list);
}
END_TEST

/* Networks that were imported have defaults of their own, where nothing else is given. */
START_TEST(defaults_of_imported) {
    adatom_model imported = *model;
    ad_settings ours, theirs;
    snprintf(imported.origin.layout, sizeof imported.origin.layout, "timm");
    adatom_method method = {.adapt = ADATOM_ADAPT_ATOMS_NORM, .lr_norm = -1};
    OK(ad_settings_resolve(ctx, &method, model, &ours));
    OK(ad_settings_resolve(ctx, &method, &imported, &theirs));
    ck_assert_int_eq(ours.steps, 10);
    ck_assert_int_eq(theirs.steps, 30);
    ck_assert(ours.lr[AD_ROLE_HEAD] == 0.01f && theirs.lr[AD_ROLE_HEAD] == 0.03f);
    ck_assert(ours.lr[AD_ROLE_NORM] == 0 && theirs.lr[AD_ROLE_NORM] == 0);
    char zero[512], given[512]; /* 0 is another rate there */
    method = (adatom_method){.size = sizeof method, .lr = 0.01f};
    OK(adatom_method_text(ctx, &method, &imported, given, sizeof given));
    method.lr = 0;
    OK(adatom_method_text(ctx, &method, &imported, zero, sizeof zero));
    ck_assert_str_ne(zero, given);
    OK(adatom_method_text(ctx, &method, model, zero, sizeof zero));
    method.lr = 0.01f;
    OK(adatom_method_text(ctx, &method, model, given, sizeof given));
    ck_assert_str_eq(zero, given);
    method = (adatom_method){.adapt = ADATOM_ADAPT_FULL};
    OK(ad_settings_resolve(ctx, &method, &imported, &theirs));
    ck_assert(theirs.lr[AD_ROLE_COEFFICIENTS] == 1e-4f && theirs.lr[AD_ROLE_ATOMS] == 1e-4f);
    method = (adatom_method){.adapt = ADATOM_ADAPT_ATOMS, .steps = 7, .lr = 0.5f, .optimizer = ADATOM_OPTIMIZER_SGD};
    OK(ad_settings_resolve(ctx, &method, model, &ours));
    OK(ad_settings_resolve(ctx, &method, &imported, &theirs));
    ck_assert(!memcmp(&ours, &theirs, sizeof ours)); /* the rates are Adam's */
    method = (adatom_method){.adapt = ADATOM_ADAPT_HEAD, .procedure = ADATOM_PROCEDURE_CLOSERLOOK_BASELINE};
    OK(ad_settings_resolve(ctx, &method, model, &ours));
    OK(ad_settings_resolve(ctx, &method, &imported, &theirs));
    ck_assert(!memcmp(&ours, &theirs, sizeof ours));
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
        OK(adatom_adapt_plan(devices[half], wide, RUN(novel, list, method), &plans[half]));
        ck_assert_int_eq(plans[half].tasks_at_once, TASKS);
        OK(adatom_adapt_episodes(devices[half], wide, RUN(novel, list, method), &runs[half]));
        adatom_evaluation_describe(runs[half], &info[half]);
        ck_assert_uint_eq(info[half].arena_bytes, plans[half].arena_bytes);
    }
    for (int i = 0; i < TASKS * QUERIES; i++) differ += info[0].predictions[i] != info[1].predictions[i];
    ck_assert_int_le(differ, TASKS * QUERIES / 40);
    ck_assert_uint_lt(10 * plans[1].arena_bytes, 8 * plans[0].arena_bytes);
    method.memory_bytes = plans[1].arena_bytes;
    for (int half = 0; half < 2; half++)
        OK(adatom_adapt_plan(devices[half], wide, RUN(novel, list, method), &plans[half]));
    ck_assert_int_lt(plans[0].tasks_at_once, plans[1].tasks_at_once);
    /* A method without responses is the same in both. */
    method = (adatom_method){.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_FULL, .steps = 1};
    for (int half = 0; half < 2; half++)
        OK(adatom_adapt_plan(devices[half], wide, RUN(novel, list, method), &plans[half]));
    ck_assert_uint_eq(plans[0].arena_bytes, plans[1].arena_bytes);
    for (int half = 0; half < 2; half++) adatom_evaluation_destroy(&runs[half]);
    adatom_episodes_destroy(&list);
    adatom_model_destroy(&wide);
    adatom_device_destroy(&devices[1]);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("adapt");
    TCase *adapt = tcase_create("adapt");
    tcase_add_checked_fixture(adapt, setup, teardown);
    tcase_add_loop_test(adapt, test_tasks_at_once, 1, SOLVED_KINDS);
    tcase_add_test(adapt, defaults_of_imported);
    tcase_add_test(adapt, test_adapted_numbers);
    tcase_add_test(adapt, test_memory_limit_chunks);
    tcase_add_test(adapt, test_cost_is_linear_in_tasks);
    tcase_add_test(adapt, test_steps_on_the_way);
    tcase_add_test(adapt, test_batch_norm_policies);
    tcase_add_test(adapt, test_heads_start_from_means);
    tcase_add_test(adapt, test_label_noise);
    tcase_add_test(adapt, test_closerlook_recipe);
    tcase_add_test(adapt, test_half_precision);
    tcase_add_test(adapt, test_refusals);
    suite_add_tcase(suite, adapt);
    return run_suite(suite, CK_NOFORK);
}
