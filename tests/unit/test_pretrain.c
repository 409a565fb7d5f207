/* Pretraining: that it learns, and how much of it the device is given at once. Resuming is in test_adapt.c. */
#include "fewshot/pretrain.h"
#include "tests/run_suite.h"

#include <stdio.h>
#include <unistd.h>

static adatom_context *ctx;

/* Loss and validation accuracy of the last epoch. */
static void remember(void *user, const adatom_pretrain_progress *now) {
    double *seen = user;
    if (!now->epoch_end) return;
    seen[0] = now->loss;
    seen[1] = now->validation;
}

START_TEST(pretraining_learns) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/adatom-learns-%d.safetensors", (int)getpid());
    const adatom_device_params cpu = {.select = "cpu", .threads = 2};
    const adatom_dataset_params b = {.size = 32, .split = "base", .builtin_per_class = 20},
                                v = {.size = 32, .split = "val", .builtin_per_class = 20};
    adatom_device *device;
    adatom_dataset *pictures, *others; /* classes that are not trained on */
    OK(adatom_context_create(NULL, &ctx));
    OK(adatom_device_open(ctx, &cpu, &device));
    OK(adatom_dataset_open(ctx, "builtin:shapes", &b, &pictures));
    OK(adatom_dataset_open(ctx, "builtin:shapes", &v, &others));
    double seen[2] = {10, 0};
    const adatom_pretrain_params p = {.model = {.width = 16},
                                      .epochs = 8,
                                      .batch = 32,
                                      .seed = 1,
                                      .output = path,
                                      .validation = others,
                                      .validation_tasks = 50,
                                      .progress = remember,
                                      .user = seen};
    OK(adatom_pretrain(device, pictures, &p, NULL));
    ck_assert_msg(seen[0] < 3.9, "loss %.3f after 8 epochs; chance is 4.16", seen[0]);
    ck_assert_msg(seen[1] > 0.3, "class means of 5 classes: %.3f", seen[1]);
    adatom_dataset_destroy(&pictures);
    adatom_dataset_destroy(&others);
    adatom_device_destroy(&device);
    adatom_context_destroy(&ctx);
    unlink(path);
}
END_TEST

START_TEST(steps_at_once) {
    ad_training t = {
        .steps = 1000, .steps_per_epoch = 130, .block = 50, .saved = 1000, .p = {.checkpoint_seconds = 120}};
    ck_assert_int_eq(ad_pretrain_steps_at_once(&t, 1000), 1); /* nobody knows how long a step takes */
    t.step_seconds = 1e-3;
    ck_assert_int_eq(ad_pretrain_steps_at_once(&t, 1000), 50);
    t.state.step = 120; /* the end of the epoch is nearer than that of the block */
    ck_assert_int_eq(ad_pretrain_steps_at_once(&t, 1000), 10);
    t.state.step = 130;
    ck_assert_int_eq(ad_pretrain_steps_at_once(&t, 1000), 20);
    t.step_seconds = 10; /* a checkpoint is due before the block ends: the step that makes it due is the last */
    ck_assert_int_eq(ad_pretrain_steps_at_once(&t, 1000), 13);
    ck_assert_int_eq(ad_pretrain_steps_at_once(&t, 1105), 2);
    ck_assert_int_eq(ad_pretrain_steps_at_once(&t, 5000), 1); /* it is overdue */
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pretrain");
    TCase *tests = tcase_create("pretrain");
    tcase_add_test(tests, pretraining_learns);
    tcase_add_test(tests, steps_at_once);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
