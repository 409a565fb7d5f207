#include "page_reproduce.h"
#include "report.h"
#include "terminal.h"
#include <adatom/recipe.h>

#include <math.h>

typedef struct reproduce_options {
    const char *data, *split, *csv, *report;
} reproduce_options;

#define AT(member) .offset = offsetof(reproduce_options, member)
static const arg_option table[] = {
    {.name = "data",
     .type = ARG_TEXT,
     AT(data),
     .value = "DATA",
     .help = "your copy of the data, where it is not part of the recipe"},
    {.name = "split",
     .type = ARG_TEXT,
     AT(split),
     .value = "SPLIT",
     .help = "part of the data, in place of the recipe's"},
    {.name = "csv", .type = ARG_TEXT, AT(csv), .value = "FILE", .help = "a `filename,label` list to apply to the data"},
    PAGE_OPTION(reproduce_options),
};
#undef AT

static const report_column columns[] = {
    {"method", CELL_TEXT, "method", NULL},
    {"shot", CELL_COUNT, "episodes.shot", NULL},
    {"expected %", CELL_PERCENT, "expected.accuracy", "expected.ci95"},
    {"measured %", CELL_PERCENT, "measured.accuracy", "measured.ci95"},
    {"difference %", CELL_DIFFERENCE, "difference", NULL},
    {"allowed %", CELL_PERCENT, "tolerance", NULL},
    {"verdict", CELL_TEXT, "verdict", NULL},
    {NULL, CELL_COUNT, "episodes.count", NULL},
    {NULL, CELL_TEXT, "episodes.list_hash", NULL},
    {NULL, CELL_NUMBER, "time.total", NULL},
    {NULL, CELL_COUNT, "diverged", NULL},
};

static const char notes[] = "A result passes if the accuracy differs by no more than is allowed: over the same "
                            "episodes by the recipe's tolerance, else half the "
                            "expected interval or 0.5 %, whichever is more; over other episodes or data by the "
                            "interval of the difference of two samples. Exit "
                            "code 5 if a result does not pass; one of which episodes diverged does not.";

/* The user data of the progress callback: the recipe has the results' names; result: the one that is shown. */
struct run {
    struct cli *cli;
    const adatom_recipe *recipe;
    int result;
};

static void show(struct run *r, const adatom_progress *now) {
    adatom_recipe_result expected = ADATOM_INIT(adatom_recipe_result);
    char text[96];
    if (now->part != r->result && adatom_recipe_get(r->recipe, now->part, &expected) == ADATOM_OK) {
        progress_clear(&r->cli->progress);
        progress_start(&r->cli->progress, adatom_adapt_kind_name(expected.method->adapt), 0);
        r->result = now->part;
    }
    snprintf(text, sizeof text,
             isnan(now->mean)      ? "diverged"
             : isfinite(now->ci95) ? "%.2f ± %.2f %%"
                                   : "%.2f %%",
             100 * now->mean, 100 * now->ci95);
    progress_update(&r->cli->progress, (double)now->done, (double)now->total, text);
}

static bool on_progress(void *user, const adatom_progress *now) {
    struct run *r = user;
    if (now->phase != ADATOM_PHASE_EPISODES) return cli_progress(r->cli, now);
    if (!now->poll) show(r, now);
    return !*r->cli->stopped;
}

static json_t *result_row(const adatom_recipe_info *recipe, const adatom_episodes_info *list,
                          const adatom_recipe_result *expected, const adatom_reproduction_result *r) {
    adatom_evaluation_info e = ADATOM_INIT(adatom_evaluation_info);
    adatom_evaluation_describe(r->evaluation, &e);
    json_t *config = json_loads(e.config_json, 0, NULL);
    return json_pack(
        "{s:s,s:{s:o,s:i,s:i,s:i,s:i,s:s,s:i,s:i},s:{s:f,s:f},s:{s:o,s:o},s:i,s:o,s:o,s:s,s:{s:f,s:f},s:o}", "method",
        adatom_adapt_kind_name(e.method), "episodes", "seed", report_seed(list->seed), "n", list->tasks, "way",
        list->way, "shot", list->shot, "query", list->query, "list_hash", list->hash, "first", recipe->first, "count",
        e.tasks, "expected", "accuracy", expected->accuracy, "ci95", expected->ci95, "measured", "accuracy",
        report_number(e.mean), "ci95", report_number(e.ci95), "diverged", e.diverged, "difference",
        report_number(r->difference), "tolerance", report_number(r->tolerance), "verdict",
        e.diverged  ? "diverged"
        : r->passed ? "passed"
                    : "failed",
        "time", "total", e.seconds, "episodes_per_s", e.episodes_per_s, "config", config ? config : json_object());
}

