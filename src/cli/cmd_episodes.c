#include "episodes_plot.h"
#include "method_options.h"
#include "page_episodes.h"
#include "report.h"
#include "terminal.h"
#include "sweep.h"
#include <adatom/adapt.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct episode_options {
    const char *model;
    int way, query, tasks, first, count;
    arg_ints shots;
    uint64_t seed;
    bool without_replacement, predictions;
    arg_texts replayed;
    const char *save, *plot, *report;
} episode_options;

typedef struct list_options {
    arg_texts methods;
    adatom_procedure procedure;
} list_options;

#define AT(member) .offset = offsetof(episode_options, member)
static const arg_option episode_table[] = {
    {.name = "model",
     .type = ARG_TEXT,
     .required = true,
     .unless = "features",
     AT(model),
     .value = "FILE",
     .help = "a model written by 'adatom pretrain'"},
    {.name = "way",
     .type = ARG_INT,
     AT(way),
     .least = 2,
     .most = 1024,
     .value = "N",
     .help = "classes of an episode (default 5)"},
    {.name = "shot",
     .type = ARG_INTS,
     AT(shots),
     .least = 1,
     .most = 1024,
     .value = "K[,K]",
     .help = "support pictures a class; several give one table over the same classes and queries (default 1)"},
    {.name = "query",
     .type = ARG_INT,
     AT(query),
     .least = 1,
     .most = 4096,
     .value = "Q",
     .help = "query pictures a class (default 15)"},
    {.name = "tasks",
     .type = ARG_INT,
     AT(tasks),
     .least = 1,
     .most = ADATOM_EPISODES_MOST,
     .value = "N",
     .help = "episodes (default 600)"},
    {.name = "seed",
     .type = ARG_SEED,
     AT(seed),
     .initial = "1",
     .value = "N",
     .help = "seed of the episodes and of random heads"},
    {.name = "without-replacement", .type = ARG_FLAG, AT(without_replacement), .help = "no picture in two episodes"},
    {.name = "first",
     .type = ARG_INT,
     AT(first),
     .least = 0,
     .most = 1e6,
     .initial = "0",
     .value = "N",
     .help = "run the list from this episode on"},
    {.name = "count",
     .type = ARG_INT,
     AT(count),
     .least = 0,
     .most = 1e6,
     .initial = "0",
     .value = "N",
     .help = "run this many episodes of the list; 0: all from --first on"},
    {.name = "save-episodes",
     .type = ARG_TEXT,
     AT(save),
     .value = "FILE",
     .help = "keep the list; with several shots -1shot, -5shot is added to the name"},
    {.name = "episodes-file",
     .type = ARG_TEXTS,
     AT(replayed),
     .value = "FILE",
     .help = "replay a kept list; may be repeated"},
    {.name = "plot",
     .type = ARG_TEXT,
     AT(plot),
     .value = "FILE.svg",
     .help = "draw accuracy against --steps, --label-noise or --shot, the first that is a list, with intervals"},
    PAGE_OPTION(episode_options),
    {.name = "predictions",
     .type = ARG_FLAG,
     AT(predictions),
     .help = "add the predicted class of every query to JSON results"},
};
#undef AT

static const char *const procedures[] = {ADATOM_PROCEDURE_LIST(CHOICE_TEXT) NULL};

#define AT(member) .offset = offsetof(list_options, member)
static const arg_option list_table[] = {
    {.name = "adapt",
     .type = ARG_CHOICES,
     AT(methods),
     .choices = method_names + 1,
     .value = "NAME[,NAME]",
     .help = "what adapts (default centroid,atoms; with --features centroid,head,cosine)"},
    {.name = "recipe",
     .type = ARG_ENUM,
     AT(procedure),
     .choices = procedures + 1,
     .base = 1,
     .value = "NAME",
     .help = "follow a published procedure, which decides all settings of the method"},
};
#undef AT

