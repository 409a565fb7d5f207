/* What calibrates an adapter: the temperature against the law that labels were drawn by, shares of refused pictures
 * against counts, the member of the configuration, and the whole from an estimate to predictions. */
#include "fewshot/adapter.h"
#include "fewshot/calibration.h"
#include "io/json.h"
#include "tests/choices.h"
#include "tests/run_suite.h"

#include <adatom/choose.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static adatom_context *ctx;

static void begin(void) { OK(adatom_context_create(NULL, &ctx)); }
static void end(void) { adatom_context_destroy(&ctx); }

static double uniform(ad_random *random) { return ((double)ad_random_below(random, 1 << 30) + 0.5) / (1 << 30); }

/* ---- the temperature ---- */

enum { CLASSES = 4, PICTURES = 20000 };

/* The mean loss at a temperature, by another way than the library's. */
static double loss_of(const float *scores, const int32_t *labels, double temperature) {
    double sum = 0;
    for (size_t i = 0; i < PICTURES; i++) {
        double all = 0;
        for (int c = 0; c < CLASSES; c++) all += exp((double)scores[i * CLASSES + c] / temperature);
        sum += log(all) - (double)scores[i * CLASSES + labels[i]] / temperature;
    }
    return sum / PICTURES;
}

START_TEST(test_temperature) {
    static const double temperatures[] = {0.3, 1, 2.5};
    static float scores[PICTURES * CLASSES], familiarity[PICTURES];
    static int32_t labels[PICTURES];
    const double wanted = temperatures[_i];
    ad_random random = ad_random_make(7, AD_STREAM_EPISODE, (uint32_t)_i);
    ad_calibration c;
    for (size_t i = 0; i < PICTURES; i++) {
        double all = 0, at = 0;
        float *row = scores + i * CLASSES;
        for (int k = 0; k < CLASSES; k++) all += exp((double)(row[k] = (float)(3 * uniform(&random))) / wanted);
        const double drawn = uniform(&random) * all;
        labels[i] = CLASSES - 1;
        for (int k = 0; k < CLASSES - 1; k++)
            if ((at += exp((double)row[k] / wanted)) >= drawn) {
                labels[i] = k;
                break;
            }
        familiarity[i] = (float)i;
    }
    OK(ad_calibrate(ctx, scores, familiarity, labels, PICTURES, CLASSES, &c));
    ck_assert_int_eq(c.pictures, PICTURES);
    ck_assert_msg(fabs((double)c.temperature / wanted - 1) < 0.05, "%g for %g", (double)c.temperature, wanted);
    ck_assert_double_eq_tol((double)c.loss_before, loss_of(scores, labels, 1), 1e-5);
    ck_assert_double_eq_tol((double)c.loss, loss_of(scores, labels, (double)c.temperature), 1e-5);
    ck_assert_double_lt((double)c.loss, loss_of(scores, labels, (double)c.temperature * 1.1));
    ck_assert_double_lt((double)c.loss, loss_of(scores, labels, (double)c.temperature / 1.1));
    ad_calibration_clear(&c);
}
END_TEST

/* Ten pictures that are all right, each by the same margin, say that at least one of twelve may be wrong. */
START_TEST(test_no_certainty) {
    float scores[20], familiarity[10];
    int32_t labels[10];
    ad_calibration c;
    for (int i = 0; i < 10; i++) {
        labels[i] = i % 2;
        scores[2 * i + labels[i]] = 5;
        scores[2 * i + 1 - labels[i]] = 3;
        familiarity[i] = 1;
    }
    OK(ad_calibrate(ctx, scores, familiarity, labels, 10, 2, &c));
    ck_assert_double_eq_tol(1 / (1 + exp(-2 / (double)c.temperature)), 11.0 / 12, 1e-5);
    ad_calibration_clear(&c);
}
END_TEST

/* Pictures that nobody was asked about, or whose task diverged, do not count. */
START_TEST(test_not_asked) {
    float scores[] = {NAN, NAN, 1, 0, INFINITY, 0, 0, 1}, familiarity[] = {NAN, 2, 3, 1};
    const int32_t labels[] = {0, 0, 0, 1};
    ad_calibration c;
    OK(ad_calibrate(ctx, scores, familiarity, labels, 4, 2, &c));
    ck_assert_int_eq(c.pictures, 2);
    ck_assert_int_eq(c.count, 2);
    ck_assert_double_eq((double)c.familiarity[0], 1);
    ck_assert_double_eq((double)c.familiarity[1], 2);
    ad_calibration_clear(&c);
    OK(ad_calibrate(ctx, scores, familiarity, labels, 1, 2, &c));
    ck_assert_int_eq(c.pictures, 0);
    ad_calibration_clear(&c);
}
END_TEST

