/* Recipes: what is read, what is refused and how, and when a result passes. */
#include "tests/run_suite.h"

#include <adatom/recipe.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER "\"format_version\": 1, \"name\": \"n\", \"model\": \"../models/m\", "
#define DATA "\"data\": {\"spec\": \"builtin:shapes\", \"split\": \"val\", \"per_class\": 20}, "
#define LIST                                                                                                           \
    "\"episodes\": {\"way\": 5, \"shot\": 1, \"query\": 15, \"tasks\": 20, \"seed\": 7, \"first\": 2, \"count\": "     \
    "10}, "
#define EXPECTED "\"expected\": {\"accuracy\": 0.5, \"ci95\": 0.02}"
#define METHOD                                                                                                         \
    "\"method\": {\"adapt\": \"atoms\", \"steps\": 3, \"lr_atoms\": 0.25, \"lr\": 0, \"nesterov\": true, \"head\": "   \
    "\"cosine\"}"
#define RESULTS "\"results\": [{" METHOD ", " EXPECTED "}]"
#define VALID "{" HEADER DATA LIST RESULTS "}"

static adatom_context *ctx;

static void setup(void) { ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK); }
static void teardown(void) { adatom_context_destroy(&ctx); }

START_TEST(test_read) {
    adatom_recipe *recipe = NULL;
    adatom_recipe_info info = ADATOM_INIT(adatom_recipe_info);
    adatom_recipe_result result = ADATOM_INIT(adatom_recipe_result);
    ck_assert_msg(adatom_recipe_parse(ctx, "some/where/r.json", VALID, strlen(VALID), &recipe) == ADATOM_OK, "%s",
                  adatom_context_message(ctx));
    adatom_recipe_describe(recipe, &info);
    ck_assert_str_eq(info.model, "some/where/../models/m");
    ck_assert_str_eq(info.spec, "builtin:shapes");
    ck_assert_str_eq(info.split, "val");
    ck_assert_ptr_null(info.csv);
    ck_assert_ptr_null(info.list_hash);
    ck_assert_int_eq(info.per_class, 20);
    ck_assert_int_eq(info.episodes->way * 1000 + info.episodes->shot * 100 + info.episodes->query, 5115);
    ck_assert_int_eq(info.episodes->tasks * 10000 + info.first * 100 + info.count, 200210);
    ck_assert_int_eq(info.results, 1);
    ck_assert_int_eq(adatom_recipe_get(recipe, 0, &result), ADATOM_OK);
    ck_assert_int_eq(result.method->adapt, ADATOM_ADAPT_ATOMS);
    ck_assert_int_eq(result.method->head, ADATOM_HEAD_COSINE);
    ck_assert_int_eq(result.method->steps, 3);
    ck_assert(result.method->nesterov && result.method->lr_atoms == 0.25f && result.method->seed == 7);
    ck_assert(result.method->lr < 0 &&
              result.method->lr_norm == 0); /* a 0 that is written is none; what is not is the default */
    ck_assert(result.accuracy == 0.5 && result.ci95 == 0.02 && result.tolerance == 0);
    ck_assert_int_eq(adatom_recipe_get(recipe, 1, &result), ADATOM_USAGE);
    adatom_recipe_destroy(&recipe);
}
END_TEST

