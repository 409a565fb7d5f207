/* Pictures that don't fit: the same results as with all of them on the device, within the memory allowed. On the CPU
 * engine, and on Vulkan through mapped memory and through the staging buffer. */
#include "device/device.h"
#include "tests/choices.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"
#include "vk/vk.h"
#include <adatom/adapt.h>
#include <adatom/train.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CPU, MAPPED, STAGED, DEVICES };

static adatom_context *ctx;
static adatom_device *device;
static adatom_dataset *base, *novel;

static void open_device(int kind) {
    const char *index = getenv("ADATOM_TEST_DEVICE");
    const adatom_device_params params = {.size = sizeof(adatom_device_params),
                                         .select = kind == CPU ? "cpu"
                                                   : index     ? index
                                                               : "vulkan",
                                         .validate = kind != CPU};
    OK(adatom_device_open(ctx, &params, &device));
    if (kind == STAGED) ad_vk_test_force_staging(device->engine);
}

static void setup(void) {
    OK(adatom_context_create(NULL, &ctx));
    const adatom_dataset_params
        b = {.size = sizeof(adatom_dataset_params), .image_size = 20, .split = "base", .builtin_per_class = 10},
        n = {.size = sizeof(adatom_dataset_params), .image_size = 20, .split = "novel", .builtin_per_class = 20};
    OK(adatom_dataset_open(ctx, "builtin:shapes", &b, &base));
    OK(adatom_dataset_open(ctx, "builtin:shapes", &n, &novel));
}

static void teardown(void) {
    adatom_device_destroy(&device);
    adatom_dataset_destroy(&base);
    adatom_dataset_destroy(&novel);
    adatom_context_destroy(&ctx);
}

/* ---- bytes that move while programs run ---- */

/* Several pieces of different sizes, between runs of a program that must not notice. */
START_TEST(sent_bytes_arrive) {
    enum { N = 1 << 20, PART = 6 << 20, PARTS = 5 };
    open_device(_i);
    ad_engine *engine = device->engine;
    const ad_engine_api *api = engine->api;
    ad_buffer *buffer = NULL;
    ad_program *program = NULL;
    uint8_t *data = malloc(2 * (size_t)PART * PARTS), *got = data + (size_t)PART * PARTS;
    for (size_t i = 0; i < (size_t)PART * PARTS; i++) data[i] = (uint8_t)(i * 2654435761u >> 13);
    memset(got, 0, (size_t)PART * PARTS);
    OK(api->buffer_create(engine, (size_t)PART * PARTS, &buffer));
    OK(api->buffer_write(engine, buffer, 0, got, (size_t)PART * PARTS));

    ad_plan *plan = ad_plan_create(ctx, 1);
    const int arena = ad_plan_arena(ctx, plan, false);
    const int one = ad_plan_tensor(ctx, plan, "one", AD_F32, arena, N, false),
              sum = ad_plan_tensor(ctx, plan, "sum", AD_F32, arena, N, false);
    for (int i = 0; i < 3; i++) {
        ad_op *op = ad_plan_op(ctx, plan, i < 2 ? AD_SEGMENT_INIT : AD_SEGMENT_STEP, i < 2 ? AD_OP_FILL : AD_OP_ADD);
        op->tasks = 1;
        op->g = (ad_geometry){.n = 1, .h = 1, .w = 1, .c = N, .oh = 1, .ow = 1, .o = 1, .k = 1, .stride = 1, .dil = 1};
        op->t[0] = (int16_t)(i == 0 ? one : sum);
        if (i == 2) {
            op->t[1] = (int16_t)one;
            op->t[2] = (int16_t)sum;
        }
        op->f[0] = i == 0;
    }
    OK(api->program_create(engine, plan, NULL, &program));
    OK(ad_run_segment(api, program, AD_SEGMENT_INIT, 1));
    ck_assert_int_eq(api->buffer_send(engine, buffer, (size_t)PART * PARTS, data, 1), ADATOM_USAGE);
    for (int k = 0, at = 0; k < PARTS; k++) { /* the last part comes first; each in pieces of 1, 2, 3 ... MiB */
        const size_t from = (size_t)(PARTS - 1 - k) * PART;
        for (size_t done = 0, n; done < PART; done += n, at++) {
            n = AD_MIN((size_t)(1 + at % 3) << 20, PART - done);
            OK(api->buffer_send(engine, buffer, from + done, data + from + done, n));
        }
        OK(ad_run_segment(api, program, AD_SEGMENT_STEP, 1));
    }
    OK(api->buffer_wait(engine));
    OK(api->buffer_read(engine, buffer, 0, got, (size_t)PART * PARTS));
    ck_assert_int_eq(memcmp(data, got, (size_t)PART * PARTS), 0);
    float *values = (float *)got;
    OK(api->program_read(program, sum, 0, values, N * sizeof *values));
    for (int i = 0; i < N; i++) ck_assert(values[i] == PARTS);
    api->program_destroy(&program);
    api->buffer_destroy(engine, &buffer);
    ad_plan_destroy(&plan);
    free(data);
}
END_TEST

