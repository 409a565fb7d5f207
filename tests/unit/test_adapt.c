/* Adaptation and pretraining through the public API, on the CPU engine and small pictures. */
#include <adatom/adapt.h>
#include <adatom/train.h>

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static adatom_context *ctx;
static adatom_device *device;
static adatom_dataset *base, *novel;
static adatom_model *model;

static void ok(adatom_status status) { ck_assert_msg(status == ADATOM_OK, "%s", adatom_context_message(ctx)); }

static void setup(void) {
    ok(adatom_context_create(NULL, &ctx));
    const adatom_device_params cpu = {.select = "cpu"};
    ok(adatom_device_open(ctx, &cpu, &device));
    const adatom_dataset_params b = {.size = 16, .split = "base", .builtin_per_class = 8},
                                n = {.size = 16, .split = "novel", .builtin_per_class = 8};
    ok(adatom_dataset_open(ctx, "builtin:shapes", &b, &base));
    ok(adatom_dataset_open(ctx, "builtin:shapes", &n, &novel));
    const adatom_model_params m = {.image_size = 16, .width = 8, .atoms = 4, .seed = 3};
    ok(adatom_model_create(ctx, &m, &model));
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
    ok(adatom_episodes_create(ctx, novel, &p, &list));
    return list;
}

static const char *const names[] = {"centroid", "head", "cosine", "atoms", "norm", "atoms+norm", "full", "lora", "dora", "bora"};

START_TEST(test_tasks_at_once) {
    /* Task by task the same predictions, whether 1, 3 or all run at once, and whatever part of the list is asked for. */
    adatom_episodes *list = episodes(7, 2);
    adatom_method method = {.adapt = names[_i], .steps = 4};
    adatom_evaluation *all, *other;
    adatom_evaluation_info a, b;
    method.tasks_at_once = 7;
    ok(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &all));
    adatom_evaluation_describe(all, &a);
    ck_assert_int_eq(a.tasks_at_once, 7);
    for (int at_once = 1; at_once <= 3; at_once += 2) {
        method.tasks_at_once = at_once;
        ok(adatom_adapt_episodes(device, model, novel, list, &method, 1, 5, NULL, &other));
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
        ok(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &e));
        adatom_evaluation_describe(e, &info);
        ck_assert_msg(info.adapted == want[i], "%s: %ju adapted, %ju expected", names[i], (uintmax_t)info.adapted, (uintmax_t)want[i]);
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
    ok(adatom_adapt_plan(device, model, novel, list, &method, false, &many_bytes, &many));
    method.memory_bytes = many_bytes / 2;
    ok(adatom_adapt_plan(device, model, novel, list, &method, false, &few_bytes, &few));
    ck_assert_int_lt(few, many);
    ck_assert_int_ge(few, 1);
    ck_assert_uint_le(few_bytes, method.memory_bytes);
    adatom_evaluation *e;
    adatom_evaluation_info info;
    ok(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &e));
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
        ok(adatom_adapt_steps(device, model, novel, list, &method, steps, 3, 0, 0, NULL, on_the_way));
        for (int k = 0; k < 3; k++) {
            method.steps = steps[k];
            ok(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &alone));
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
    const adatom_method centroid = {.adapt = "centroid"}, recipe = {.adapt = "head", .recipe = "closerlook-baseline"}, atoms = {0};
    const int descending[] = {2, 1};
    ck_assert_int_eq(adatom_adapt_steps(device, model, novel, list, &centroid, steps, 2, 0, 0, NULL, none), ADATOM_USAGE);
    ck_assert_int_eq(adatom_adapt_steps(device, model, novel, list, &recipe, steps, 2, 0, 0, NULL, none), ADATOM_USAGE);
    ck_assert_int_eq(adatom_adapt_steps(device, model, novel, list, &atoms, descending, 2, 0, 0, NULL, none), ADATOM_USAGE);
    adatom_episodes_destroy(&list);
}
END_TEST