static json_t *make_document(const char *file, const adatom_recipe *recipe, const adatom_reproduction *reproduction,
                             const adatom_device_info *device) {
    adatom_recipe_info info = ADATOM_INIT(adatom_recipe_info);
    adatom_reproduction_info parts = ADATOM_INIT(adatom_reproduction_info);
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_episodes_info list = ADATOM_INIT(adatom_episodes_info);
    adatom_recipe_describe(recipe, &info);
    adatom_reproduction_describe(reproduction, &parts);
    adatom_model_describe(parts.model, &m);
    adatom_dataset_describe(parts.dataset, &d);
    adatom_episodes_describe(parts.episodes, &list);
    json_t *document = report_document("reproduce"), *rows = json_array();
    json_object_set_new(
        document, "recipe",
        json_pack("{s:o,s:s,s:s*}", "file", report_text(file), "name", info.name, "source", info.source));
    json_object_set_new(document, "device", report_device(device));
    json_object_set_new(document, "dataset", report_dataset(&d));
    json_object_set_new(document, "model", json_pack("{s:o,s:s}", "file", report_text(info.model), "hash", m.hash));
    json_object_set_new(
        document, "same",
        json_pack("{s:b,s:b,s:b}", "model", parts.same_model, "data", parts.same_data, "episodes", parts.same_list));
    json_object_set_new(document, "passed", json_integer(parts.passed));
    for (int i = 0; i < parts.results; i++) {
        adatom_recipe_result expected = ADATOM_INIT(adatom_recipe_result);
        adatom_reproduction_result measured = ADATOM_INIT(adatom_reproduction_result);
        if (adatom_recipe_get(recipe, i, &expected) == ADATOM_OK &&
            adatom_reproduction_get(reproduction, i, &measured) == ADATOM_OK)
            json_array_append_new(rows, result_row(&info, &list, &expected, &measured));
    }
    json_object_set_new(document, "results", rows);
    return document;
}

adatom_status cmd_reproduce(struct cli *cli, int argc, char **argv) {
    common_options common;
    device_options device_values;
    output_options output;
    reproduce_options values;
    const char *file = NULL;
    const arg_positional positionals[] = {{"RECIPE", "a recipe: a JSON file as in episodes/", NULL, &file}};
    arg_group groups[] = {{"Data", table, COUNT(table), &values},
                          device_group(&device_values),
                          output_group(&output),
                          common_group(&common)};
    arg_spec spec = {
        .command = "reproduce",
        .summary =
            "Runs a recipe, a measured result with everything that decided it, and says whether the result holds.",
        .notes = notes,
        .positionals = positionals,
        .positional_count = COUNT(positionals),
        .groups = groups,
        .group_count = COUNT(groups)};
    bool go = false;
    char cache[4096], above[1024], below[256], name[512];
    adatom_recipe *recipe = NULL;
    adatom_device *device = NULL;
    adatom_reproduction *reproduction = NULL;
    json_t *document = NULL;
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &go);
    if (!go) goto done;
    TRY(adatom_recipe_load(cli->ctx, file, &recipe));
    adatom_recipe_info info = ADATOM_INIT(adatom_recipe_info);
    adatom_recipe_describe(recipe, &info);
    if (!values.data && !info.spec)
        TRY(cli_fail(cli, ADATOM_BAD_DATA, "'%s' needs data that is not part of it; give it with --data: %s", file,
                     info.supply));
    TRY(cli_open_device(cli, &device_values, &device));

    cli_cache_dir(&device_values, cache, sizeof cache);
    struct run run = {cli, recipe, -1};
    const adatom_recipe_params params = {.size = sizeof params,
                                         .data = values.data,
                                         .split = values.split,
                                         .csv = values.csv,
                                         .cache_dir = cache[0] ? cache : NULL,
                                         .threads = device_values.threads,
                                         .progress = on_progress,
                                         .user = &run};
    progress_start(&cli->progress, "data", 0);
    status = adatom_recipe_run(device, recipe, &params, &reproduction);
    progress_clear(&cli->progress);
    TRY(status);

    adatom_device_info machine = ADATOM_INIT(adatom_device_info);
    adatom_reproduction_info parts = ADATOM_INIT(adatom_reproduction_info);
    adatom_device_describe(device, &machine);
    adatom_reproduction_describe(reproduction, &parts);
    document = make_document(file, recipe, reproduction, &machine);
    snprintf(above, sizeof above, "%s\non %s\n\n", terminal_name(info.name, name, sizeof name), machine.name);
    snprintf(below, sizeof below, "\n%d of %d passed; %s\n", parts.passed, parts.results,
             parts.same_list ? "the same episodes of the same data"
                             : "other episodes or other data than the recipe's, or it does not tell them by hash");
    struct report report = {.document = document,
                            .rows = "results",
                            .columns = columns,
                            .column_count = COUNT(columns),
                            .above = above,
                            .below = below};
    TRY(report_write(cli, &output, &report));
    if (values.report)
        TRY(page_reproduce(cli, values.report, document, recipe, reproduction, &(page_call){argc, argv}));
    if (parts.passed < parts.results)
        TRY(cli_fail(cli, ADATOM_CHECK_FAILED, "%d of %d results of '%s' did not come out as expected",
                     parts.results - parts.passed, parts.results, file));
done:
    json_decref(document);
    adatom_reproduction_destroy(&reproduction);
    adatom_recipe_destroy(&recipe);
    adatom_device_destroy(&device);
    return status;
}