/* The methods where none are named. */
static const arg_texts of_pictures = {2, {"centroid", "atoms"}}, of_features = {3, {"centroid", "head", "cosine"}};

static const report_column columns[] = {
    {"method", CELL_TEXT, "method", NULL},
    {"settings", CELL_TEXT, "settings", NULL},
    {"shot", CELL_COUNT, "episodes.shot", NULL},
    {"accuracy %", CELL_PERCENT, "accuracy.mean", "accuracy.ci95"},
    {"to the first %", CELL_DIFFERENCE, "difference.mean", "difference.ci95"},
    {"episodes/s", CELL_NUMBER, "time.episodes_per_s", NULL},
    {"adapted", CELL_COUNT, "adapted", NULL},
    {NULL, CELL_COUNT, "episodes.way", NULL},
    {NULL, CELL_COUNT, "episodes.query", NULL},
    {NULL, CELL_COUNT, "episodes.n", NULL},
    {NULL, CELL_COUNT, "episodes.seed", NULL},
    {NULL, CELL_TEXT, "episodes.list_hash", NULL},
    {NULL, CELL_NUMBER, "time.total", NULL},
    {NULL, CELL_COUNT, "diverged", NULL}, /* cmd_episodes() gives it a heading where episodes diverged */
    {NULL, CELL_TEXT, "status", NULL},
};

static const char notes[] =
    "A method's own defaults are listed in docs/episodes.md. Numbers of the method may be comma lists: every "
    "combination is tried (--lr-atoms 0.001,0.002 --steps 10,20), steps within one run. The interval is Student's "
    "over episodes; episodes share "
    "pictures, so it speaks of the "
    "sampler, not of new data. Differences are paired: every method sees the same episodes.";

struct run {
    struct cli *cli;
    const char *name;
    int shot;
};

/* One run of a method; with several numbers of steps, it is evaluated after each of them. */
typedef struct trial {
    adatom_method method;
    int combination; /* the sweep's combination that this run stands for; with several steps the first one */
    int step_count, steps[ARGS_LIST_MAX];
} trial;

typedef struct trials {
    trial *items;
    int count;
    const struct sweep *sweep;
} trials;

static bool on_progress(void *user, const adatom_progress *now) {
    struct run *r = user;
    char text[96];
    if (!now->poll && now->phase == ADATOM_PHASE_EPISODES) {
        snprintf(text, sizeof text,
                 isnan(now->mean)      ? "diverged"
                 : isfinite(now->ci95) ? "%.2f ± %.2f %%"
                                       : "%.2f %%",
                 100 * now->mean, 100 * now->ci95);
        progress_update(&r->cli->progress, (double)now->done, (double)now->total, text);
    }
    return !*r->cli->stopped;
}

/* Lists every method with every combination of settings. Combinations that come to the same method on the model are run
 * once. */
static adatom_status make_trials(struct cli *cli, const list_options *list, const method_options *settings,
                                 const struct sweep *sweep, uint64_t seed, const adatom_model *model, trials *out) {
    const struct sweep_list *last = sweep->count ? &sweep->lists[sweep->count - 1] : NULL;
    const int block = last && strcmp(last->name, "steps") == 0 ? last->count : 1, blocks = sweep->combinations / block;
    adatom_status status = ADATOM_OK;
    typedef char text[2048];
    text *seen = calloc((size_t)blocks, sizeof *seen), first, next;
    *out = (trials){.items = calloc((size_t)list->methods.count * (size_t)blocks, sizeof *out->items), .sweep = sweep};
    if (!seen || !out->items) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory"));
    for (int m = 0; m < list->methods.count; m++)
        for (int b = 0, kept = 0; b < blocks; b++) {
            const int at = b * block;
            trial t = {.method = method_params(&settings[at], list->methods.items[m], seed), .combination = at};
            t.method.procedure = list->procedure;
            TRY(adatom_method_text(cli->ctx, &t.method, model, seen[kept], sizeof(text)));
            bool known = false;
            for (int k = 0; k < kept; k++) known = known || strcmp(seen[k], seen[kept]) == 0;
            if (known) continue;
            if (block > 1) { /* a method that takes no steps is run once, whatever their number */
                adatom_method one = t.method, two = t.method;
                one.steps = 1;
                two.steps = 2;
                TRY(adatom_method_text(cli->ctx, &one, model, first, sizeof first));
                TRY(adatom_method_text(cli->ctx, &two, model, next, sizeof next));
                for (int k = 0; k < block && strcmp(next, first) != 0; k++)
                    t.steps[t.step_count++] = settings[at + k].steps;
            }
            kept++;
            out->items[out->count++] = t;
        }
done:
    free(seen);
    return status;
}

