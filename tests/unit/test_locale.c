/* A host program with another locale: one with a decimal comma, one whose decimal point has two bytes, and one in which
 * I and i are different letters. Nothing that the library writes or reads changes with it. */
#include "verify/cases.h"
#include "fewshot/adapter.h"
#include "fewshot/formats/checkpoint.h"
#include "io/dataset.h"
#include "io/json.h"
#include "tests/run_suite.h"

#include <adatom/recipe.h>
#include <adatom/train.h>

#include <ftw.h>
#include <locale.h>
#include <stdio.h>
#include <sys/stat.h>

static adatom_context *ctx;
static adatom_device *device;
static adatom_dataset *novel;
static adatom_model *model;
static char folder[64];

/* A locale of German, Pashto and Turkish each, made here as those of the system are few. */
static const char *const sources[][2] = {{"de_DE", ","}, {"ps_AF", "\xD9\xAB"}, {"tr_TR", ","}};

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where) {
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static void setup(void) {
    strcpy(folder, "/tmp/adatom-locale-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    OK(adatom_context_create(NULL, &ctx));
    const adatom_device_params cpu = {.size = sizeof(adatom_device_params), .select = "cpu", .threads = 2};
    OK(adatom_device_open(ctx, &cpu, &device));
    const adatom_dataset_params n = {
        .size = sizeof(adatom_dataset_params), .image_size = 16, .split = "novel", .builtin_per_class = 4};
    OK(adatom_dataset_open(ctx, "builtin:shapes", &n, &novel));
    const adatom_model_params m = {
        .size = sizeof(adatom_model_params), .image_size = 16, .width = 8, .atoms = 4, .seed = 3};
    OK(adatom_model_create(ctx, &m, &model));
}

static void teardown(void) {
    setlocale(LC_ALL, "C");
    adatom_model_destroy(&model);
    adatom_dataset_destroy(&novel);
    adatom_device_destroy(&device);
    adatom_context_destroy(&ctx);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* False where such a locale cannot be made: localedef or its sources are missing. */
static bool take_locale(size_t i) {
    char command[256], name[32], number[32];
    snprintf(name, sizeof name, "%s.UTF-8", sources[i][0]);
    snprintf(command, sizeof command, "localedef --no-archive -i %s -f UTF-8 %s/%s >%s/log 2>&1", sources[i][0], folder,
             name, folder);
    setenv("LOCPATH", folder, 1);
    if (system(command) < 0 || !setlocale(LC_ALL, name)) return false;
    snprintf(number, sizeof number, "%.1f", 0.5); /* it is such a one */
    ck_assert_ptr_nonnull(strstr(number, sources[i][1]));
    return true;
}

/* All texts with numbers, one after the other. */
static char *write_all(void) {
    ad_case_list cases = {0};
    size_t size = 0;
    char *all = NULL, method[1024], bytes[32];
    FILE *out = open_memstream(&all, &size);
    ck_assert_ptr_nonnull(out);
    OK(ad_case_list_make(ctx, &cases));
    for (int i = 0; i < cases.count; i++) fprintf(out, "%s\n", cases.cases[i].shape);
    ad_case_list_clear(&cases);
    const adatom_method m = {.size = sizeof(adatom_method),
                             .adapt = ADATOM_ADAPT_FULL,
                             .steps = 1,
                             .lr_full = 0.125f,
                             .label_smoothing = 0.25f,
                             .head = ADATOM_HEAD_COSINE,
                             .cosine_scale = 7.5f};
    OK(adatom_method_text(ctx, &m, NULL, method, sizeof method));
    fprintf(out, "%s\n", method);
    const adatom_fit_params fit = {.size = sizeof(adatom_fit_params),
                                   .method = &m,
                                   .estimate = ADATOM_ESTIMATE_HOLDOUT,
                                   .holdout = 0.25f},
                            wrong = {.method = &m, .holdout = 1.5f};
    adatom_adapter *adapter = NULL;
    OK(adatom_adapter_fit(device, model, novel, &fit, &adapter));
    fprintf(out, "%s\n", adapter->config_text);
    adatom_adapter_destroy(&adapter);
    ck_assert_int_eq(adatom_adapter_fit(device, model, novel, &wrong, &adapter), ADATOM_USAGE);
    fprintf(out, "%s\n", adatom_context_message(ctx));
    char *notes = ad_format(ctx, "%g", 0.75);
    ad_bytes_text(3 << 19, bytes);
    fprintf(out, "%s %s\n", notes, bytes);
    ad_free(notes);
    ck_assert_int_eq(fclose(out), 0);
    return all;
}

static void read_all(void) {
    static const char recipe_text[] = "{\"format_version\": 1, \"name\": \"n\", \"model\": \"m\", \"data\": {\"spec\": "
                                      "\"builtin:shapes\"}, \"episodes\": {\"way\": 5, "
                                      "\"shot\": 1, \"query\": 15, \"tasks\": 20, \"seed\": 7}, \"results\": "
                                      "[{\"method\": {\"adapt\": \"atoms\", \"lr_atoms\": 0.25}, "
                                      "\"expected\": {\"accuracy\": 0.515625, \"ci95\": 0.0625}}]}";
    adatom_recipe *recipe = NULL;
    adatom_recipe_result result = ADATOM_INIT(adatom_recipe_result);
    OK(adatom_recipe_parse(ctx, "r.json", recipe_text, strlen(recipe_text), &recipe));
    OK(adatom_recipe_get(recipe, 0, &result));
    ck_assert(result.accuracy == 0.515625 && result.ci95 == 0.0625 && result.method->lr_atoms == 0.25f);
    adatom_recipe_destroy(&recipe);
    static const char *const pictures[] = {"a.TIFF", "a.GIF", "a.JFIF", "a.DIB", "a.HEIC", "a.AVIF"};
    static const char *const same[] = {"a.tiff", "a.gif", "a.jfif", "a.dib", "a.heic", "a.avif"};
    for (size_t i = 0; i < AD_COUNT(pictures); i++)
        ck_assert_int_eq(ad_kind_of_name(pictures[i]), ad_kind_of_name(same[i]));
    static const char list[] = "FILENAME,LABEL\n1.ppm,a\n";
    ad_csv csv = {0};
    OK(ad_csv_parse(ctx, "list", list, strlen(list), &csv));
    ck_assert_uint_eq(csv.count, 1);
    ad_csv_free(&csv);
    uint8_t rgb[3];
    ck_assert(ad_parse_background("WHITE", rgb) && rgb[0] == 255);
    ck_assert_str_eq(ad_sniff("<!DOCTYPE HTML> ", 16), "an HTML page");
}

static bool stop_at(void *user, const adatom_progress *now) {
    const uint64_t *step = user;
    return !now->training || now->done < *step;
}

/* Trains to the end, changing the locale in the middle if `changed` is not NULL; the model's hash. */
static void train(const char *changed, char hash[17]) {
    char path[128], other[64];
    uint64_t step = 1;
    const adatom_model_params network = {.size = sizeof network, .image_size = 16, .width = 8};
    adatom_model *trained = NULL;
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    snprintf(path, sizeof path, "%s/model", folder);
    snprintf(other, sizeof other, "%s", setlocale(LC_ALL, NULL));
    adatom_pretrain_params p = {.size = sizeof(adatom_pretrain_params),
                                .model = &network,
                                .epochs = 2,
                                .batch = 16,
                                .lr = 0.03f,
                                .label_smoothing = 0.15f,
                                .seed = 4,
                                .output = path};
    if (changed) {
        p.progress = stop_at;
        p.user = &step;
        ck_assert_ptr_nonnull(setlocale(LC_ALL, changed));
        ck_assert_int_eq(adatom_pretrain(device, novel, &p, NULL), ADATOM_INTERRUPTED);
        ck_assert_ptr_nonnull(setlocale(LC_ALL, other));
        p.progress = NULL;
        p.resume = true;
    }
    OK(adatom_pretrain(device, novel, &p, &trained));
    adatom_model_describe(trained, &info);
    memcpy(hash, info.hash, sizeof info.hash);
    adatom_model_destroy(&trained);
}

START_TEST(test_locales) {
    char *plain = write_all(), hash[17], again[17];
    ck_assert_ptr_nonnull(strstr(plain, "smoothing0.1"));
    read_all();
    train(NULL, hash);
    for (size_t i = 0; i < AD_COUNT(sources); i++) {
        if (!take_locale(i)) {
            fprintf(stderr, "no locale %s can be made here (localedef, and its sources in the package locales)\n",
                    sources[i][0]);
            ad_free(plain);
            teardown();
            exit(77);
        }
        char *text = write_all();
        size_t same = 0;
        while (text[same] && text[same] == plain[same]) same++;
        ck_assert_msg(text[same] == plain[same], "in %s '%.40s' became '%.40s'", sources[i][0],
                      plain + same - AD_MIN(same, 20), text + same - AD_MIN(same, 20));
        free(text);
        read_all();
        train("C", again);
        ck_assert_str_eq(hash, again);
        char number[32];
        snprintf(number, sizeof number, "%.1f", 0.5); /* the host's locale is as it was */
        ck_assert_ptr_nonnull(strstr(number, sources[i][1]));
        setlocale(LC_ALL, "C");
    }
    free(plain);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("locale");
    TCase *tests = tcase_create("locale");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_locales);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
