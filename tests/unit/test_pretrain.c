/* Pretraining through the public API, on the CPU engine and small pictures. */
#include "fewshot/pretrain.h"
#include "net/network.h"
#include "tests/choices.h"
#include "tests/shapes_fixture.h"

#include <adatom/features.h>
#include <adatom/train.h>
#include <adatom/transfer.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct stop {
    long at; /* a step; -1: none */
    int calls;
    bool late;     /* when all steps are done, and the mean of the features is being computed */
    uint64_t done; /* steps */
} stop;

static bool stop_at(void *user, const adatom_progress *now) {
    stop *s = user;
    s->calls += now->training != NULL;
    if (now->training) s->done = now->done;
    if (s->late && s->done == 24 && !now->training) return false;
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
    static const int milestones[] = {1};
    if (_i == 2) p.from = model;
    if (_i == 1) {
        p.milestones = milestones;
        p.milestone_count = 1;
    }
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
    s.late = true;
    ck_assert_int_eq(adatom_pretrain(device, base, &p, NULL), ADATOM_INTERRUPTED);
    ck_assert_msg(s.done == 24 && strstr(adatom_context_message(ctx), "at step 24 of 24; continue with --resume"), "%s",
                  adatom_context_message(ctx));
    ck_assert_int_ne(access(parts, F_OK), 0);
    ck_assert_int_eq(access(left, F_OK), 0);
    s.late = false;
    OK(adatom_pretrain(device, base, &p, &b));
    adatom_model_describe(b, &y);
    ck_assert_str_eq(hash, y.hash);
    ck_assert_mem_eq(a->base_mean, b->base_mean, (size_t)x.features * sizeof(float));
    ck_assert_int_ne(access(left, F_OK), 0);
    adatom_model_destroy(&a);
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
    adatom_model *result = NULL, *kept = NULL;
    OK(adatom_pretrain(device, pictures, &p, &result));
    last = seen[0];
    accuracy = seen[1];
    /* It knows the mean features of its pictures, in the file of the best epoch too. */
    adatom_dataset *features = NULL;
    OK(adatom_features_compute(device, result, pictures, NULL, &features));
    OK(adatom_model_load(ctx, path, &kept));
    adatom_dataset_info of = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(features, &of);
    adatom_model_info about = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(kept, &about);
    ck_assert(result->base_mean && kept->base_mean && about.base_mean);
    const float *table = adatom_dataset_features(features, 0);
    for (int e = 0; e < of.features; e++) {
        double sum = 0;
        for (size_t i = 0; i < of.images; i++) sum += (double)table[i * (size_t)of.features + (size_t)e];
        ck_assert_float_eq(result->base_mean[e], (float)(sum / (double)of.images));
        ck_assert_float_eq(kept->base_mean[e], result->base_mean[e]);
    }
    adatom_dataset_destroy(&features);
    adatom_model_destroy(&result);
    adatom_model_destroy(&kept);
    ck_assert_msg(last < 3.9, "loss %.3f after 8 epochs; chance is 4.16", last);
    ck_assert_msg(accuracy > 0.3, "class means of 5 classes: %.3f", accuracy);
    adatom_dataset_destroy(&pictures);
    adatom_dataset_destroy(&others);
    unlink(path);
}
END_TEST

/* Rates of the steps: a rise, then a cosine or falls at the ends of epochs. */
START_TEST(test_schedules) {
    static const int milestones[] = {2, 3}, late[] = {2, 4}, twice[] = {2, 2}, never[] = {0};
    float rows[40 * AD_SCHEDULE_COLUMNS];
    ad_pretraining t = {.run = {.steps = 40, .steps_per_epoch = 10},
                        .p = {.lr = 0.5f, .warmup = 0.1f, .epochs = 4, .decay = 0.2f}};
    ad_pretrain_schedule(&t, rows);
    ck_assert_float_eq_tol(rows[0], 0.125f, 1e-6f);
    ck_assert_float_eq_tol(rows[4 * AD_SCHEDULE_COLUMNS], 0.5f, 1e-6f);
    ck_assert_float_eq_tol(rows[22 * AD_SCHEDULE_COLUMNS], 0.25f, 1e-6f);
    t.p.milestones = milestones;
    t.p.milestone_count = 2;
    ad_pretrain_schedule(&t, rows);
    for (int step = 0; step < 40; step++) {
        const float want = step < 4 ? 0.125f * ((float)step + 1) : step < 20 ? 0.5f : step < 30 ? 0.1f : 0.02f;
        ck_assert_float_eq_tol(rows[step * AD_SCHEDULE_COLUMNS], want, 1e-6f);
    }
    const struct {
        const int *milestones;
        size_t count;
        float decay;
    } wrong[] = {{late, 2, 0},         {twice, 2, 0}, {never, 1, 0},       {milestones, 2, 1},
                 {milestones, 2, NAN}, {NULL, 1, 0},  {milestones, 65, 0}, {NULL, 0, 0.5f}};
    for (size_t i = 0; i < AD_COUNT(wrong); i++) {
        const adatom_pretrain_params p = {.size = sizeof p,
                                          .epochs = 4,
                                          .batch = 32,
                                          .output = "/nonexistent/m.safetensors",
                                          .milestones = wrong[i].milestones,
                                          .milestone_count = wrong[i].count,
                                          .decay = wrong[i].decay};
        ck_assert_msg(adatom_pretrain(device, base, &p, NULL) == ADATOM_USAGE, "%zu: %s", i,
                      adatom_context_message(ctx));
        ck_assert(strstr(adatom_context_message(ctx), "milestone") || strstr(adatom_context_message(ctx), "decay"));
    }
}
END_TEST

START_TEST(test_steps_at_once) {
    ad_training t = {.steps = 1000, .steps_per_epoch = 130, .block = 50, .saved = 1000, .checkpoint_seconds = 120};
    ck_assert_int_eq(ad_training_steps_at_once(&t, 1000), 1); /* nobody knows how long a step takes */
    t.step_seconds = 1e-3;
    ck_assert_int_eq(ad_training_steps_at_once(&t, 1000), 50);
    t.state.step = 120; /* the end of the epoch is nearer than that of the block */
    ck_assert_int_eq(ad_training_steps_at_once(&t, 1000), 10);
    t.state.step = 130;
    ck_assert_int_eq(ad_training_steps_at_once(&t, 1000), 20);
    t.step_seconds = 10; /* a checkpoint is due before the block ends: the step that makes it due is the last */
    ck_assert_int_eq(ad_training_steps_at_once(&t, 1000), 13);
    ck_assert_int_eq(ad_training_steps_at_once(&t, 1105), 2);
    ck_assert_int_eq(ad_training_steps_at_once(&t, 5000), 1); /* it is overdue */
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pretrain");
    TCase *train = tcase_create("pretrain"), *start = tcase_create("start");
    tcase_add_checked_fixture(train, setup, teardown);
    tcase_add_checked_fixture(start, setup, teardown);
    tcase_add_test(start, test_start_from_a_model);
    tcase_add_loop_test(train, test_resume_is_exact, 0, 3);
    tcase_add_test(train, test_pretraining_learns);
    tcase_add_test(train, test_schedules);
    tcase_add_test(train, test_steps_at_once);
    suite_add_tcase(suite, start);
    suite_add_tcase(suite, train);
    return run_suite(suite, CK_NOFORK);
}