/* ---- pretraining ---- */

typedef struct seen {
    size_t arena_bytes;
    bool streamed;
    double loss;
    long stop; /* interrupt at this step; 0: never */
} seen;

static bool watch(void *user, const adatom_progress *progress) {
    const adatom_training_progress *now = progress->training;
    seen *s = user;
    if (!now) return true;
    s->arena_bytes = now->arena_bytes;
    s->streamed = now->streamed;
    s->loss = now->loss;
    return !s->stop || progress->done < (uint64_t)s->stop;
}

/* 64 classes x 10 pictures in batches of 48: the last pictures of an epoch are left out, blocks span two epochs. */
static adatom_status train(const char *path, size_t memory_bytes, bool validate, bool resume, seen *s, char hash[17]) {
    adatom_model *model = NULL;
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    const adatom_model_params network = {
        .size = sizeof network, .arch = "conv4", .image_size = 20, .width = 8, .atoms = 4};
    const adatom_pretrain_params p = {.size = sizeof(adatom_pretrain_params),
                                      .model = &network,
                                      .epochs = 2,
                                      .batch = 48,
                                      .seed = 5,
                                      .augment = ADATOM_AUGMENT_CROP | ADATOM_AUGMENT_FLIP | ADATOM_AUGMENT_JITTER,
                                      .validation = validate ? novel : NULL,
                                      .validation_tasks = 20,
                                      .memory_bytes = memory_bytes,
                                      .output = path,
                                      .resume = resume,
                                      .progress = watch,
                                      .user = s};
    adatom_status status = adatom_pretrain(device, base, &p, &model);
    if (status != ADATOM_OK) return status;
    adatom_model_describe(model, &info);
    memcpy(hash, info.hash, sizeof info.hash);
    adatom_model_destroy(&model);
    unlink(path);
    return ADATOM_OK;
}

START_TEST(streamed_training_is_the_same) {
    char path[64], other[64], whole[17], streamed[17], resumed[17];
    seen all = {0}, part = {0};
    const size_t pictures = 64 * 10 * 20 * 20 * 3, batch = 48 * 20 * 20 * 3;
    snprintf(path, sizeof path, "/tmp/adatom-stream-%d.safetensors", (int)getpid());
    open_device(_i);
    OK(train(path, 0, false, false, &all, whole));
    ck_assert(!all.streamed);
    /* Room for the work and, of the pictures, 2 x 4 batches; then for no more than two batches. */
    for (int batches = 4; batches; batches = batches > 1 ? 1 : 0) {
        const size_t memory = all.arena_bytes - pictures + 2 * (size_t)batches * batch + 64;
        OK(train(path, memory, false, false, &part, streamed));
        ck_assert(part.streamed);
        ck_assert_uint_le(part.arena_bytes, memory);
        ck_assert_str_eq(streamed, whole);
        ck_assert_double_eq(part.loss, all.loss);
    }
    /* With validation on the same device in between, a quarter of the memory being its. */
    OK(train(path, 0, true, false, &all, whole));
    OK(train(path, (all.arena_bytes - pictures + 4 * batch) / 3 * 4, true, false, &part, streamed));
    ck_assert(part.streamed && !all.streamed);
    ck_assert_str_eq(streamed, whole);
    /* Interrupted while streamed, ended with all pictures there. */
    part.stop = 15;
    ck_assert_int_eq(train(path, all.arena_bytes - pictures + 4 * batch, false, false, &part, streamed),
                     ADATOM_INTERRUPTED);
    snprintf(other, sizeof other, "/tmp/adatom-stream-%d-whole.safetensors", (int)getpid());
    OK(train(other, 0, false, false, &all, whole));
    part.stop = 0;
    OK(train(path, 0, false, true, &part, resumed));
    ck_assert_str_eq(resumed, whole);
    /* Not even a batch. */
    ck_assert_int_eq(train(path, 200000, false, false, &part, streamed), ADATOM_OUT_OF_MEMORY);
    ck_assert_msg(strstr(adatom_context_message(ctx), "batches of 48"), "%s", adatom_context_message(ctx));
}
END_TEST

