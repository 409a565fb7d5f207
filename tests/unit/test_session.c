/* The run protocol that adaptation, training, features and classification share: what an interrupt leaves, what memory
 * decides, when a task is lost. Training on the CPU engine and on Vulkan. */
#include "fewshot/session.h"
#include "tests/run_suite.h"
#include "vk/vk.h"
#include <adatom/dataset.h>

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { SIZE = 16, BATCH = 4, BLOCK = 200, STEPS = 400 };

static adatom_context *ctx;
static adatom_device *device;
static adatom_dataset *base;
static adatom_model *model;

static void setup(void) {
    OK(adatom_context_create(NULL, &ctx));
    const adatom_dataset_params b = {.size = sizeof b, .image_size = SIZE, .split = "val", .builtin_per_class = 4};
    OK(adatom_dataset_open(ctx, "builtin:shapes", &b, &base));
    const adatom_model_params m = {.size = sizeof m, .image_size = SIZE, .width = 8, .atoms = 4, .seed = 3};
    OK(adatom_model_create(ctx, &m, &model));
}

static void teardown(void) {
    adatom_model_destroy(&model);
    adatom_dataset_destroy(&base);
    adatom_device_destroy(&device);
    adatom_context_destroy(&ctx);
}

static void open_device(bool vulkan) {
    const char *index = getenv("ADATOM_TEST_DEVICE");
    const adatom_device_params params = {.size = sizeof params,
                                         .select = !vulkan ? "cpu"
                                                   : index ? index
                                                           : "vulkan",
                                         .threads = 2};
    OK(adatom_device_open(ctx, &params, &device));
}

static ad_build_params training(void) {
    ad_build_params build = {.net = &model->net,
                             .way = 16,
                             .support = BATCH,
                             .steps = STEPS,
                             .head = AD_HEAD_LINEAR,
                             .head_init = AD_HEAD_ZERO,
                             .bn = AD_BN_TRAIN,
                             .adapt = (1u << AD_ROLE_STATISTICS) - 1,
                             .optimiser = {.momentum = 0.9f, .nesterov = true},
                             .data_size = SIZE};
    return build;
}

static ad_session pictures_session(void) {
    ad_session s = ad_session_of(device, model);
    ad_session_use_pictures(&s, adatom_dataset_pixels(base, 0), SIZE);
    return s;
}

/* ---- interrupts ---- */

static atomic_bool over;
static double training_seconds; /* of the last training, without what comes before its first step */

/* Interrupts again and again, at times that have nothing to do with steps. */
static void *interrupt_often(void *user) {
    const long most = *(const long *)user;
    ad_random random = ad_random_make(1, 99, 0);
    while (!atomic_load(&over)) {
        const struct timespec pause = {.tv_nsec = (long)ad_random_below(&random, (uint32_t)most)};
        nanosleep(&pause, NULL);
        adatom_context_interrupt(ctx);
    }
    return NULL;
}

/* Trains in blocks, going on after each interrupt with what is said to be done; how many came in the midst of a
 * call. */
static int train_in_blocks(ad_session *s, float *loss, float *adapted) {
    static float block[BLOCK];
    static int32_t predicted[BLOCK * BATCH];
    int midst = 0;
    for (long first = 0; first < STEPS;) {
        const long count = BLOCK - first % BLOCK;
        long done = -1;
        const ad_call outer = ad_call_begin(ctx, NULL, NULL); /* an interrupt ends with the call that it reaches */
        const adatom_status status = ad_call_end(ctx, &outer, ad_session_train(s, first, count, &done));
        ck_assert_msg(status == ADATOM_OK || status == ADATOM_INTERRUPTED, "%s", adatom_context_message(ctx));
        ck_assert(done >= 0 && done <= count && (status != ADATOM_OK || done == count));
        midst += done > 0 && done < count;
        OK(ad_session_read_training(s, block, predicted));
        for (long i = 0; i < done; i++) loss[first + i] = block[(first + i) % BLOCK];
        first += done;
    }
    OK(ad_session_read(s, s->built.adapted, 0, adapted, s->built.adapted_count));
    return midst;
}