/* ---- shares ---- */

static ad_calibration of_ranks(size_t n) {
    static float scores[2 * 5000], familiarity[5000];
    static int32_t labels[5000];
    ad_calibration c;
    for (size_t i = 0; i < n; i++) familiarity[i] = (float)((i * 7919) % n); /* in some other order */
    OK(ad_calibrate(ctx, scores, familiarity, labels, n, 2, &c));
    return c;
}

START_TEST(test_shares) {
    ad_calibration c = of_ranks(19); /* 0, 1, .. 18 */
    ck_assert_double_eq(ad_calibration_least(&c), 1.0 / 20);
    ck_assert_double_eq(ad_calibration_typicality(&c, -1), 1.0 / 20);
    ck_assert_double_eq(ad_calibration_typicality(&c, 0), 2.0 / 20); /* as familiar as one of them */
    ck_assert_double_eq(ad_calibration_typicality(&c, 0.5), 2.0 / 20);
    ck_assert_double_eq(ad_calibration_typicality(&c, 17.5), 19.0 / 20);
    ck_assert_double_eq(ad_calibration_typicality(&c, 100), 1);
    ad_calibration_clear(&c);
}
END_TEST

/* Of many pictures a part is kept: shares are told a little too large, never too small. */
START_TEST(test_kept_part) {
    ad_calibration c = of_ranks(5000);
    ck_assert_int_eq(c.count, AD_CALIBRATION_MOST);
    for (int k = -1; k < 5000; k++) {
        const double exact = (k + 2) / 5001.0, told = ad_calibration_typicality(&c, k);
        ck_assert_msg(told >= exact - 1e-12 && told < exact + 1.0 / AD_CALIBRATION_MOST, "%d: %g for %g", k, told,
                      exact);
    }
    ad_calibration_clear(&c);
}
END_TEST

/* ---- in files ---- */

START_TEST(test_written_and_read) {
    float scores[] = {1, 0, 0, 1.0f / 3, 2, 1}, familiarity[] = {0.1f, -1e-7f, 3e8f};
    const int32_t labels[] = {0, 1, 1};
    ad_calibration c, read;
    json_error_t error;
    json_t *parsed;
    OK(ad_calibrate(ctx, scores, familiarity, labels, 3, 2, &c));
    json_t *json = ad_calibration_json(&c);
    char *text = ad_json_dump(json, JSON_REAL_PRECISION(9));
    OK(ad_json_parse(ctx, text, strlen(text), &parsed, &error));
    OK(ad_calibration_parse(ctx, "x", parsed, &read));
    ck_assert(read.pictures == 3 && read.count == 3 && read.temperature == c.temperature && read.loss == c.loss &&
              read.loss_before == c.loss_before);
    ck_assert_mem_eq(read.familiarity, c.familiarity, 3 * sizeof(float));
    ad_calibration_clear(&read);
    ad_calibration_clear(&c);
    free(text);
    json_decref(json);
    json_decref(parsed);
}
END_TEST

START_TEST(test_impossible) {
    static const char *const bad[] = {
        "{}",
        "[]",
        "3",
        "{\"pictures\":0,\"temperature\":1,\"loss_before\":1,\"loss\":1,\"familiarity\":[]}",
        "{\"pictures\":2,\"temperature\":0,\"loss_before\":1,\"loss\":1,\"familiarity\":[1,2]}",
        "{\"pictures\":2,\"temperature\":1e9,\"loss_before\":1,\"loss\":1,\"familiarity\":[1,2]}",
        "{\"pictures\":2,\"temperature\":1,\"loss_before\":1,\"loss\":1,\"familiarity\":[2,1]}",
        "{\"pictures\":2,\"temperature\":1,\"loss_before\":1,\"loss\":1,\"familiarity\":[1,2,3]}",
        "{\"pictures\":2,\"temperature\":1,\"loss_before\":1,\"loss\":1,\"familiarity\":[1,\"2\"]}",
        "{\"pictures\":2,\"temperature\":1,\"loss_before\":1,\"loss\":1,\"familiarity\":[1,1e300]}",
        "{\"pictures\":2,\"temperature\":1,\"loss_before\":1,\"loss\":1e300,\"familiarity\":[1,2]}",
        "{\"pictures\":2,\"temperature\":1,\"loss_before\":1,\"loss\":1,\"familiarity\":{}}",
        "{\"pictures\":1e12,\"temperature\":1,\"loss_before\":1,\"loss\":1,\"familiarity\":[1]}"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        ad_calibration c;
        json_error_t error;
        json_t *json = json_loads(bad[k], JSON_DECODE_ANY, &error);
        ck_assert_ptr_nonnull(json);
        ck_assert_msg(ad_calibration_parse(ctx, "some.json", json, &c) == ADATOM_BAD_DATA, "%s is taken", bad[k]);
        ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "some.json"));
        ck_assert_ptr_null(c.familiarity);
        json_decref(json);
    }
}
END_TEST

