/* Meta-training through the public API, on the CPU engine and small pictures. The gradients are those of
 * tests/network/meta.c. */
#include "fewshot/metatrain.h"
#include "io/json.h"
#include "tests/choices.h"
#include "tests/shapes_fixture.h"
#include "tests/support/hooks.h"

#include <adatom/train.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAY = 3, STEPS_PER_EPOCH = 6, STEPS = 2 * STEPS_PER_EPOCH, PICTURES = 64 * 8 * 3 * 16 * 16 };

static const adatom_model_params small = {.size = sizeof small, .image_size = 16, .width = 8, .atoms = 4};
static char path[64], left[80];

static void begin(void) {
    setup();
    snprintf(path, sizeof path, "/tmp/adatom-meta-%d.safetensors", (int)getpid());
    snprintf(left, sizeof left, "%s.checkpoint", path);
}

static void end(void) {
    unlink(path);
    unlink(left);
    teardown();
}

typedef struct kind {
    adatom_meta meta;
    const char *adapt;
    adatom_distance distance;
    adatom_head head;
    bool learned;
} kind;

static const kind kinds[] = {
    {.meta = ADATOM_META_PROTONET},
    {.meta = ADATOM_META_PROTONET, .distance = ADATOM_DISTANCE_COSINE},
    {.meta = ADATOM_META_MAML, "atoms"},
    {.meta = ADATOM_META_MAML, "full", .head = ADATOM_HEAD_LINEAR, .learned = true},
    {.meta = ADATOM_META_ANIL},
    {.meta = ADATOM_META_ANIL, .learned = true},
    {.meta = ADATOM_META_REPTILE, "atoms+norm"},
};

/* What a run was seen to do, and when to stop it. */
typedef struct watch {
    int polls, stop; /* calls, at which of them the run is interrupted; 0: at none */
    uint64_t done;   /* steps */
    bool streamed;
    size_t arena_bytes;
    double loss, accuracy, validation, first_loss; /* of the last epoch, and of the first */
} watch;

static bool see(void *user, const adatom_progress *progress) {
    const adatom_training_progress *now = progress->training;
    watch *w = user;
    w->polls++;
    if (now) {
        w->done = progress->done;
        w->streamed = now->streamed;
        w->arena_bytes = now->arena_bytes;
    }
    if (now && now->epoch_end) {
        w->loss = now->loss;
        w->accuracy = now->accuracy;
        w->validation = now->validation;
        if (now->epoch == 1) w->first_loss = now->loss;
    }
    return !w->stop || w->polls < w->stop;
}

static adatom_method method_of(const kind *k) {
    return (adatom_method){.size = sizeof(adatom_method),
                           .adapt = adapt_of(k->adapt),
                           .steps = 2,
                           .head = k->head,
                           .head_init = k->learned ? ADATOM_HEAD_INIT_MODEL : ADATOM_HEAD_INIT_DEFAULT};
}

/* inner: by method_of(), which lives as long as the params. running: from the fixture's model. */
static adatom_metatrain_params params_of(const kind *k, const adatom_method *inner, bool running, watch *w) {
    return (adatom_metatrain_params){.size = sizeof(adatom_metatrain_params),
                                     .model = running ? NULL : &small,
                                     .from = running ? model : NULL,
                                     .meta = k->meta,
                                     .distance = k->distance,
                                     .inner = k->meta == ADATOM_META_PROTONET ? NULL : inner,
                                     .way = WAY,
                                     .shot = 2,
                                     .query = 3,
                                     .meta_batch = 4,
                                     .epochs = 2,
                                     .epoch_tasks = 4 * STEPS_PER_EPOCH,
                                     .lr = 0.01f,
                                     .seed = 4,
                                     .output = path,
                                     .progress = see,
                                     .user = w};
}

/* Trains to the end. The caller owns the result. */
static adatom_model *train(const adatom_metatrain_params *p) {
    adatom_model *result = NULL;
    OK(adatom_metatrain(device, base, p, &result));
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert_int_ne(access(left, F_OK), 0);
    return result;
}

static void check_same(const adatom_model *a, const adatom_model *b, const char *what) {
    adatom_model_info x = ADATOM_INIT(adatom_model_info), y = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(a, &x);
    adatom_model_describe(b, &y);
    ck_assert_msg(strcmp(x.hash, y.hash) == 0, "%s: hash %s, not %s", what, y.hash, x.hash);
    ck_assert_mem_eq(a->base_mean, b->base_mean, (size_t)x.features * sizeof(float));
    ck_assert_str_eq(x.notes, y.notes);
}