static int train_all(float *loss, float **adapted, size_t *count, const long *pause) {
    float schedule[STEPS][AD_SCHEDULE_COLUMNS];
    pthread_t thread;
    ad_session s = pictures_session();
    const ad_build_params build = training();
    const ad_parts_wanted wanted = {
        .units = BLOCK, .rows_per_unit = BATCH, .resident_rows = 64, .allowed_bytes = SIZE_MAX, .what = "", .so = ""};
    for (int i = 0; i < STEPS; i++)
        for (int c = 0; c < AD_SCHEDULE_COLUMNS; c++) schedule[i][c] = c < AD_RATE_COUNT ? 0.02f : 1.0f;
    OK(ad_session_plan_parts(&s, &build, &wanted));
    ck_assert(s.rows.parts == 1 && s.build.support_rounds == BLOCK);
    OK(ad_session_begin(&s, schedule[0], STEPS));
    OK(ad_row_stream_send(&s.rows, 0, NULL, 0, 64));
    OK(ad_row_stream_wait(&s.rows));
    for (int i = 0; i < BLOCK * BATCH; i++) {
        s.support[i] = i * 7 % 64;
        s.labels[i] = s.support[i] / 4;
    }
    OK(ad_session_start(&s));
    *count = s.built.adapted_count;
    *adapted = malloc(*count * sizeof **adapted);
    long most = pause ? *pause : 0;
    atomic_store(&over, !pause);
    if (pause) ck_assert_int_eq(pthread_create(&thread, NULL, interrupt_often, &most), 0);
    const double start = ad_seconds();
    const int midst = train_in_blocks(&s, loss, *adapted);
    training_seconds = ad_seconds() - start;
    atomic_store(&over, true);
    if (pause) ck_assert_int_eq(pthread_join(thread, NULL), 0);
    const ad_call outer = ad_call_begin(ctx, NULL, NULL); /* forgets an interrupt that came after the last step */
    OK(ad_call_end(ctx, &outer, ADATOM_OK));
    ad_session_clear(&s);
    return midst;
}

/* A long call that is interrupted says how many of its steps were done: who goes on from there ends with the same
 * bytes, and no loss is missing. */
START_TEST(interrupted_steps_are_counted) {
    float whole_loss[STEPS], loss[STEPS], *whole = NULL, *adapted = NULL;
    size_t count = 0;
    int midst = 0;
    open_device(_i == 1);
    train_all(whole_loss, &whole, &count, NULL); /* kernels are made on the way */
    free(whole);
    train_all(whole_loss, &whole, &count, NULL);
    ck_assert(isfinite(whole_loss[STEPS - 1]) && whole_loss[STEPS - 1] < whole_loss[0]);
    /* About ten interrupts while so many steps run. */
    const long pause = (long)AD_MIN(1e9 * training_seconds / 5, 9e8);
    for (int turn = 0; turn < 200 && midst < 3; turn++) {
        memset(loss, 0xff, sizeof loss);
        midst += train_all(loss, &adapted, &count, &pause);
        ck_assert_int_eq(memcmp(loss, whole_loss, sizeof loss), 0);
        ck_assert_int_eq(memcmp(adapted, whole, count * sizeof *whole), 0);
        free(adapted);
    }
    ck_assert_msg(midst >= 3, "%d calls were interrupted in their midst", midst);
    free(whole);
}
END_TEST

/* ---- memory ---- */