/* Every refusal is one sentence that names the file and what is wrong in it. */
static const struct {
    const char *text, *says;
} refused[] = {
    {"", "line"},
    {"[]", "the file must be an object"},
    {"{" HEADER DATA LIST RESULTS, "line 1"},
    {"{" HEADER "\"name\": \"again\", " DATA LIST RESULTS "}", "duplicate"},
    {"{" HEADER DATA LIST RESULTS ", \"seed\": 1}", "no member seed"},
    {"{" HEADER DATA LIST "\"results\": []}", "results must be an array"},
    {"{" HEADER DATA LIST "\"results\": {}}", "results must be an array"},
    {"{" HEADER DATA LIST "\"results\": [7]}", "results[0] must be an object"},
    {"{" HEADER DATA LIST "\"results\": [{" METHOD "}]}", "results[0].expected is missing"},
    {"{" HEADER DATA LIST "\"results\": [{" METHOD ", \"expected\": {\"accuracy\": 34.7, \"ci95\": 0.7}}]}",
     "results[0].expected.accuracy must be a number from 0 to 1"},
    {"{" HEADER DATA LIST "\"results\": [{" METHOD
     ", \"expected\": {\"accuracy\": 0.5, \"ci95\": 0.1, \"tolerance\": 0.1}}]}",
     "results[0].expected.tolerance needs"},
    {"{" HEADER DATA LIST "\"results\": [{\"method\": {}, " EXPECTED "}]}", "results[0].method.adapt is missing"},
    {"{" HEADER DATA LIST "\"results\": [{\"method\": {\"adapt\": \"magic\"}, " EXPECTED "}]}",
     "results[0].method: the method 'magic' is not known"},
    {"{" HEADER DATA LIST "\"results\": [{\"method\": {\"adapt\": \"full\", \"seed\": 3}, " EXPECTED "}]}",
     "no member results[0].method.seed"},
    {"{" HEADER DATA LIST "\"results\": [{\"method\": {\"adapt\": \"full\", \"lr\": \"0.1\"}, " EXPECTED "}]}",
     "results[0].method.lr must be a number"},
    {"{" HEADER DATA LIST "\"results\": [{\"method\": {\"adapt\": \"full\", \"lr\": -1}, " EXPECTED "}]}",
     "results[0].method.lr must be a number"},
    {"{" HEADER DATA LIST "\"results\": [{\"method\": {\"adapt\": \"full\", \"steps\": 1.5}, " EXPECTED "}]}",
     "results[0].method.steps must be a whole number"},
    {"{" HEADER DATA LIST "\"results\": [{\"method\": {\"adapt\": \"full\", \"nesterov\": 1}, " EXPECTED "}]}",
     "results[0].method.nesterov must be true or false"},
    {"{\"format_version\": 2, \"name\": \"n\", \"model\": \"m\", " DATA LIST RESULTS "}", "format_version must be"},
    {"{\"format_version\": 1, \"name\": \"n\", " DATA LIST RESULTS "}", "model is missing"},
    {"{\"format_version\": 1, \"name\": \"\", \"model\": \"m\", " DATA LIST RESULTS "}", "name must be a text"},
    {"{" HEADER "\"model_hash\": \"xyz\", " DATA LIST RESULTS "}", "model_hash must be a hash"},
    {"{" HEADER LIST RESULTS "}", "data is missing"},
    {"{" HEADER "\"data\": {}, " LIST RESULTS "}", "data.spec is missing"},
    {"{" HEADER "\"data\": {\"spec\": \"pictures\", \"per_class\": 3}, " LIST RESULTS "}",
     "data.seed and data.per_class"},
    {"{" HEADER "\"data\": {\"spec\": \"builtin:shapes\", \"seed\": -1}, " LIST RESULTS "}", "data.seed must be"},
    {"{" HEADER DATA "\"episodes\": {\"way\": 5, \"shot\": 1, \"query\": 15, \"seed\": 7}, " RESULTS "}",
     "episodes.tasks is missing"},
    {"{" HEADER DATA "\"episodes\": {\"way\": 1, \"shot\": 1, \"query\": 15, \"tasks\": 9, \"seed\": 7}, " RESULTS "}",
     "episodes.way must be a whole number from 2 to 1024"},
    {"{" HEADER DATA "\"episodes\": {\"way\": 5, \"shot\": 1, \"query\": 15, \"tasks\": 9, \"seed\": 7, \"first\": 3, "
     "\"count\": 7}, " RESULTS "}",
     "episodes.first and episodes.count"},
    {"{" HEADER DATA
     "\"episodes\": {\"way\": 5, \"shot\": 1, \"query\": 15, \"tasks\": 9, \"seed\": 7, \"count\": 1}, " RESULTS "}",
     "episodes.first and episodes.count"},
};

START_TEST(test_refused) {
    adatom_recipe *recipe = NULL;
    const adatom_status status =
        adatom_recipe_parse(ctx, "r.json", refused[_i].text, strlen(refused[_i].text), &recipe);
    const char *message = adatom_context_message(ctx);
    ck_assert_msg(status == ADATOM_BAD_DATA, "%s: %s", refused[_i].text, adatom_status_name(status));
    ck_assert_ptr_null(recipe);
    ck_assert_msg(strstr(message, "'r.json'") && strstr(message, refused[_i].says), "'%s' does not say '%s'", message,
                  refused[_i].says);
}
END_TEST

