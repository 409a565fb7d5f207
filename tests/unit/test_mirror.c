/* Features that are means over a picture and its mirror image: what they are, that nothing tells the two apart, and
 * where the setting goes: into results, adapters and their files. */
#include "fewshot/adapter.h"
#include "fewshot/features.h"
#include "tests/shapes_fixture.h"

#include <adatom/adapter.h>
#include <adatom/features.h>
#include <adatom/recipe.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 16, PICTURE = 3 * SIDE * SIDE };

static adatom_dataset_info info;

static void begin(void) {
    setup();
    info = (adatom_dataset_info)ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(novel, &info);
}

static void flip(const uint8_t *from, size_t count, uint8_t *to) {
    for (size_t row = 0; row < count * SIDE; row++)
        for (size_t x = 0; x < SIDE; x++) memcpy(to + 3 * (row * SIDE + x), from + 3 * (row * SIDE + SIDE - 1 - x), 3);
}

static void take(void *user, size_t first, size_t n, const float *features, size_t stride) {
    (void)stride;
    const size_t width = (size_t)model->net.features;
    memcpy((float *)user + first * width, features, n * width * sizeof *features);
}

static float *features_of(const uint8_t *pixels, bool mirror, int view) {
    float *out = ad_malloc(ctx, info.images, (size_t)model->net.features * sizeof *out);
    const ad_features_wanted wanted = {.device = device,
                                       .model = model,
                                       .pixels = pixels,
                                       .size = SIDE,
                                       .count = info.images,
                                       .view = view,
                                       .all = info.images,
                                       .mirror = mirror};
    ck_assert_ptr_nonnull(out);
    OK(ad_features_compute(&wanted, take, out));
    return out;
}

/* The mean of two runs, to the rounding of one sum. */
START_TEST(test_means) {
    const uint8_t *pixels = adatom_dataset_pixels(novel, 0);
    const size_t count = info.images * (size_t)model->net.features;
    uint8_t *flipped = ad_malloc(ctx, info.images, PICTURE);
    ck_assert_ptr_nonnull(flipped);
    flip(pixels, info.images, flipped);
    float *one = features_of(pixels, false, 0), *other = features_of(flipped, false, 0),
          *mean = features_of(pixels, true, 0), *same = features_of(flipped, true, 0);
    size_t differ = 0;
    for (size_t e = 0; e < count; e++) {
        const float want = 0.5f * one[e] + 0.5f * other[e], most = fabsf(one[e]) + fabsf(other[e]);
        ck_assert_msg(fabsf(mean[e] - want) <= 1e-6f * most, "number %zu: %g, not %g", e, (double)mean[e],
                      (double)want);
        differ += one[e] != other[e];
    }
    ck_assert_uint_gt(differ, count / 4);
    ck_assert_mem_eq(mean, same, count * sizeof *mean);
    float *view = features_of(pixels, true, 1), *plain = features_of(pixels, false, 1);
    ck_assert(memcmp(view, mean, count * sizeof *mean) != 0);
    ck_assert(memcmp(view, plain, count * sizeof *mean) != 0);
    ad_free(plain);
    ad_free(view);
    ad_free(same);
    ad_free(mean);
    ad_free(other);
    ad_free(one);
    ad_free(flipped);
}
END_TEST

/* The probabilities of all pictures under so many adapters, one after the other. */
static void classify(const adatom_adapter *const *adapters, size_t count, float *out) {
    adatom_predictions *predictions = NULL;
    const adatom_classify_params p = {.size = sizeof p, .adapters = adapters, .adapter_count = count};
    OK(adatom_classify(device, model, novel, &p, &predictions));
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; i < info.images; i++) {
            int classes;
            const float *row = adatom_predictions_get(predictions, (int)r, i, &classes);
            ck_assert_int_eq(classes, info.classes);
            memcpy(out, row, (size_t)classes * sizeof *out);
            out += classes;
        }
    adatom_predictions_destroy(&predictions);
}

static double largest_difference(const float *a, const float *b, size_t count) {
    double largest = 0;
    for (size_t e = 0; e < count; e++) largest = fmax(largest, fabs((double)a[e] - (double)b[e]));
    return largest;
}

static void flip_all(void) {
    uint8_t *pixels = (uint8_t *)(uintptr_t)adatom_dataset_pixels(novel, 0),
            *copy = ad_malloc(ctx, info.images, PICTURE);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, pixels, info.images * PICTURE);
    flip(copy, info.images, pixels);
    ad_free(copy);
}

static const adatom_adapt_kind kinds[] = {ADATOM_ADAPT_CENTROID, ADATOM_ADAPT_COSINE, ADATOM_ADAPT_HEAD,
                                          ADATOM_ADAPT_ATOMS,    ADATOM_ADAPT_LORA,   ADATOM_ADAPT_TSA};