static void check_refused(const adatom_metatrain_params *p, adatom_status status, const char *says) {
    const adatom_status got = adatom_metatrain(device, base, p, NULL);
    ck_assert_msg(got == status && strstr(adatom_context_message(ctx), says), "%s, not %s ('%s'): %s",
                  adatom_status_name(got), adatom_status_name(status), says, adatom_context_message(ctx));
}

/* Whatever decides the numbers is part of what a checkpoint must fit. */
static void check_other_settings(const kind *k, adatom_metatrain_params p) {
    const adatom_metatrain_params mine = p;
    const char *says = "other settings";
    adatom_method inner = method_of(k);
    p.lr = 0.02f;
    check_refused(&p, ADATOM_BAD_DATA, says);
    p = mine;
    p.seed = 5;
    check_refused(&p, ADATOM_BAD_DATA, says);
    p = mine;
    p.query = 4;
    check_refused(&p, ADATOM_BAD_DATA, says);
    p = mine;
    p.norms = p.from ? ADATOM_META_NORMS_TASK : ADATOM_META_NORMS_RUNNING;
    check_refused(&p, ADATOM_BAD_DATA, says);
    p = mine;
    p.fast = true;
    check_refused(&p, ADATOM_BAD_DATA, says);
    p = mine;
    if (k->meta == ADATOM_META_PROTONET) {
        p.distance = ADATOM_DISTANCE_COSINE;
        p.cosine_scale = 5;
    } else {
        inner.lr = 0.02f;
        p.inner = &inner;
    }
    check_refused(&p, ADATOM_BAD_DATA, says);
}

/* A whole run, and one that is interrupted within an epoch and resumed, with its tasks one after the other, and with
 * pictures that pass through. */
START_TEST(test_the_same_model) {
    const kind *k = &kinds[_i / 2];
    const adatom_method inner = method_of(k);
    watch w = {0};
    adatom_metatrain_params p = params_of(k, &inner, _i % 2, &w);
    long step = 0;
    adatom_model *whole = train(&p);
    ck_assert(!w.streamed);
    const int polls = w.polls;

    p.resume = true;
    unlink(path);
    /* How often it asks depends on how busy the machine is: other places are tried until one is within an epoch. */
    for (int part = 3; part < 12 && step % STEPS_PER_EPOCH == 0; part++) {
        unlink(left);
        w = (watch){.stop = polls / part};
        ck_assert_int_eq(adatom_metatrain(device, base, &p, NULL), ADATOM_INTERRUPTED);
        ck_assert_msg(sscanf(adatom_context_message(ctx), "interrupted at step %ld of 12;", &step) == 1, "%s",
                      adatom_context_message(ctx));
    }
    ck_assert_msg(step % STEPS_PER_EPOCH != 0, "%s", adatom_context_message(ctx));
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(access(left, F_OK), 0);
    w = (watch){0};
    check_other_settings(k, p);
    p.tasks_at_once = 3; /* so many do not divide a step's: there are two */
    adatom_model *resumed = train(&p);
    check_same(whole, resumed, "resumed");

    p.resume = false;
    p.tasks_at_once = 1;
    w = (watch){0};
    adatom_model *single = train(&p);
    check_same(whole, single, "one task at once");
    ck_assert(!w.streamed);
    p.memory_bytes = w.arena_bytes - PICTURES / 2;
    w = (watch){0};
    adatom_model *streamed = train(&p);
    check_same(whole, streamed, "streamed");
    ck_assert(w.streamed);
    adatom_model_destroy(&whole);
    adatom_model_destroy(&resumed);
    adatom_model_destroy(&single);
    adatom_model_destroy(&streamed);
}
END_TEST

/* Interrupted wherever it asks, also between the groups of a step: what is left goes on to the same model. */
START_TEST(test_interrupts_everywhere) {
    const kind *k = &kinds[_i ? 5 : 6];
    const adatom_method inner = method_of(k);
    watch w = {0};
    adatom_metatrain_params p = params_of(k, &inner, false, &w);
    p.epochs = 1;
    p.epoch_tasks = 8;
    p.tasks_at_once = 2;
    adatom_model *whole = train(&p);
    const int polls = w.polls;
    ck_assert_int_gt(polls, 8);
    p.resume = true;
    for (int at = 1; at <= polls; at += 3) {
        w = (watch){.stop = at};
        const adatom_status status = adatom_metatrain(device, base, &p, NULL);
        if (status == ADATOM_OK) { /* how often it is asked depends on which lane takes which task */
            ck_assert_int_gt(at, polls / 2);
            break;
        }
        ck_assert_msg(status == ADATOM_INTERRUPTED, "%d: %s", at, adatom_context_message(ctx));
        w = (watch){0};
        adatom_model *resumed = train(&p);
        check_same(whole, resumed, "resumed");
        adatom_model_destroy(&resumed);
    }
    adatom_model_destroy(&whole);
}
END_TEST