/* ---- from an estimate to predictions ---- */

enum { SIDE = 16, SHOTS = 4, WAY = 5 };
static adatom_device *device;
static adatom_dataset *all;
static adatom_model *model;

static adatom_dataset *some(const char *split, int per_class) {
    const adatom_dataset_params p = {
        .size = sizeof p, .image_size = SIDE, .split = split, .builtin_per_class = per_class};
    adatom_dataset *set;
    OK(adatom_dataset_open(ctx, "builtin:shapes", &p, &set));
    return set;
}

/* The first classes of the pictures, without one of them (SIZE_MAX: with all). */
static adatom_dataset *without(size_t left_out) {
    const uint8_t *pixels[WAY * SHOTS];
    int sides[WAY * SHOTS];
    int64_t labels[WAY * SHOTS];
    size_t n = 0;
    for (size_t i = 0; i < WAY * SHOTS; i++) {
        if (i == left_out) continue;
        pixels[n] = adatom_dataset_pixels(all, i);
        sides[n] = SIDE;
        labels[n++] = (int64_t)(i / SHOTS);
    }
    const adatom_picture_table table = {
        .size = sizeof table, .rows = n, .pixels = pixels, .widths = sides, .heights = sides, .labels = labels};
    const adatom_dataset_params p = {.size = sizeof p, .image_size = SIDE};
    adatom_dataset *set;
    OK(adatom_dataset_create(ctx, &table, &p, &set));
    return set;
}

static void open_all(void) {
    begin();
    const adatom_device_params cpu = {.size = sizeof cpu, .select = "cpu"};
    const adatom_model_params m = {.size = sizeof m, .image_size = SIDE, .width = 8, .atoms = 4, .seed = 3};
    OK(adatom_device_open(ctx, &cpu, &device));
    OK(adatom_model_create(ctx, &m, &model));
    all = some("val", SHOTS);
}

static void close_all(void) {
    adatom_model_destroy(&model);
    adatom_dataset_destroy(&all);
    adatom_device_destroy(&device);
    end();
}

static adatom_adapter *fit(const adatom_dataset *set, adatom_adapt_kind kind, adatom_estimate estimate) {
    const adatom_method method = {.size = sizeof method, .adapt = kind, .steps = kind == ADATOM_ADAPT_CENTROID ? 0 : 3};
    const adatom_fit_params p = {.size = sizeof p, .method = &method, .estimate = estimate};
    adatom_adapter *adapter;
    OK(adatom_adapter_fit(device, model, set, &p, &adapter));
    return adapter;
}

static adatom_predictions *ask(const adatom_adapter *adapter, const adatom_dataset *set, bool calibrated,
                               float reject) {
    const adatom_classify_params p = {
        .size = sizeof p, .adapters = &adapter, .adapter_count = 1, .calibrated = calibrated, .reject = reject};
    adatom_predictions *predictions;
    OK(adatom_classify(device, model, set, &p, &predictions));
    return predictions;
}

/* probabilities[WAY] of scores[WAY] at a temperature. */
static void softmax(const float *scores, double temperature, double *probabilities) {
    double sum = 0;
    for (int c = 0; c < WAY; c++) sum += probabilities[c] = exp((double)scores[c] / temperature);
    for (int c = 0; c < WAY; c++) probabilities[c] /= sum;
}

static const adatom_adapt_kind kinds[] = {ADATOM_ADAPT_CENTROID, ADATOM_ADAPT_HEAD, ADATOM_ADAPT_COSINE,
                                          ADATOM_ADAPT_ATOMS,    ADATOM_ADAPT_FULL, ADATOM_ADAPT_LORA,
                                          ADATOM_ADAPT_TSA};