/* Saves a list of episodes; of several lists FILE.json becomes FILE-5shot.json. */
static adatom_status save(struct cli *cli, const adatom_episodes *list, const char *path, int shot, bool several) {
    char name[4096];
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    size_t stem = dot && dot != path && (!slash || dot > slash + 1) ? (size_t)(dot - path) : strlen(path);
    int length = several ? snprintf(name, sizeof name, "%.*s-%dshot%s", (int)stem, path, shot, path + stem)
                         : snprintf(name, sizeof name, "%s", path);
    if (length < 0 || (size_t)length >= sizeof name)
        return cli_fail(cli, ADATOM_USAGE, "--save-episodes: the name is too long");
    return adatom_episodes_save(list, name);
}

/* Makes the lists of episodes: those of files, or one drawn for each shot. */
static adatom_status make_lists(struct cli *cli, const episode_options *o, const adatom_dataset *dataset,
                                adatom_episodes **lists, int *count) {
    adatom_status status = ADATOM_OK;
    int shots = o->shots.count ? o->shots.count : 1;
    if (o->replayed.count) {
        if (o->way || o->shots.count || o->query || o->tasks || o->without_replacement)
            return cli_fail(cli, ADATOM_USAGE,
                            "--episodes-file decides way, shot, query and tasks; leave those options out (--first and "
                            "--count are fine)");
        for (*count = 0; *count < o->replayed.count; ++*count)
            TRY(adatom_episodes_load(cli->ctx, o->replayed.items[*count], dataset, &lists[*count]));
        goto done;
    }
    for (*count = 0; *count < shots; ++*count) {
        adatom_episodes_params params = {.size = sizeof params,
                                         .way = o->way,
                                         .shot = o->shots.count ? o->shots.items[*count] : 0,
                                         .query = o->query,
                                         .tasks = o->tasks,
                                         .seed = o->seed,
                                         .without_replacement = o->without_replacement};
        TRY(adatom_episodes_create(cli->ctx, dataset, &params, &lists[*count]));
    }
done:
    for (int i = 0; i < *count && status == ADATOM_OK && o->save; i++) {
        adatom_episodes_info info = ADATOM_INIT(adatom_episodes_info);
        adatom_episodes_describe(lists[i], &info);
        status = save(cli, lists[i], o->save, info.shot, *count > 1);
    }
    return status;
}

/* Each episode's accuracy. It is a count divided by way*query: the exact fraction prints shorter than the float. */
static json_t *accuracies(const adatom_evaluation_info *e) {
    json_t *values = json_array();
    double queries = (double)e->way * e->query;
    for (int i = 0; i < e->tasks; i++)
        json_array_append_new(
            values, isnan(e->accuracy[i]) ? json_null() : json_real(round((double)e->accuracy[i] * queries) / queries));
    return values;
}

static json_t *predictions(const adatom_evaluation_info *e) {
    json_t *all = json_array();
    for (int t = 0; t < e->tasks; t++) {
        json_t *task = json_array();
        for (int q = 0; q < e->way * e->query; q++)
            json_array_append_new(task, json_integer(e->predictions[t * e->way * e->query + q]));
        json_array_append_new(all, task);
    }
    return all;
}