/* With and without, together in one run and alone; pictures that are all flipped are the same to those that mirror. */
START_TEST(test_adapters) {
    enum { KINDS = (int)AD_COUNT(kinds) };
    adatom_adapter *adapters[2 * KINDS] = {NULL};
    const size_t each = info.images * (size_t)info.classes;
    float *together = ad_malloc(ctx, 2 * KINDS * each, sizeof *together),
          *turned = ad_malloc(ctx, each, sizeof *turned), *alone = ad_malloc(ctx, each, sizeof *alone);
    ck_assert(together && turned && alone);
    for (int k = 0; k < 2 * KINDS; k++) {
        adatom_adapter_info made = ADATOM_INIT(adatom_adapter_info);
        const adatom_method m = {.size = sizeof m, .adapt = kinds[k / 2], .steps = 5, .mirror = k % 2};
        const adatom_fit_params p = {.size = sizeof p, .method = &m};
        OK(adatom_adapter_fit(device, model, novel, &p, &adapters[k]));
        adatom_adapter_describe(adapters[k], &made);
        ck_assert_int_eq(made.mirror, k % 2);
        ck_assert_int_eq(strstr(made.config_json, "\"mirror\": true") != NULL, k % 2);
        ck_assert_ptr_nonnull(strstr(made.config_json, k % 2 ? "\"format_version\": 2" : "\"format_version\": 1"));
    }
    classify((const adatom_adapter *const *)adapters, 2 * KINDS, together);
    for (int k = 0; k < 2 * KINDS; k++) {
        classify((const adatom_adapter *const *)&adapters[k], 1, alone);
        ck_assert_msg(largest_difference(alone, together + k * each, each) < 1e-6, "adapter %d alone and not", k);
    }
    flip_all();
    for (int k = 0; k < 2 * KINDS; k++) {
        classify((const adatom_adapter *const *)&adapters[k], 1, turned);
        const double difference = largest_difference(turned, together + k * each, each);
        ck_assert_msg(k % 2 ? difference < 1e-5 : difference > 1e-3, "adapter %d: %g", k, difference);
    }
    for (int k = 0; k < 2 * KINDS; k++) adatom_adapter_destroy(&adapters[k]);
    ad_free(together);
    ad_free(turned);
    ad_free(alone);
}
END_TEST

/* Of methods on features and of one that changes the network: mirror images change answers, and features that are kept
 * with them are not given to a run without, nor the other way round. */
START_TEST(test_episodes) {
    enum { TASKS = 10, QUERIES = 15 };
    static const adatom_adapt_kind runs[] = {ADATOM_ADAPT_COSINE, ADATOM_ADAPT_KNN, ADATOM_ADAPT_ATOMS};
    adatom_episodes *list = NULL;
    const adatom_episodes_params e = {.size = sizeof e, .way = 3, .shot = 2, .query = 5, .tasks = TASKS, .seed = 2};
    OK(adatom_episodes_create(ctx, novel, &e, &list));
    const adatom_method m = {.size = sizeof m, .adapt = runs[_i], .mirror = true};
    adatom_method plain = m;
    plain.mirror = false;
    const adatom_method *order[] = {&m, &plain, &m};
    int32_t answers[3][TASKS * QUERIES];
    for (int r = 0; r < 3; r++) {
        adatom_evaluation *evaluation = NULL;
        adatom_evaluation_info got = ADATOM_INIT(adatom_evaluation_info);
        const adatom_adapt_params p = {.size = sizeof p, .dataset = novel, .episodes = list, .method = order[r]};
        OK(adatom_adapt_episodes(device, model, &p, &evaluation));
        adatom_evaluation_describe(evaluation, &got);
        ck_assert_int_eq(strstr(got.config_json, "\"mirror\":true") != NULL, order[r]->mirror);
        memcpy(answers[r], got.predictions, sizeof answers[r]);
        adatom_evaluation_destroy(&evaluation);
    }
    ck_assert(memcmp(answers[0], answers[1], sizeof answers[0]) != 0);
    ck_assert_mem_eq(answers[0], answers[2],
                     sizeof answers[0]); /* features kept of one kind are not given to another */
    adatom_episodes_destroy(&list);
}
END_TEST

START_TEST(test_files_and_refusals) {
    char folder[] = "/tmp/adatom-mirror-XXXXXX", path[64];
    adatom_adapter *adapter = NULL, *again = NULL;
    adatom_dataset *features = NULL;
    adatom_predictions *predictions = NULL;
    adatom_adapter_info read = ADATOM_INIT(adatom_adapter_info);
    const adatom_method m = {.size = sizeof m, .adapt = ADATOM_ADAPT_HEAD, .mirror = true};
    const adatom_fit_params p = {.size = sizeof p, .method = &m};
    OK(adatom_adapter_fit(device, model, novel, &p, &adapter));
    ck_assert_ptr_nonnull(mkdtemp(folder));
    OK(adatom_adapter_save(adapter, folder));
    OK(adatom_adapter_load(ctx, folder, &again));
    adatom_adapter_describe(again, &read);
    ck_assert(read.mirror && again->mirror);
    OK(adatom_features_compute(device, model, novel, NULL, &features));
    const adatom_adapter *const list[] = {again};
    const adatom_classify_params c = {.size = sizeof c, .adapters = list, .adapter_count = 1};
    ck_assert_int_eq(adatom_classify(device, model, features, &c, &predictions), ADATOM_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "mirror image, so that it classifies pictures"));
    adatom_adapter_destroy(&again);
    ck_assert_int_eq(adatom_adapter_fit(device, model, features, &p, &again), ADATOM_USAGE);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "holds features, which have no mirror images"));
    adatom_dataset_destroy(&features);
    adatom_adapter_destroy(&adapter);
    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "%s/%s", folder, k ? AD_ADAPTER_CONFIG : AD_ADAPTER_TENSORS);
        ck_assert_int_eq(unlink(path), 0);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("mirror");
    TCase *c = tcase_create("mirror");
    tcase_add_checked_fixture(c, begin, teardown);
    tcase_add_test(c, test_means);
    tcase_add_test(c, test_adapters);
    tcase_add_loop_test(c, test_episodes, 0, 3);
    tcase_add_test(c, test_files_and_refusals);
    suite_add_tcase(suite, c);
    return run_suite(suite, CK_NOFORK);
}
