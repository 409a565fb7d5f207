/* What lets the interface grow: sized structs between callers and libraries of other versions, enums and their texts,
 * versions. */
#include "tests/run_suite.h"

#include <adatom/adapter.h>
#include <adatom/bench.h>
#include <adatom/transfer.h>
#include <stdint.h>
#include <stdio.h>

enum { CANARY = 0xA5, ROOM = 8192 };

static adatom_context *ctx;
static adatom_device *device;
static adatom_dataset *pictures;
static adatom_episodes *list;
static adatom_model *model;

static void setup(void) {
    OK(adatom_context_create(NULL, &ctx));
    const adatom_device_params d = {.size = sizeof d, .select = "cpu", .threads = 1};
    const adatom_dataset_params s = {.size = sizeof s, .image_size = 16, .split = "val", .builtin_per_class = 3};
    const adatom_episodes_params e = {.size = sizeof e, .way = 2, .shot = 1, .query = 1, .tasks = 2};
    const adatom_model_params m = {.size = sizeof m, .image_size = 16, .width = 4};
    OK(adatom_device_open(ctx, &d, &device));
    OK(adatom_dataset_open(ctx, "builtin:shapes", &s, &pictures));
    OK(adatom_episodes_create(ctx, pictures, &e, &list));
    OK(adatom_model_create(ctx, &m, &model));
}

static void teardown(void) {
    adatom_model_destroy(&model);
    adatom_episodes_destroy(&list);
    adatom_dataset_destroy(&pictures);
    adatom_device_destroy(&device);
    adatom_context_destroy(&ctx);
}

/* Room for a struct of any version, all canaries behind its size. */
typedef union room {
    size_t size;
    unsigned char bytes[ROOM];
} room;

static room *sized(room *r, size_t size) {
    memset(r->bytes, CANARY, sizeof r->bytes);
    r->size = size;
    return r;
}

/* The first of the bytes from .. end - 1 that is another, or end. Each assertion is a message to Check's process: one
 * of all bytes takes a thousandth of the time that one of each does. */
static size_t first_other(const room *r, size_t from, size_t end, unsigned char than) {
    while (from < end && r->bytes[from] == than) from++;
    return from;
}

static void check_canaries(const room *r, size_t from) {
    const size_t bad = first_other(r, from, sizeof r->bytes, CANARY);
    ck_assert_msg(bad == sizeof r->bytes, "byte %zu behind a struct of %zu was written", bad, from);
}

static void refused(adatom_status status, const char *says) {
    ck_assert_int_eq(status, ADATOM_USAGE);
    ck_assert_msg(strstr(adatom_context_message(ctx), says) != NULL, "%s", adatom_context_message(ctx));
}

/* ---- answers ---- */

/* Asks for an answer of every size: what the caller's struct has room for is as in a whole one, nothing behind it is
 * touched, and what this version does not know is zero. */