START_TEST(parts_fit_what_is_allowed) {
    open_device(false);
    ad_session s = pictures_session();
    const ad_build_params build = training();
    ad_parts_wanted wanted = {.units = BLOCK,
                              .rows_per_unit = BATCH,
                              .resident_rows = 64,
                              .allowed_bytes = SIZE_MAX,
                              .limited = true,
                              .what = "training needs",
                              .so = ", really"};
    OK(ad_session_plan_parts(&s, &build, &wanted));
    ck_assert(s.rows.parts == 1 && s.build.support_rounds == BLOCK && s.build.tasks == 1);
    /* All pictures are 48 KiB: a little less than everything, then less and less. */
    size_t bytes = ad_plan_bytes(s.built.plan);
    wanted.allowed_bytes = bytes - 1;
    int units = BLOCK;
    while (ad_session_plan_parts(&s, &build, &wanted) == ADATOM_OK) {
        ck_assert_int_eq(s.rows.parts, 2);
        ck_assert_int_le(s.build.support_rounds, units);
        ck_assert_uint_eq(s.rows.part, (size_t)s.build.support_rounds * BATCH);
        units = s.build.support_rounds;
        bytes = ad_plan_bytes(s.built.plan);
        ck_assert_uint_le(bytes, wanted.allowed_bytes);
        wanted.allowed_bytes = bytes - 1;
    }
    ck_assert_int_eq(units, 1);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "training needs "));
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "MiB, really"));
    wanted.limited = false; /* half of what is free was only a guess */
    OK(ad_session_plan_parts(&s, &build, &wanted));
    ck_assert_int_eq(s.build.support_rounds, 1);
    /* Planning again takes no memory on the device, and clearing what was never begun is fine. */
    ck_assert(!s.program && !s.parameters && !s.rows.buffers[0]);
    ad_session_clear(&s);
}
END_TEST

/* What a limit leaves is what the engine may take beside the plan. */
START_TEST(room_beside_the_plan) {
    open_device(false);
    const ad_build_params build = {
        .net = &model->net, .query = BATCH, .query_rounds = 1, .head = AD_HEAD_NONE, .data_size = SIZE};
    ad_session s = pictures_session();
    ad_tasks_wanted wanted = {.most = 1};
    ck_assert(ad_row_stream_lay_out(&s.rows, 2, BATCH));
    OK(ad_session_plan_tasks(&s, &build, &wanted));
    ck_assert(s.built.plan->spare_bytes == SIZE_MAX);
    const size_t bytes = ad_plan_bytes(s.built.plan);
    wanted.memory_bytes = bytes + 4096;
    OK(ad_session_plan_tasks(&s, &build, &wanted));
    ck_assert_uint_eq(ad_plan_bytes(s.built.plan), bytes);
    ck_assert_uint_eq(s.built.plan->spare_bytes, 4096);
    ad_session_clear(&s);
}
END_TEST

/* ---- lost tasks ---- */

START_TEST(lost_tasks) {
    enum { L = AD_PREDICTED_LOST, T = AD_PREDICTED_TIED };
    /* [round][task][query]: two rounds of two queries for each of three tasks; the last query is not asked about. */
    int32_t predicted[] = {1, 2, T, T, 0, L, 2, L, T, L, 1, 1};
    bool lost[] = {false, false, false};
    ad_session s = {.build = {.tasks = 3, .query = 2, .query_rounds = 2}, .predicted = predicted, .lost = lost};
    ck_assert(!ad_session_judge(&s, 0, 3, true));
    ck_assert(ad_session_judge(&s, 1, 3, true)); /* each of its queries is tied */
    ck_assert_int_eq(predicted[2], 0);
    ck_assert_int_eq(predicted[8], 0);
    ck_assert(!ad_session_judge(&s, 1, 3, true)); /* they are class 0 now */
    predicted[2] = predicted[3] = predicted[8] = T;
    ck_assert(!ad_session_judge(&s, 1, 3, false)); /* nothing was trained: zeros are what it starts with */
    ck_assert(ad_session_judge(&s, 2, 3, true));   /* a score is not finite */
    ck_assert(!ad_session_judge(&s, 2, 1, true));
    lost[0] = true;
    ck_assert(ad_session_judge(&s, 0, 3, true));
}
END_TEST

/* unit_session: on the CPU engine. unit_session vulkan: what depends on the engine, on a Vulkan device. */
int main(int argc, char **argv) {
    const bool vulkan = argc > 1 && !strcmp(argv[1], "vulkan");
    size_t count = 0;
    if (vulkan && ad_vk_list(NULL, NULL, 0, &count) == ADATOM_OK && count == 0 && !getenv("CI")) return 77;
    Suite *suite = suite_create("session");
    TCase *tests = tcase_create("session");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, interrupted_steps_are_counted, vulkan, vulkan + 1);
    if (!vulkan) {
        tcase_add_test(tests, parts_fit_what_is_allowed);
        tcase_add_test(tests, room_beside_the_plan);
        tcase_add_test(tests, lost_tasks);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