/* The numbers, in the list, of the episodes that diverged. */
static json_t *diverged(const adatom_evaluation_info *e, int first) {
    json_t *numbers = json_array();
    for (int i = 0; i < e->tasks; i++)
        if (isnan(e->accuracy[i])) json_array_append_new(numbers, json_integer(first + i));
    return numbers;
}

static json_t *result_row(const episode_options *o, const adatom_episodes_info *list, const adatom_evaluation_info *e,
                          const adatom_evaluation_info *first) {
    json_t *config = e->config_json ? json_loads(e->config_json, 0, NULL) : NULL;
    json_t *row = json_pack(
        "{s:s,s:{s:o,s:i,s:i,s:i,s:i,s:s,s:i,s:i},s:{s:o,s:o,s:o},s:i,s:o,s:I,s:{s:f,s:f},s:i,s:I,s:s,s:o}", "method",
        adatom_adapt_kind_name(e->method), "episodes", "seed", report_seed(list->seed), "n", list->tasks, "way",
        list->way, "shot", list->shot, "query", list->query, "list_hash", list->hash, "first", o->first, "count",
        e->tasks, "accuracy", "mean", report_number(e->mean), "ci95", report_number(e->ci95), "values", accuracies(e),
        "diverged", e->diverged, "diverged_episodes", diverged(e, o->first), "adapted", (json_int_t)e->adapted, "time",
        "total", e->seconds, "episodes_per_s", e->episodes_per_s, "tasks_at_once", e->tasks_at_once, "arena_bytes",
        (json_int_t)e->arena_bytes, "status", e->diverged == e->tasks ? "diverged" : "ok", "config",
        config ? config : json_object());
    if (row && first != e) {
        double mean = 0, ci95 = 0;
        adatom_mean_interval(e->accuracy, first->accuracy, (size_t)e->tasks, &mean, &ci95);
        json_object_set_new(row, "difference",
                            json_pack("{s:s,s:o,s:o}", "to", adatom_adapt_kind_name(first->method), "mean",
                                      report_number(mean), "ci95", report_number(ci95)));
    }
    if (row && o->predictions) json_object_set_new(row, "predictions", predictions(e));
    return row;
}

static json_t *episodes_document(const adatom_model *model, const adatom_dataset *dataset, const adatom_device *device,
                                 const char *path) {
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_device_info i = ADATOM_INIT(adatom_device_info);
    adatom_dataset_describe(dataset, &d);
    adatom_device_describe(device, &i);
    json_t *document = report_document("episodes");
    json_object_set_new(document, "device", report_device(&i));
    json_object_set_new(document, "dataset", report_dataset(&d));
    if (!model) return document; /* of features without one, the data set tells what is known of their network */
    adatom_model_describe(model, &m);
    json_object_set_new(document, "model",
                        json_pack("{s:o,s:s,s:s,s:s,s:i,s:I}", "file", report_text(path), "hash", m.hash, "arch",
                                  m.arch, "sharing", adatom_sharing_name(m.sharing), "atoms", m.atoms, "parameters",
                                  (json_int_t)m.parameters));
    return document;
}