/* No beginning of a recipe is a recipe. */
START_TEST(test_truncated) {
    for (size_t size = 0; size < strlen(VALID); size++) {
        adatom_recipe *recipe = NULL;
        ck_assert_int_eq(adatom_recipe_parse(ctx, "r.json", VALID, size, &recipe), ADATOM_BAD_DATA);
    }
}
END_TEST

START_TEST(test_ours) {
    glob_t files;
    ck_assert_int_eq(glob("episodes/*.json", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        adatom_recipe *recipe = NULL;
        adatom_model *model = NULL;
        adatom_recipe_info info = ADATOM_INIT(adatom_recipe_info);
        ck_assert_msg(adatom_recipe_load(ctx, files.gl_pathv[i], &recipe) == ADATOM_OK, "%s",
                      adatom_context_message(ctx));
        adatom_recipe_describe(recipe, &info);
        ck_assert_msg(adatom_model_load(ctx, info.model, &model) == ADATOM_OK, "%s", adatom_context_message(ctx));
        adatom_model_info m = ADATOM_INIT(adatom_model_info);
        adatom_model_describe(model, &m);
        if (info.model_hash) ck_assert_str_eq(info.model_hash, m.hash);
        adatom_model_destroy(&model);
        adatom_recipe_destroy(&recipe);
    }
    globfree(&files);
    adatom_recipe *missing = NULL;
    ck_assert_int_ne(adatom_recipe_load(ctx, "episodes/nothing.json", &missing), ADATOM_OK);
}
END_TEST

typedef struct verdict {
    adatom_reproduction_info info;
    adatom_reproduction_result result;
    double mean, ci95;
} verdict;

static verdict run(adatom_device *device, const char *file, const char *text) {
    adatom_recipe *recipe = NULL;
    adatom_reproduction *reproduction = NULL;
    adatom_recipe_result expected = ADATOM_INIT(adatom_recipe_result);
    adatom_evaluation_info e = ADATOM_INIT(adatom_evaluation_info);
    verdict v = {.info = ADATOM_INIT(adatom_reproduction_info), .result = ADATOM_INIT(adatom_reproduction_result)};
    ck_assert_msg(adatom_recipe_parse(ctx, file, text, strlen(text), &recipe) == ADATOM_OK, "%s",
                  adatom_context_message(ctx));
    ck_assert_msg(adatom_recipe_run(device, recipe, NULL, &reproduction) == ADATOM_OK, "%s",
                  adatom_context_message(ctx));
    adatom_reproduction_describe(reproduction, &v.info);
    ck_assert_int_eq(adatom_reproduction_get(reproduction, 1, &v.result), ADATOM_USAGE);
    ck_assert_int_eq(adatom_reproduction_get(reproduction, 0, &v.result), ADATOM_OK);
    adatom_evaluation_describe(v.result.evaluation, &e);
    ck_assert_int_eq(adatom_recipe_get(recipe, 0, &expected), ADATOM_OK);
    ck_assert_int_eq(e.tasks, 8);
    ck_assert_int_eq(v.info.passed, v.result.passed);
    v.mean = e.mean;
    v.ci95 = e.ci95;
    ck_assert(fabs(v.result.difference - (v.mean - expected.accuracy)) < 1e-12);
    adatom_reproduction_destroy(&reproduction);
    adatom_recipe_destroy(&recipe);
    return v;
}

/* The rule of recipe.h: the recipe's tolerance, that of the same list, that of two samples. */
START_TEST(test_verdict) {
    const adatom_device_params cpu = {.size = sizeof(adatom_device_params), .select = "cpu"};
    const adatom_model_params params = {
        .size = sizeof(adatom_model_params), .image_size = 16, .width = 8, .atoms = 4, .seed = 3};
    adatom_device *device = NULL;
    adatom_model *model = NULL;
    char folder[] = "/tmp/recipe-XXXXXX", path[64], file[64], text[1024];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/model", folder);
    snprintf(file, sizeof file, "%s/r.json", folder);
    ck_assert_int_eq(adatom_device_open(ctx, &cpu, &device), ADATOM_OK);
    ck_assert_int_eq(adatom_model_create(ctx, &params, &model), ADATOM_OK);
    ck_assert_int_eq(adatom_model_save(model, path), ADATOM_OK);
    static const char recipe[] =
        "{\"format_version\": 1, \"name\": \"n\", \"model\": \"model\", \"data\": {\"spec\": \"builtin:shapes\", "
        "\"split\": \"val\", \"per_class\": 8%s}, \"episodes\": {\"way\": 3, \"shot\": 1, \"query\": 5, \"tasks\": 8, "
        "\"seed\": 1%s}, \"results\": [{\"method\": {\"adapt\": \"centroid\"}, \"expected\": {\"accuracy\": %.6f, "
        "\"ci95\": 0.1%s}}]}";
    /* Another list, or none told: the interval of the difference of two samples. */
    snprintf(text, sizeof text, recipe, "", "", 0.0, "");
    verdict v = run(device, file, text);
    const double mean = v.mean;
    ck_assert(!v.info.same_model && !v.info.same_data && !v.info.same_list);
    ck_assert(fabs(v.result.tolerance - hypot(0.1, v.ci95)) < 1e-12);
    /* The same list by both hashes: half the interval. One hash alone is not enough. */
    adatom_dataset *data = NULL;
    adatom_episodes *list = NULL;
    const adatom_dataset_params data_params = {
        .size = sizeof(adatom_dataset_params), .image_size = 16, .split = "val", .builtin_per_class = 8};
    const adatom_episodes_params list_params = {
        .size = sizeof(adatom_episodes_params), .way = 3, .shot = 1, .query = 5, .tasks = 8, .seed = 1};
    adatom_episodes_info hashes = ADATOM_INIT(adatom_episodes_info);
    ck_assert_int_eq(adatom_dataset_open(ctx, "builtin:shapes", &data_params, &data), ADATOM_OK);
    ck_assert_int_eq(adatom_episodes_create(ctx, data, &list_params, &list), ADATOM_OK);
    adatom_episodes_describe(list, &hashes);
    char data_hash[64], list_hash[64];
    snprintf(data_hash, sizeof data_hash, ", \"hash\": \"%s\"", hashes.dataset_hash);
    snprintf(list_hash, sizeof list_hash, ", \"list_hash\": \"%s\"", hashes.hash);
    snprintf(text, sizeof text, recipe, data_hash, list_hash, mean + 0.049, "");
    v = run(device, file, text);
    ck_assert(v.info.same_data && v.info.same_list && v.result.passed && v.result.tolerance == 0.05);
    snprintf(text, sizeof text, recipe, data_hash, list_hash, mean + 0.051, "");
    ck_assert(!run(device, file, text).result.passed);
    snprintf(text, sizeof text, recipe, "", list_hash, mean + 0.051, "");
    v = run(device, file, text);
    ck_assert(!v.info.same_list && v.result.passed);
    /* The recipe's own, on both sides of it. */
    snprintf(text, sizeof text, recipe, data_hash, list_hash, mean - 0.009, ", \"tolerance\": 0.01");
    v = run(device, file, text);
    ck_assert(v.result.passed && v.result.tolerance == 0.01);
    snprintf(text, sizeof text, recipe, data_hash, list_hash, mean - 0.011, ", \"tolerance\": 0.01");
    ck_assert(!run(device, file, text).result.passed);
    adatom_episodes_destroy(&list);
    adatom_dataset_destroy(&data);
    adatom_model_destroy(&model);
    adatom_device_destroy(&device);
    remove(path);
    remove(folder);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("recipe");
    TCase *all = tcase_create("recipe");
    tcase_set_timeout(all, 120);
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, test_read);
    tcase_add_loop_test(all, test_refused, 0, (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(all, test_truncated);
    tcase_add_test(all, test_ours);
    tcase_add_test(all, test_verdict);
    suite_add_tcase(suite, all);
    return run_suite(suite, CK_FORK_GETENV);
}