/* The scores of a picture that is left out are those of an adapter that is made without it. */
START_TEST(test_scores_of_left_out) {
    enum { LEFT_OUT = 7 };
    size_t images;
    int n;
    double wanted[WAY];
    adatom_dataset *whole = without(SIZE_MAX), *less = without(LEFT_OUT);
    adatom_adapter *estimated = fit(whole, kinds[_i], ADATOM_ESTIMATE_LEAVE_ONE_OUT),
                   *alone = fit(less, kinds[_i], ADATOM_ESTIMATE_NONE);
    adatom_predictions *predictions = ask(alone, whole, false, 0);
    const float *scores = adatom_adapter_scores(estimated, &images);
    const float *p = adatom_predictions_get(predictions, 0, LEFT_OUT, &n);
    ck_assert_uint_eq(images, WAY * SHOTS);
    softmax(scores + LEFT_OUT * WAY, 1, wanted);
    /* Random numbers of adapters of kernels are drawn for each task. */
    const double most = kinds[_i] == ADATOM_ADAPT_LORA ? 2e-3 : 1e-4;
    for (int c = 0; c < WAY; c++)
        ck_assert_msg(fabs(wanted[c] - (double)p[c]) < most, "%s, class %d: %g for %g",
                      adatom_adapt_kind_name(kinds[_i]), c, (double)p[c], wanted[c]);
    const int32_t *answers = adatom_adapter_answers(estimated, &images);
    for (size_t i = 0; i < images; i++)
        for (int c = 0; c < WAY; c++)
            ck_assert_float_ge(scores[i * WAY + (size_t)answers[i]] + 1e-4f * fabsf(scores[i * WAY + (size_t)c]),
                               scores[i * WAY + (size_t)c]);
    adatom_predictions_destroy(&predictions);
    adatom_adapter_destroy(&estimated);
    adatom_adapter_destroy(&alone);
    adatom_dataset_destroy(&whole);
    adatom_dataset_destroy(&less);
}
END_TEST

/* The temperature is applied, pictures are refused by their share, and both survive the files. */
START_TEST(test_applied) {
    char folder[] = "/tmp/adatom-calibration-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    adatom_dataset *own = without(SIZE_MAX), *foreign = some("novel", 9);
    adatom_adapter *made = fit(own, kinds[_i], ADATOM_ESTIMATE_LEAVE_ONE_OUT), *loaded;
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info), b = ADATOM_INIT(adatom_adapter_info);
    OK(adatom_adapter_save(made, folder));
    OK(adatom_adapter_load(ctx, folder, &loaded));
    OK(adatom_adapter_describe(made, &a));
    OK(adatom_adapter_describe(loaded, &b));
    ck_assert_int_eq(a.calibrated, WAY * SHOTS);
    ck_assert(a.calibrated == b.calibrated && a.temperature == b.temperature && a.loss == b.loss);
    adatom_predictions *plain = ask(made, foreign, false, 0), *calibrated = ask(loaded, foreign, true, 0.25f);
    adatom_predictions_info info = ADATOM_INIT(adatom_predictions_info);
    OK(adatom_predictions_describe(calibrated, &info));
    size_t refused = 0;
    for (size_t i = 0; i < info.images; i++) {
        int n;
        double wanted[WAY];
        float logs[WAY];
        const float *p = adatom_predictions_get(plain, 0, i, &n), *q = adatom_predictions_get(calibrated, 0, i, &n);
        const double typicality = adatom_predictions_typicality(calibrated, 0, i);
        ck_assert_double_eq(typicality, adatom_predictions_typicality(plain, 0, i));
        ck_assert(typicality >= 1.0 / (WAY * SHOTS + 1) && typicality <= 1);
        refused += (float)typicality <= 0.25f;
        for (int c = 0; c < WAY; c++) logs[c] = logf(fmaxf(p[c], 1e-30f));
        softmax(logs, a.temperature, wanted);
        for (int c = 0; c < WAY; c++)
            if (p[c] > 1e-6f) ck_assert_double_eq_tol((double)q[c], wanted[c], 1e-4);
    }
    ck_assert_uint_eq(info.refused, refused);
    ck_assert_double_ne(a.temperature, 1);
    OK(adatom_predictions_describe(plain, &info));
    ck_assert_uint_eq(info.refused, 0);
    ck_assert(isnan(adatom_predictions_typicality(plain, 1, 0)) &&
              isnan(adatom_predictions_typicality(plain, 0, info.images)));
    snprintf(path, sizeof path, "%s/adapter.safetensors", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/adapter_config.json", folder);
    unlink(path);
    rmdir(folder);
    adatom_predictions_destroy(&plain);
    adatom_predictions_destroy(&calibrated);
    adatom_adapter_destroy(&made);
    adatom_adapter_destroy(&loaded);
    adatom_dataset_destroy(&own);
    adatom_dataset_destroy(&foreign);
}
END_TEST