/* ---- episodes ---- */

static adatom_status adapt(const adatom_model *model, const adatom_episodes *list, const char *method,
                           size_t memory_bytes, adatom_evaluation **out, adatom_evaluation_info *info) {
    const adatom_method m = {.size = sizeof(adatom_method),
                             .adapt = adapt_of(method),
                             .steps = strcmp(method, "centroid") ? 3 : 0,
                             .memory_bytes = memory_bytes};
    adatom_status status = adatom_adapt_episodes(device, model, RUN(novel, list, m), out);
    if (status == ADATOM_OK) adatom_evaluation_describe(*out, info);
    return status;
}

START_TEST(streamed_episodes_are_the_same) {
    static const char *const methods[] = {"centroid", "atoms"};
    adatom_model *model = NULL;
    adatom_episodes *list = NULL;
    const adatom_model_params m = {
        .size = sizeof(adatom_model_params), .arch = "conv4", .image_size = 20, .width = 8, .atoms = 4, .seed = 3};
    const adatom_episodes_params e = {
        .size = sizeof(adatom_episodes_params), .way = 3, .shot = 2, .query = 3, .tasks = 11, .seed = 9};
    open_device(_i);
    OK(adatom_model_create(ctx, &m, &model));
    OK(adatom_episodes_create(ctx, novel, &e, &list));
    for (size_t k = 0; k < AD_COUNT(methods); k++) {
        adatom_evaluation *all = NULL, *part = NULL;
        adatom_evaluation_info a = ADATOM_INIT(adatom_evaluation_info), b = ADATOM_INIT(adatom_evaluation_info);
        OK(adapt(model, list, methods[k], 0, &all, &a));
        ck_assert_ptr_nonnull(strstr(a.config_json, "\"resident\""));
        /* Less and less, until one task does not fit. */
        adatom_status status = ADATOM_OK;
        int streamed = 0;
        for (size_t memory = a.arena_bytes; status == ADATOM_OK; memory = memory * 5 / 6) {
            status = adapt(model, list, methods[k], memory, &part, &b);
            if (status != ADATOM_OK) break;
            ck_assert_uint_le(b.arena_bytes, memory);
            ck_assert_mem_eq(a.predictions, b.predictions, 11 * 9 * sizeof(int32_t));
            streamed += strstr(b.config_json, "\"streamed\"") && b.tasks_at_once < 11;
            adatom_evaluation_destroy(&part);
        }
        ck_assert_int_eq(status, ADATOM_OUT_OF_MEMORY);
        ck_assert_msg(strstr(adatom_context_message(ctx), "allowed are"), "%s", adatom_context_message(ctx));
        ck_assert_msg(streamed > 0, "%s was never streamed", methods[k]);
        adatom_evaluation_destroy(&all);
    }
    adatom_episodes_destroy(&list);
    adatom_model_destroy(&model);
}
END_TEST

int main(void) {
    size_t count = 0;
    const bool vulkan = getenv("CI") || ad_vk_list(NULL, NULL, 0, &count) != ADATOM_OK || count > 0;
    Suite *suite = suite_create("stream");
    TCase *tests = tcase_create("stream");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, sent_bytes_arrive, 0, vulkan ? DEVICES : 1);
    tcase_add_loop_test(tests, streamed_training_is_the_same, 0, vulkan ? DEVICES : 1);
    tcase_add_loop_test(tests, streamed_episodes_are_the_same, 0, vulkan ? DEVICES : 1);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