static adatom_status adapt(const adatom_model *to, int way, adatom_evaluation **out) {
    const adatom_method method = {.size = sizeof method, .head_init = ADATOM_HEAD_INIT_MODEL, .steps = 2};
    const adatom_episodes_params e = {.size = sizeof e, .way = way, .shot = 2, .query = 3, .tasks = 4};
    adatom_episodes *list = NULL;
    OK(adatom_episodes_create(ctx, novel, &e, &list));
    const adatom_status status = adatom_adapt_episodes(device, to, RUN(novel, list, method), out);
    adatom_episodes_destroy(&list);
    return status;
}

/* A learned classifier is part of the model, and episodes start from it; also a cosine, which cannot start at zero. */
START_TEST(test_learned_classifier) {
    const kind *k = &kinds[_i ? 5 : 3];
    const adatom_method inner = method_of(k);
    watch w = {0};
    adatom_metatrain_params p = params_of(k, &inner, false, &w);
    adatom_model *learned = train(&p);
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(learned, &info);
    ck_assert_int_eq(info.classes, WAY);
    ck_assert_msg(w.first_loss < 2, "a new classifier's loss is near log(3) = 1.10, not %.3f", w.first_loss);
    adatom_evaluation *evaluation = NULL;
    adatom_evaluation_info result = ADATOM_INIT(adatom_evaluation_info);
    OK(adapt(learned, WAY, &evaluation));
    adatom_evaluation_describe(evaluation, &result);
    ck_assert_int_eq(result.diverged, 0);
    ck_assert_ptr_nonnull(strstr(result.config_json, "\"head_init\":\"base\""));
    adatom_evaluation_destroy(&evaluation);
    ck_assert_int_eq(adapt(learned, 5, &evaluation), ADATOM_USAGE);
    ck_assert_msg(strstr(adatom_context_message(ctx), "has 3 classes; there are 5"), "%s", adatom_context_message(ctx));
    ck_assert_int_eq(adapt(model, WAY, &evaluation), ADATOM_USAGE);
    ck_assert_msg(strstr(adatom_context_message(ctx), "no classifier to start from"), "%s",
                  adatom_context_message(ctx));

    /* From a model with as many classes it goes on with its classifier, else with a new one. */
    const ad_network *net = &learned->net;
    const ad_param *head = &net->params[net->head];
    adatom_model *on = NULL, *other = NULL;
    p.from = learned;
    p.model = NULL;
    p.lr = 1e-30f;
    on = train(&p);
    ck_assert_mem_eq(on->values + on->net.params[on->net.head].offset, learned->values + head->offset,
                     head->count * sizeof(float));
    p.way = 4;
    other = train(&p);
    adatom_model_describe(other, &info);
    ck_assert_int_eq(info.classes, 4);
    adatom_model_destroy(&learned);
    adatom_model_destroy(&on);
    adatom_model_destroy(&other);
}
END_TEST

/* Whether the parameters of a role are others than the fixture's model has, each of them, or none is. */
static void check_moved(const adatom_model *after, ad_role role, bool moved) {
    for (int i = 0; i < model->net.param_count; i++) {
        const ad_param *was = &model->net.params[i];
        for (int j = 0; j < after->net.param_count && was->role == role; j++) {
            const ad_param *is = &after->net.params[j];
            if (strcmp(is->name, was->name) != 0) continue;
            const bool same =
                memcmp(after->values + is->offset, model->values + was->offset, was->count * sizeof(float)) == 0;
            ck_assert_msg(same != moved, "%s %s", was->name, same ? "did not move" : "moved");
        }
    }
}

/* What moves, by the roles of parameters: everything that is learned, and statistics where they are a task's. */
START_TEST(test_what_moves) {
    const kind *k = &kinds[_i / 2];
    const bool running = _i % 2;
    const adatom_method inner = method_of(k);
    watch w = {0};
    adatom_metatrain_params p = params_of(k, &inner, true, &w);
    p.norms = running ? ADATOM_META_NORMS_RUNNING : ADATOM_META_NORMS_TASK;
    adatom_model *after = train(&p);
    for (int role = 0; role < AD_ROLE_COUNT; role++)
        if (role != AD_ROLE_HEAD) check_moved(after, (ad_role)role, role != AD_ROLE_STATISTICS || !running);
    adatom_model_destroy(&after);
}
END_TEST