/* Prints how much memory each run will need, before the first run starts; a run that cannot work fails here. */
static adatom_status announce(struct cli *cli, adatom_device *device, const adatom_model *model,
                              const adatom_dataset *dataset, adatom_episodes *const *lists, int list_count,
                              const trials *all) {
    for (int l = 0; l < list_count; l++)
        for (int k = 0; k < all->count; k++) {
            trial *t = &all->items[k];
            adatom_episodes_info info = ADATOM_INIT(adatom_episodes_info);
            adatom_adapt_plan_info plan = ADATOM_INIT(adatom_adapt_plan_info);
            const adatom_adapt_params params = {.size = sizeof params,
                                                .dataset = dataset,
                                                .episodes = lists[l],
                                                .method = &t->method,
                                                .step_count = (size_t)t->step_count,
                                                .progress = cli_progress,
                                                .user = cli};
            adatom_episodes_describe(lists[l], &info);
            adatom_status status = adatom_adapt_plan(device, model, &params, &plan);
            if (status != ADATOM_OK) return status;
            /* Rates do not change it, so that one line for each method is enough. */
            if (plan.arena_bytes > 0 && (k == 0 || all->items[k - 1].method.adapt != t->method.adapt))
                cli_note(cli, "%s, %d-shot: %.1f MiB of device memory, %d tasks at once",
                         adatom_adapt_kind_name(t->method.adapt), info.shot, (double)plan.arena_bytes / 1048576,
                         plan.tasks_at_once);
        }
    return ADATOM_OK;
}

/* The settings of a trial's result. A method that takes no steps has none of their numbers. */
static void settings_text(const trials *all, const trial *t, int evaluation, char *out, size_t capacity) {
    sweep_label(all->sweep, t->combination + evaluation, out, capacity);
    char *steps = t->step_count ? NULL : strstr(out, "steps=");
    if (steps) *(steps > out ? steps - 1 : steps) = 0; /* they are the last */
}

/* Runs all methods on one list and adds a row for each result. *lost counts the results without an accuracy, as every
 * episode diverged. best: what the report shows of the best result. */
static adatom_status evaluate(struct cli *cli, const episode_options *o, const trials *all, adatom_device *device,
                              const adatom_model *model, const adatom_dataset *dataset, const adatom_episodes *list,
                              json_t *rows, int *lost, best_answers *best) {
    /* first: the result that the others are compared with. */
    adatom_evaluation *evaluations[ARGS_LIST_MAX] = {NULL}, *first = NULL;
    adatom_evaluation_info base = ADATOM_INIT(adatom_evaluation_info);
    adatom_episodes_info info = ADATOM_INIT(adatom_episodes_info);
    adatom_device_info about = ADATOM_INIT(adatom_device_info);
    adatom_status status = ADATOM_OK;
    adatom_episodes_describe(list, &info);
    adatom_device_describe(device, &about);
    for (int k = 0; k < all->count; k++) {
        const trial *t = &all->items[k];
        struct run r = {cli, adatom_adapt_kind_name(t->method.adapt), info.shot};
        const adatom_adapt_params params = {.size = sizeof params,
                                            .dataset = dataset,
                                            .episodes = list,
                                            .method = &t->method,
                                            .first = o->first,
                                            .count = o->count,
                                            .steps = t->steps,
                                            .step_count = (size_t)t->step_count,
                                            .progress = on_progress,
                                            .user = &r};
        char label[512], settings[256];
        settings_text(all, t, 0, settings, sizeof settings);
        snprintf(label, sizeof label, "%s%s%s, %d-shot", r.name, settings[0] ? ", " : "", settings, r.shot);
        progress_start(&cli->progress, label, 0);
        if (t->step_count)
            TRY(adatom_adapt_steps(device, model, &params, evaluations, ARGS_LIST_MAX));
        else
            TRY(adatom_adapt_episodes(device, model, &params, evaluations));
        progress_clear(&cli->progress);
        for (int s = 0; s < (t->step_count ? t->step_count : 1); s++) {
            adatom_evaluation_info e = ADATOM_INIT(adatom_evaluation_info);
            adatom_evaluation_describe(evaluations[s], &e);
            if (!first) base = e;
            json_t *row = result_row(o, &info, &e, first ? &base : &e);
            report_precision(row, &about);
            settings_text(all, t, s, settings, sizeof settings);
            if (all->sweep->count) json_object_set_new(row, "settings", json_string(settings));
            *lost += e.diverged == e.tasks;
            if (!row || json_array_append_new(rows, row) != 0)
                TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result"));
            if (o->report) TRY(page_keep_best(cli, dataset, list, o->first, &e, (int)json_array_size(rows) - 1, best));
            if (!first) {
                first = evaluations[s];
                evaluations[s] = NULL;
            } else {
                adatom_evaluation_destroy(&evaluations[s]);
            }
        }
    }
done:
    for (int s = 0; s < ARGS_LIST_MAX; s++) adatom_evaluation_destroy(&evaluations[s]);
    adatom_evaluation_destroy(&first);
    return status;
}