static void refused_with(const adatom_adapter *adapter, bool calibrated, float reject, const char *words) {
    const adatom_classify_params p = {.size = sizeof p,
                                      .adapters = adapter ? &adapter : NULL,
                                      .adapter_count = adapter != NULL,
                                      .calibrated = calibrated,
                                      .reject = reject};
    adatom_predictions *predictions;
    ck_assert_int_eq(adatom_classify(device, model, all, &p, &predictions), ADATOM_USAGE);
    ck_assert_msg(strstr(adatom_context_message(ctx), words), "'%s' lacks '%s'", adatom_context_message(ctx), words);
}

START_TEST(test_refusals) {
    adatom_dataset *set = without(SIZE_MAX);
    adatom_adapter *made = fit(set, ADATOM_ADAPT_COSINE, ADATOM_ESTIMATE_LEAVE_ONE_OUT),
                   *none = fit(set, ADATOM_ADAPT_COSINE, ADATOM_ESTIMATE_NONE);
    refused_with(made, false, 1, "less than 1");
    refused_with(made, false, NAN, "less than 1");
    refused_with(made, false, 0.04f, "20 pictures, by which no less than a part of 0.0476");
    refused_with(none, true, 0, "not calibrated");
    refused_with(none, false, 0.5f, "not calibrated");
    refused_with(NULL, true, 0, "only adapters are");
    size_t images;
    ck_assert_ptr_null(adatom_adapter_scores(none, &images));
    ck_assert_uint_eq(images, 0);
    adatom_adapter_destroy(&made);
    adatom_adapter_destroy(&none);
    adatom_dataset_destroy(&set);
}
END_TEST

/* Where the method is chosen, the chosen one is asked about every picture, also about those without which another one
 * would have been chosen. */
START_TEST(test_of_a_choice) {
    adatom_dataset *set = some("val", 6);
    const adatom_adapt_kind tried[] = {ADATOM_ADAPT_CENTROID, ADATOM_ADAPT_COSINE, ADATOM_ADAPT_HEAD};
    const adatom_method method = {.size = sizeof method, .seed = (uint64_t)_i};
    const adatom_fit_params fitted = {.size = sizeof fitted, .method = &method};
    const adatom_choose_params p = {.size = sizeof p, .fit = &fitted, .kinds = tried, .kind_count = 3};
    adatom_adapter *adapter;
    adatom_choice *choice;
    adatom_choice_info c = ADATOM_INIT(adatom_choice_info);
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    size_t images, finite = 0;
    OK(adatom_adapter_choose(device, model, set, &p, &choice, &adapter));
    OK(adatom_choice_describe(choice, &c));
    OK(adatom_adapter_describe(adapter, &a));
    const float *scores = adatom_adapter_scores(adapter, &images);
    for (size_t i = 0; i < images; i++) finite += isfinite(scores[i * (size_t)a.classes]) != 0;
    ck_assert_uint_eq(finite, (size_t)c.estimated);
    ck_assert_int_eq(a.calibrated, c.estimated);
    adatom_adapter_destroy(&adapter);
    adatom_choice_destroy(&choice);
    adatom_dataset_destroy(&set);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("calibration");
    TCase *numbers = tcase_create("numbers"), *whole = tcase_create("whole");
    tcase_add_checked_fixture(numbers, begin, end);
    tcase_add_loop_test(numbers, test_temperature, 0, 3);
    tcase_add_test(numbers, test_no_certainty);
    tcase_add_test(numbers, test_not_asked);
    tcase_add_test(numbers, test_shares);
    tcase_add_test(numbers, test_kept_part);
    tcase_add_test(numbers, test_written_and_read);
    tcase_add_test(numbers, test_impossible);
    suite_add_tcase(suite, numbers);
    tcase_add_checked_fixture(whole, open_all, close_all);
    tcase_add_loop_test(whole, test_scores_of_left_out, 0, sizeof kinds / sizeof *kinds);
    tcase_add_loop_test(whole, test_applied, 0, sizeof kinds / sizeof *kinds);
    tcase_add_test(whole, test_refusals);
    tcase_add_loop_test(whole, test_of_a_choice, 1, 7);
    suite_add_tcase(suite, whole);
    return run_suite(suite, CK_NOFORK);
}