/* Reptile goes no way at all where the steps of its tasks went none, however many tasks there are. */
START_TEST(test_still_tasks) {
    const adatom_method inner = {
        .size = sizeof inner, .adapt = ADATOM_ADAPT_ATOMS_NORM, .lr = -1, .lr_atoms = -1, .lr_norm = -1};
    watch w = {0};
    adatom_metatrain_params p = params_of(&kinds[6], &inner, true, &w);
    p.meta_batch = 3;
    adatom_model *after = train(&p);
    check_moved(after, AD_ROLE_ATOMS, false);
    check_moved(after, AD_ROLE_NORM, false);
    check_moved(after, AD_ROLE_COEFFICIENTS, true);
    adatom_model_destroy(&after);
}
END_TEST

static const char *text_at(json_t *notes, const char *name) { return json_string_value(json_object_get(notes, name)); }

START_TEST(test_notes) {
    const kind *k = &kinds[_i];
    const bool prototypes = k->meta == ADATOM_META_PROTONET;
    const adatom_method inner = method_of(k);
    watch w = {0};
    static const int milestones[] = {1};
    adatom_metatrain_params p = params_of(k, &inner, false, &w);
    p.milestones = milestones;
    p.milestone_count = 1;
    p.command = "a command";
    adatom_model *result = train(&p);
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(result, &info);
    json_t *notes = json_loads(info.notes, 0, NULL), *how = json_object_get(notes, "inner");
    ck_assert_ptr_nonnull(notes);
    static const struct {
        const char *name;
        int value;
    } numbers[] = {{"way", WAY},  {"shot", 2},      {"query", 3},        {"meta_batch", 4},
                   {"epochs", 2}, {"steps", STEPS}, {"epoch_tasks", 24}, {"epochs_done", 2}};
    for (size_t i = 0; i < AD_COUNT(numbers); i++)
        ck_assert_msg(json_integer_value(json_object_get(notes, numbers[i].name)) == numbers[i].value, "%s",
                      info.notes);
    ck_assert_str_eq(text_at(notes, "meta"), adatom_meta_name(k->meta));
    ck_assert_str_eq(text_at(notes, "norms"), "task");
    ck_assert_str_eq(text_at(notes, "optimizer"), "adam");
    ck_assert_str_eq(text_at(notes, "command"), "a command");
    ck_assert_double_eq_tol(json_real_value(json_object_get(notes, "decay")), 0.5, 1e-6);
    ck_assert_int_eq(how == NULL, prototypes);
    if (how) ck_assert_str_eq(text_at(how, "head_init"), k->learned ? "base" : "means");
    if (how) ck_assert_str_eq(text_at(how, "adapt"), k->adapt ? k->adapt : "cosine");
    json_t *scale = json_object_get(notes, "cosine_scale");
    ck_assert_int_eq(scale != NULL, prototypes && k->distance == ADATOM_DISTANCE_COSINE);
    if (scale) /* it is learned: 12 steps of Adam at 0.01, halved after six */
        ck_assert_msg(fabs(json_real_value(scale) - 10) > 0.01 && fabs(json_real_value(scale) - 10) < 0.12, "%g",
                      json_real_value(scale));
    json_decref(notes);
    adatom_model_destroy(&result);
}
END_TEST

/* From scratch; five classes that it is not trained on are told apart far better than by chance. */
START_TEST(test_it_learns) {
    const adatom_dataset_params
        b = {.size = sizeof(adatom_dataset_params), .image_size = 16, .split = "base", .builtin_per_class = 20},
        v = {.size = sizeof(adatom_dataset_params), .image_size = 16, .split = "val", .builtin_per_class = 20};
    const adatom_model_params wide = {.size = sizeof wide, .width = 16};
    adatom_dataset *pictures, *others;
    OK(adatom_dataset_open(ctx, "builtin:shapes", &b, &pictures));
    OK(adatom_dataset_open(ctx, "builtin:shapes", &v, &others));
    const kind *k = &kinds[_i == 0 ? 1 : _i == 1 ? 2 : 6];
    const adatom_method inner = {.size = sizeof inner, .lr = 0.1f};
    watch w = {0};
    adatom_metatrain_params p = params_of(k, &inner, false, &w);
    p.model = &wide;
    p.way = 10;
    p.shot = p.query = 5;
    p.epochs = 4;
    p.epoch_tasks = 120;
    p.augment = ADATOM_AUGMENT_NONE;
    p.seed = 1;
    p.validation = others;
    p.validation_tasks = 50;
    adatom_model *result = NULL;
    OK(adatom_metatrain(device, pictures, &p, &result));
    ck_assert_msg(w.loss < log(10) - 0.4 && w.loss < w.first_loss - 0.3, "loss %.3f, at first %.3f; chance is %.3f",
                  w.loss, w.first_loss, log(10));
    ck_assert_msg(w.accuracy > 0.25, "accuracy %.3f, chance is 0.1", w.accuracy);
    ck_assert_msg(w.validation > 0.3, "validation %.3f, chance is 0.2", w.validation);
    ck_assert(result->base_mean);
    adatom_model_destroy(&result);
    adatom_dataset_destroy(&pictures);
    adatom_dataset_destroy(&others);
}
END_TEST