/* What a plot has on its axis; NULL: nothing has several values. */
static const char *plot_axis(const struct sweep *sweep, int lists) {
    static const char *const swept[] = {"steps", "label-noise"};
    for (size_t s = 0; s < COUNT(swept); s++)
        for (int i = 0; i < sweep->count; i++)
            if (strcmp(sweep->lists[i].name, swept[s]) == 0) return swept[s];
    return lists > 1 ? "shot" : NULL;
}

static bool any_diverged(json_t *rows) {
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) if (json_integer_value(json_object_get(row, "diverged")) > 0) return true;
    return false;
}

static void caption(const adatom_dataset *dataset, const adatom_model *model, const adatom_episodes *list,
                    const char *device, json_t *rows, char *out, size_t capacity) {
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_episodes_info e = ADATOM_INIT(adatom_episodes_info);
    char name[512], what[128];
    adatom_dataset_describe(dataset, &d);
    if (model) adatom_model_describe(model, &m);
    adatom_episodes_describe(list, &e);
    int ran = (int)json_integer_value(report_get(json_array_get(rows, 0), "episodes.count"));
    if (model)
        snprintf(what, sizeof what, "%s, sharing %s, %d atoms", m.arch, adatom_sharing_name(m.sharing), m.atoms);
    else
        snprintf(what, sizeof what, "%d features a picture", d.features);
    snprintf(out, capacity, "%s (%d classes) on %s\n%s; %d-way, %d queries a class, %d episodes, seed %llu\n\n",
             terminal_name(d.name, name, sizeof name), d.classes, device, what, e.way, e.query, ran,
             (unsigned long long)e.seed);
}