START_TEST(test_batch_norm_policies) {
    /* The queries of a transductive run share statistics, so they must be able to change each other; all policies run. */
    static const char *const policies[] = {"frozen", "support", "transductive"};
    adatom_episodes *list = episodes(3, 2);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 4; k++) {
            const adatom_method method = {.adapt = names[2 * k], .steps = 3, .bn = policies[i]};
            adatom_evaluation *e;
            adatom_evaluation_info info;
            ok(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &e));
            adatom_evaluation_describe(e, &info);
            ck_assert(isfinite(info.mean));
            ck_assert_ptr_nonnull(strstr(info.config_json, policies[i]));
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
    ok(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &a));
    adatom_evaluation_describe(a, &x);
    ck_assert_int_eq(x.steps, 200);
    method.tasks_at_once = 1;
    ok(adatom_adapt_episodes(device, model, novel, list, &method, 0, 0, NULL, &b));
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
        {.lr = -1.0f},
        {.adapt = "cosine", .head_init = "zero"},
        {.conv = "direct"},
        {.recipe = "mine"},
        {.label_smoothing = 1.0f},
        {.adapt = "lora", .rank = -1},
        {.adapt = "dora", .rank = 257},
        {.adapt = "bora", .conv = "atoms-first"},
        {.adapt = "lora", .lr_adapter = -1.0f},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(adatom_adapt_episodes(device, model, novel, list, &wrong[i], 0, 0, NULL, &e), ADATOM_USAGE);
        ck_assert_ptr_null(e);
    }
    const adatom_method method = {0};
    ck_assert_int_eq(adatom_adapt_episodes(device, model, novel, list, &method, 1, 2, NULL, &e), ADATOM_USAGE);
    ck_assert_int_eq(adatom_adapt_episodes(device, model, base, list, &method, 0, 0, NULL, &e), ADATOM_BAD_DATA);
    adatom_episodes_destroy(&list);
}
END_TEST

/* ---- pretraining -------------------------------------------------------------------------------------------------- */

typedef struct stop {
    long at;
    int calls;
} stop;

static void stop_at(void *user, const adatom_pretrain_progress *now) {
    stop *s = user;
    s->calls++;
    if (s->at >= 0 && now->step >= s->at) adatom_context_interrupt(ctx);
}

static void fresh_context(void) { /* an interrupt is for good */
    teardown();
    setup();
}

START_TEST(test_resume_is_exact) {
    static const char *const optimizers[] = {"sgd", "adam"};
    static const char *const augments[] = {"shift+flip", "crop+flip+jitter"};
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
    ok(adatom_pretrain(device, base, &p, &a));
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
    fresh_context();

    p.lr = 0.05f; /* another run's settings do not fit the checkpoint */
    ck_assert_int_eq(adatom_pretrain(device, base, &p, NULL), ADATOM_BAD_DATA);
    p.lr = 0;
    s.at = -1;
    ok(adatom_pretrain(device, base, &p, &b));
    adatom_model_describe(b, &y);
    ck_assert_str_eq(hash, y.hash);
    ck_assert_int_ne(access(left, F_OK), 0);
    adatom_model_destroy(&b);
    unlink(whole);
    unlink(parts);
}
END_TEST

/* Loss and validation accuracy of the last epoch. */
static void remember(void *user, const adatom_pretrain_progress *now) {
    double *seen = user;
    if (!now->epoch_end) return;
    seen[0] = now->loss;
    seen[1] = now->validation;
}

START_TEST(test_pretraining_learns) {
    char path[64];
    double last = 10, accuracy = 0;
    snprintf(path, sizeof path, "/tmp/adatom-learns-%d.safetensors", (int)getpid());
    const adatom_dataset_params b = {.size = 32, .split = "base", .builtin_per_class = 20};
    adatom_dataset *pictures;
    ok(adatom_dataset_open(ctx, "builtin:shapes", &b, &pictures));
    double seen[2] = {0};
    const adatom_pretrain_params p = {.model = {.width = 16},
                                      .epochs = 8,
                                      .batch = 32,
                                      .seed = 1,
                                      .output = path,
                                      .validation = pictures,
                                      .validation_tasks = 50,
                                      .progress = remember,
                                      .user = seen};
    ok(adatom_pretrain(device, pictures, &p, NULL));
    last = seen[0], accuracy = seen[1];
    ck_assert_msg(last < 3.9, "loss %.3f after 8 epochs; chance is 4.16", last);
    ck_assert_msg(accuracy > 0.3, "class means of 5 classes: %.3f", accuracy);
    adatom_dataset_destroy(&pictures);
    unlink(path);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("adapt");
    TCase *adapt = tcase_create("adapt"), *train = tcase_create("pretrain");
    tcase_add_checked_fixture(adapt, setup, teardown);
    tcase_add_checked_fixture(train, setup, teardown);
    tcase_set_timeout(adapt, 120);
    tcase_set_timeout(train, 300);
    tcase_add_loop_test(adapt, test_tasks_at_once, 0, (int)(sizeof names / sizeof *names));
    tcase_add_test(adapt, test_adapted_numbers);
    tcase_add_test(adapt, test_memory_limit_chunks);
    tcase_add_test(adapt, test_steps_on_the_way);
    tcase_add_test(adapt, test_batch_norm_policies);
    tcase_add_test(adapt, test_closerlook_recipe);
    tcase_add_test(adapt, test_refusals);
    tcase_add_loop_test(train, test_resume_is_exact, 0, 2);
    tcase_add_test(train, test_pretraining_learns);
    suite_add_tcase(suite, adapt);
    suite_add_tcase(suite, train);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* OpenMP's threads do not survive a fork */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