START_TEST(test_schedule) {
    static const int milestones[] = {1, 3};
    float rows[40 * AD_SCHEDULE_COLUMNS];
    ad_metatraining t = {.run = {.steps = 40, .steps_per_epoch = 10},
                         .p = {.lr = 0.5f,
                               .optimizer = ADATOM_OPTIMIZER_SGD,
                               .milestones = milestones,
                               .milestone_count = 2,
                               .decay = 0.5f}};
    ad_metatrain_schedule(&t, rows);
    for (int step = 0; step < 40; step++) {
        const float want = step < 10 ? 0.5f : step < 30 ? 0.25f : 0.125f;
        for (int column = 0; column < AD_RATE_COUNT; column++)
            ck_assert_float_eq(rows[step * AD_SCHEDULE_COLUMNS + column], want);
        ck_assert_float_eq(rows[step * AD_SCHEDULE_COLUMNS + AD_SCHEDULE_FIRST], 1);
    }
    t.p.optimizer = ADATOM_OPTIMIZER_ADAM;
    t.p.momentum = 0.9f;
    ad_metatrain_schedule(&t, rows);
    ck_assert_float_eq_tol(rows[AD_SCHEDULE_COLUMNS + AD_SCHEDULE_FIRST], 1 - 0.81f, 1e-6f);
    ck_assert_float_eq_tol(rows[AD_SCHEDULE_COLUMNS + AD_SCHEDULE_SECOND], 1 - 0.998001f, 1e-6f);
}
END_TEST

/* Every allocation fails once, or many of them: an error that says so, no crash, no file, and no harm to the next run.
 */
START_TEST(test_without_memory) {
    const kind *k = &kinds[_i ? 1 : 3];
    const adatom_method inner = method_of(k);
    watch w = {0};
    adatom_metatrain_params p = params_of(k, &inner, false, &w);
    p.epochs = 1;
    p.epoch_tasks = 4;
    p.restart = true;
    adatom_model *result = NULL, *whole = train(&p);
    int n = 0, failed = 0;
    for (; !result; n++) {
        ck_assert_int_lt(n, 100000);
        unlink(path);
        ad_test_fail_allocation(n);
        const adatom_status status = adatom_metatrain(device, base, &p, &result);
        ad_test_fail_allocation(-1);
        ck_assert_msg(status == (result ? ADATOM_OK : ADATOM_OUT_OF_MEMORY), "%d: %s", n, adatom_context_message(ctx));
        failed += status != ADATOM_OK;
    }
    ck_assert_int_gt(failed, 100);
    check_same(whole, result, "after failures");
    adatom_model_destroy(&result);
    adatom_model_destroy(&whole);
}
END_TEST

int main(void) {
    const struct {
        const char *name;
        const TTest *test;
        int count;
    } tests[] = {
        {"the same model", test_the_same_model, 2 * (int)AD_COUNT(kinds)},
        {"interrupts", test_interrupts_everywhere, 2},
        {"learned classifier", test_learned_classifier, 2},
        {"what moves", test_what_moves, 2 * (int)AD_COUNT(kinds)},
        {"still tasks", test_still_tasks, 1},
        {"notes", test_notes, (int)AD_COUNT(kinds)},
        {"learns", test_it_learns, 3},
        {"schedule", test_schedule, 1},
        {"without memory", test_without_memory, 2},
    };
    Suite *suite = suite_create("metatrain");
    for (size_t i = 0; i < AD_COUNT(tests); i++) {
        TCase *group = tcase_create(tests[i].name);
        tcase_add_checked_fixture(group, begin, end);
        tcase_add_loop_test(group, tests[i].test, 0, tests[i].count);
        suite_add_tcase(suite, group);
    }
    return run_suite(suite, CK_NOFORK);
}