adatom_status cmd_episodes(struct cli *cli, int argc, char **argv) {
    common_options common;
    device_options device_values;
    data_options data;
    feature_options feature_values;
    output_options output;
    episode_options values;
    list_options methods;
    method_options method_values;
    arg_group groups[] = {{"Episodes", episode_table, COUNT(episode_table), &values},
                          data_group(&data),
                          picture_group(&data.pictures),
                          feature_group(&feature_values),
                          {"Methods", list_table, COUNT(list_table), &methods},
                          method_group(&method_values),
                          device_group(&device_values),
                          output_group(&output),
                          common_group(&common)};
    arg_spec spec = {.command = "episodes",
                     .summary = "Adapts a model to few-shot episodes by one or several methods, on the same episodes, "
                                "and reports the accuracy.",
                     .notes = notes,
                     .groups = groups,
                     .group_count = COUNT(groups)};
    bool go = false;
    adatom_device *device = NULL;
    adatom_model *model = NULL;
    adatom_dataset *dataset = NULL;
    adatom_episodes *lists[ARGS_LIST_MAX] = {NULL};
    int list_count = 0, lost = 0;
    json_t *document = NULL, *rows = json_array();
    char above[1024];
    struct sweep sweep;
    trials all = {0};
    char **line = calloc((size_t)argc + 1, sizeof *line);
    best_answers best = {.row = -1};
    method_options *settings = NULL;
    /* ran: the status of the runs. What was finished is reported even if a later run fails. */
    adatom_status status = ADATOM_OK, ran = ADATOM_OK;
    const arg_group swept = method_group(&method_values);
    if (!sweep_find(&swept, "steps", argc, argv, &sweep, cli->message, sizeof cli->message)) TRY(ADATOM_USAGE);
    settings = calloc((size_t)sweep.combinations, sizeof *settings);
    if (!line || !settings) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory"));
    for (int k = 0; k < sweep.combinations; k++) {
        sweep_pick(&sweep, k, argc, argv, line);
        status = cli_parse(cli, &spec, &common, argc, line, &go);
        if (!go) goto done;
        settings[k] = method_values;
    }
    TRY(cli_check_features(cli, &feature_values, data.data, "--data"));
    if (methods.methods.count == 0) methods.methods = feature_values.features ? of_features : of_pictures;
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    if (values.model) TRY(adatom_model_load(cli->ctx, values.model, &model));
    TRY(make_trials(cli, &methods, settings, &sweep, values.seed, model, &all));
    if (model) adatom_model_describe(model, &m);
    TRY(feature_values.features ? cli_load_features(cli, &feature_values, model, &dataset)
                                : cli_open_dataset(cli, &data, &device_values, cli_picture_form(&m), &dataset));
    TRY(make_lists(cli, &values, dataset, lists, &list_count));
    const char *axis = plot_axis(&sweep, list_count);
    if (values.plot && !axis)
        TRY(cli_fail(cli, ADATOM_USAGE,
                     "--plot: nothing has several values; give some to --steps, --label-noise or --shot"));
    TRY(cli_open_device(cli, &device_values, &device));
    TRY(announce(cli, device, model, dataset, lists, list_count, &all));
    for (int l = 0; l < list_count && ran == ADATOM_OK; l++)
        ran = evaluate(cli, &values, &all, device, model, dataset, lists[l], rows, &lost, &best);
    if (json_array_size(rows) == 0) TRY(ran);

    document = episodes_document(model, dataset, device, values.model);
    json_object_set(document, "results", rows);
    adatom_device_info info = ADATOM_INIT(adatom_device_info);
    adatom_device_describe(device, &info);
    caption(dataset, model, lists[0], info.name, rows, above, sizeof above);
    report_column shown[COUNT(columns)];
    size_t column_count = 0;
    for (size_t c = 0; c < COUNT(columns); c++) /* the column of settings is only shown with a sweep */
        if (sweep.count || strcmp(columns[c].path, "settings") != 0) shown[column_count++] = columns[c];
    for (size_t c = 0; c < column_count; c++)
        if (strcmp(shown[c].path, "diverged") == 0 && any_diverged(rows)) shown[c].heading = "diverged";
    struct report report = {.document = document,
                            .rows = "results",
                            .columns = shown,
                            .column_count = column_count,
                            .above = above,
                            .below = "\n± half of the 95 % Student interval over episodes; differences are paired. "
                                     "Episodes share pictures: the interval\n"
                                     "speaks of the sampler, not of new data. adapted: numbers that adapt per task. "
                                     "Episodes that diverged (what\n"
                                     "adapts or a class score is not finite) have no accuracy.\n"};
    status = report_write_part(cli, &output, &report, ran);
    if (values.report && (status == ran || status == ADATOM_OK)) {
        const page_call call = {argc, argv};
        const adatom_status written = page_episodes(cli, values.report, document, axis, dataset, &best, &call);
        if (status == ADATOM_OK) status = written;
    }
    TRY(status);
    if (values.plot) TRY(episodes_plot(cli, values.plot, axis, rows));
    if (lost)
        TRY(cli_fail(cli, ADATOM_CHECK_FAILED,
                     "%d of %zu results have no accuracy: every episode diverged; lower the learning rate", lost,
                     json_array_size(rows)));
done:
    sweep_clear(&sweep);
    free(line);
    free(settings);
    free(all.items);
    answers_clear(&best.all);
    json_decref(rows);
    json_decref(document);
    for (int l = 0; l < ARGS_LIST_MAX; l++) adatom_episodes_destroy(&lists[l]);
    adatom_dataset_destroy(&dataset);
    adatom_model_destroy(&model);
    adatom_device_destroy(&device);
    return status;
}