#define CHECK_ANSWER(type, call)                                                                                       \
    do {                                                                                                               \
        room whole, part;                                                                                              \
        type *out = (type *)sized(&whole, sizeof(type));                                                               \
        OK(call);                                                                                                      \
        check_canaries(&whole, sizeof(type));                                                                          \
        for (size_t size = sizeof(size_t); size <= sizeof(type) + 64; size++) {                                        \
            const size_t known = size < sizeof(type) ? size : sizeof(type);                                            \
            out = (type *)sized(&part, size);                                                                          \
            OK(call);                                                                                                  \
            check_canaries(&part, size);                                                                               \
            ck_assert_uint_eq(part.size, size);                                                                        \
            ck_assert_mem_eq(part.bytes + sizeof size, whole.bytes + sizeof size, known - sizeof size);                \
            ck_assert_uint_eq(first_other(&part, known, size, 0), size);                                               \
        }                                                                                                              \
        const size_t bad[] = {0, sizeof(size_t) - 1, SIZE_MAX};                                                        \
        for (int i = 0; i < 3; i++) {                                                                                  \
            out = (type *)sized(&part, bad[i]);                                                                        \
            refused(call, #type ".size is");                                                                           \
            check_canaries(&part, sizeof(size_t));                                                                     \
        }                                                                                                              \
    } while (0)

START_TEST(answers_of_every_size) {
    const adatom_adapt_params run = {.size = sizeof run, .dataset = pictures, .episodes = list};
    adatom_evaluation *evaluation;
    OK(adatom_adapt_episodes(device, model, &run, &evaluation));
    const adatom_method head = {.size = sizeof head, .adapt = ADATOM_ADAPT_ATOMS, .steps = 1};
    const adatom_fit_params fit = {.size = sizeof fit, .method = &head, .estimate = ADATOM_ESTIMATE_NONE};
    adatom_adapter *adapter;
    OK(adatom_adapter_fit(device, model, pictures, &fit, &adapter));
    const adatom_adapter *const adapters[] = {adapter};
    const adatom_classify_params classify = {.size = sizeof classify, .adapters = adapters, .adapter_count = 1};
    adatom_predictions *predictions;
    OK(adatom_classify(device, model, pictures, &classify, &predictions));
    CHECK_ANSWER(adatom_device_info, adatom_device_describe(device, out));
    CHECK_ANSWER(adatom_dataset_info, adatom_dataset_describe(pictures, out));
    CHECK_ANSWER(adatom_episodes_info, adatom_episodes_describe(list, out));
    CHECK_ANSWER(adatom_model_info, adatom_model_describe(model, out));
    CHECK_ANSWER(adatom_layer_info, adatom_model_layer(model, 1, out));
    CHECK_ANSWER(adatom_adapt_plan_info, adatom_adapt_plan(device, model, &run, out));
    CHECK_ANSWER(adatom_evaluation_info, adatom_evaluation_describe(evaluation, out));
    CHECK_ANSWER(adatom_adapter_info, adatom_adapter_describe(adapter, out));
    CHECK_ANSWER(adatom_adapter_class, adatom_adapter_get_class(adapter, 1, out));
    CHECK_ANSWER(adatom_adapter_tensor, adatom_adapter_get_tensor(adapter, model, 0, out));
    CHECK_ANSWER(adatom_import_source_info, adatom_import_source(ctx, 1, out));
    CHECK_ANSWER(adatom_import_preparation_info, adatom_import_preparation(ctx, 1, 0, out));
    CHECK_ANSWER(adatom_predictions_info, adatom_predictions_describe(predictions, out));
    adatom_predictions_destroy(&predictions);
    adatom_adapter_destroy(&adapter);
    adatom_evaluation_destroy(&evaluation);
}
END_TEST

/* The first element tells how far apart the others are. */
START_TEST(list_of_any_stride) {
    adatom_device_info info = ADATOM_INIT(adatom_device_info);
    size_t count = 0, again = 0;
    OK(adatom_device_list(ctx, NULL, 0, &count));
    OK(adatom_device_list(ctx, &info, 1, &again));
    ck_assert_uint_eq(count, again);
    /* Of an older caller, this one and a later one; a compiler makes every size a multiple of the alignment. */
    const size_t align = _Alignof(adatom_device_info);
    const size_t strides[] = {offsetof(adatom_device_info, type) / align * align, sizeof info, sizeof info + 5 * align};
    for (size_t k = 0; k < 3; k++) {
        unsigned char *all = malloc((count + 1) * strides[k]);
        memset(all, CANARY, (count + 1) * strides[k]);
        memcpy(all, &strides[k], sizeof strides[k]);
        OK(adatom_device_list(ctx, (adatom_device_info *)all, count, &again));
        for (size_t i = 0; i < count; i++) {
            const adatom_device_info *at = (const adatom_device_info *)(all + i * strides[k]);
            ck_assert_uint_eq(at->size, strides[k]);
            ck_assert_int_eq(at->index, (int)i);
            ck_assert(at->backend[0] && at->name[0]);
        }
        for (size_t i = count * strides[k]; i < (count + 1) * strides[k]; i++)
            if (all[i] != CANARY) ck_abort_msg("byte %zu behind the list was written", i);
        free(all);
    }
}
END_TEST

/* ---- params ---- */

START_TEST(params_of_an_older_caller) {
    /* Everything behind `atoms` is from a later version: not looked at, whatever lies there, and the default. */
    room r;
    adatom_model *made;
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    adatom_model_params *p = (adatom_model_params *)sized(&r, offsetof(adatom_model_params, image_size));
    p->arch = "resnet10";
    p->sharing = ADATOM_SHARING_LAYER;
    p->atoms = 3;
    OK(adatom_model_create(ctx, p, &made));
    OK(adatom_model_describe(made, &info));
    ck_assert_str_eq(info.arch, "resnet10");
    ck_assert(info.atoms == 3 && info.sharing == ADATOM_SHARING_LAYER);
    ck_assert(info.image_size == 84 && info.classes == 0 && !info.residual);
    adatom_model_destroy(&made);
    /* The smallest there can be has nothing but its size. */
    OK(adatom_model_create(ctx, (adatom_model_params *)sized(&r, sizeof(size_t)), &made));
    OK(adatom_model_describe(made, &info));
    ck_assert_str_eq(info.arch, "conv4");
    adatom_model_destroy(&made);
    /* A struct that another points to has a size of its own. */
    adatom_method *method = (adatom_method *)sized(&r, offsetof(adatom_method, lr));
    method->adapt = ADATOM_ADAPT_HEAD;
    method->steps = 2;
    method->optimizer = ADATOM_OPTIMIZER_DEFAULT;
    const adatom_adapt_params run = {.size = sizeof run, .dataset = pictures, .episodes = list, .method = method};
    adatom_evaluation *evaluation;
    OK(adatom_adapt_episodes(device, model, &run, &evaluation));
    adatom_evaluation_destroy(&evaluation);
}
END_TEST

START_TEST(params_of_a_newer_caller) {
    struct {
        adatom_model_params known;
        int more[4];
    } p = {.known = {.size = sizeof p, .image_size = 16}};
    adatom_model *made;
    OK(adatom_model_create(ctx, &p.known, &made));
    adatom_model_destroy(&made);
    p.more[3] = 1;
    refused(adatom_model_create(ctx, &p.known, &made), "a member that is not 0 and that this library");
    ck_assert_ptr_null(made);
}
END_TEST

START_TEST(params_without_a_size) {
    const adatom_model_params m = {.image_size = 16};
    const adatom_dataset_params d = {.image_size = 16};
    const adatom_device_params cpu = {.select = "cpu"};
    const adatom_episodes_params e = {.way = 2};
    const adatom_method method = {.steps = 2};
    const adatom_adapt_params none = {.dataset = pictures},
                              inner = {.size = sizeof inner, .dataset = pictures, .episodes = list, .method = &method},
                              missing = {.size = sizeof missing, .dataset = pictures};
    const adatom_fit_params fit = {.batch = 2};
    const adatom_check_params check = {.quick = true};
    const adatom_context_params context = {.user = NULL};
    adatom_context *other = ctx;
    adatom_model *made;
    adatom_dataset *data;
    adatom_device *opened;
    adatom_episodes *drawn;
    adatom_evaluation *evaluation;
    adatom_adapter *adapter;
    char text[512];
    refused(adatom_model_create(ctx, &m, &made), "adatom_model_params.size is 0");
    refused(adatom_dataset_open(ctx, "builtin:shapes", &d, &data), "adatom_dataset_params.size is 0");
    refused(adatom_device_open(ctx, &cpu, &opened), "adatom_device_params.size is 0");
    refused(adatom_episodes_create(ctx, pictures, &e, &drawn), "adatom_episodes_params.size is 0");
    refused(adatom_method_text(ctx, &method, NULL, text, sizeof text), "adatom_method.size is 0");
    refused(adatom_adapt_episodes(device, model, &none, &evaluation), "adatom_adapt_params.size is 0");
    refused(adatom_adapt_episodes(device, model, &inner, &evaluation), "adatom_method.size is 0");
    refused(adatom_adapt_episodes(device, model, &missing, &evaluation), "needs a data set and a list");
    refused(adatom_adapter_fit(device, model, pictures, &fit, &adapter), "adatom_fit_params.size is 0");
    refused(adatom_check_device(device, &check, NULL, NULL), "adatom_check_params.size is 0");
    ck_assert_int_eq(adatom_context_create(&context, &other), ADATOM_USAGE);
    ck_assert_ptr_null(other);
}
END_TEST

/* ---- callbacks ---- */

typedef struct seen {
    int progress, results;
} seen;

static bool on_progress(void *user, const adatom_progress *now) {
    seen *s = user;
    ck_assert_uint_eq(now->size, sizeof *now);
    s->progress += !now->poll;
    if (!now->poll) ck_assert_int_eq(now->phase, ADATOM_PHASE_CHECKING);
    return true;
}

static void on_check(void *user, const adatom_check_result *result) {
    seen *s = user;
    ck_assert_uint_eq(result->size, sizeof *result);
    s->results++;
}

START_TEST(what_callbacks_get) {
    seen s = {0};
    const adatom_check_params check = {
        .size = sizeof check, .filter = "add/", .quick = true, .report = on_check, .progress = on_progress, .user = &s};
    OK(adatom_check_device(device, &check, NULL, NULL));
    ck_assert(s.progress > 0 && s.results > 0);
}
END_TEST

/* ---- enums ---- */

#define CHECK_VALUE(value, text)                                                                                       \
    ck_assert_str_eq(NAME(value), text);                                                                               \
    ck_assert(PARSE(text, &found) && found == value);                                                                  \
    count++;
#define CHECK_LIST(type, LIST)                                                                                         \
    do {                                                                                                               \
        type found = (type)0;                                                                                          \
        int count = 0;                                                                                                 \
        LIST(CHECK_VALUE)                                                                                              \
        found = (type)1;                                                                                               \
        ck_assert(!PARSE("nothing like it", &found) && !PARSE(NULL, &found) && found == (type)1);                      \
        ck_assert_str_eq(NAME((type)count), "unknown");                                                                \
    } while (0)

START_TEST(texts_of_enums) {
#define NAME adatom_adapt_kind_name
#define PARSE adatom_adapt_kind_parse
    CHECK_LIST(adatom_adapt_kind, ADATOM_ADAPT_LIST);
#undef NAME
#undef PARSE
#define NAME adatom_sharing_name
#define PARSE adatom_sharing_parse
    CHECK_LIST(adatom_sharing, ADATOM_SHARING_LIST);
#undef NAME
#undef PARSE
#define NAME adatom_layout_name
#define PARSE adatom_layout_parse
    CHECK_LIST(adatom_layout, ADATOM_LAYOUT_LIST);
#undef NAME
#undef PARSE
#define NAME adatom_interpolation_name
#define PARSE adatom_interpolation_parse
    CHECK_LIST(adatom_interpolation, ADATOM_INTERPOLATION_LIST);
#undef NAME
#undef PARSE
#define NAME adatom_phase_name
#define PARSE adatom_phase_parse
    CHECK_LIST(adatom_phase, ADATOM_PHASE_LIST);
}
END_TEST

START_TEST(texts_of_augmentation) {
    static const struct {
        const char *text, *canonical;
        uint32_t flags;
    } known[] = {{"none", "none", ADATOM_AUGMENT_NONE},
                 {"shift+flip", "shift+flip", ADATOM_AUGMENT_SHIFT | ADATOM_AUGMENT_FLIP},
                 {"jitter+crop", "crop+jitter", ADATOM_AUGMENT_CROP | ADATOM_AUGMENT_JITTER},
                 {"", "", 0}};
    static const char *const unknown[] = {"shif", "shifts", "shift,flip", "shift++flip", "+", "default"};
    char text[ADATOM_AUGMENT_TEXT_BYTES], cut[4];
    uint32_t flags = 77;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        ck_assert(adatom_augment_parse(known[i].text, &flags) && flags == known[i].flags);
        ck_assert_uint_eq(adatom_augment_text(flags, text, sizeof text), strlen(known[i].canonical));
        ck_assert_str_eq(text, known[i].canonical);
    }
    flags = 77;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        ck_assert_msg(!adatom_augment_parse(unknown[i], &flags) && flags == 77, "%s", unknown[i]);
    ck_assert(!adatom_augment_parse(NULL, &flags));
    ck_assert_uint_eq(adatom_augment_text(ADATOM_AUGMENT_SHIFT | ADATOM_AUGMENT_FLIP, cut, sizeof cut), 10);
    ck_assert_str_eq(cut, "shi");
    ck_assert_uint_eq(adatom_augment_text(31, NULL, 0), strlen("none+shift+crop+flip+jitter"));
    ck_assert_uint_lt(adatom_augment_text(31, NULL, 0), ADATOM_AUGMENT_TEXT_BYTES);
    const adatom_fit_params both = {.size = sizeof both, .augment = ADATOM_AUGMENT_SHIFT | ADATOM_AUGMENT_CROP},
                            other = {.size = sizeof other, .augment = 32};
    adatom_adapter *adapter;
    refused(adatom_adapter_fit(device, model, pictures, &both, &adapter), "shift and crop exclude each other");
    refused(adatom_adapter_fit(device, model, pictures, &other, &adapter), "not all of them are known");
}
END_TEST

START_TEST(versions) {
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", ADATOM_VERSION_MAJOR, ADATOM_VERSION_MINOR, ADATOM_VERSION_PATCH);
    ck_assert_str_eq(text, ADATOM_VERSION);
    ck_assert_str_eq(adatom_version(), ADATOM_VERSION);
    ck_assert_str_eq(adatom_version(), PROJECT_VERSION); /* CMake's */
    ck_assert_uint_eq(adatom_version_number(), ADATOM_VERSION_NUMBER);
    ck_assert_uint_eq(adatom_api_version(), ADATOM_API_VERSION);
    ck_assert_ptr_null(adatom_model_arch(1000));
    ck_assert_str_eq(adatom_model_arch(0), "conv4");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("api");
    TCase *tests = tcase_create("api");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, answers_of_every_size);
    tcase_add_test(tests, list_of_any_stride);
    tcase_add_test(tests, params_of_an_older_caller);
    tcase_add_test(tests, params_of_a_newer_caller);
    tcase_add_test(tests, params_without_a_size);
    tcase_add_test(tests, what_callbacks_get);
    tcase_add_test(tests, texts_of_enums);
    tcase_add_test(tests, texts_of_augmentation);
    tcase_add_test(tests, versions);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
