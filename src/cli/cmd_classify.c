#include "page_classify.h"
#include "report.h"
#include "unreadable.h"
#include <adatom/adapter.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct classify_options {
    const char *model, *adapters, *report;
    int top, batch;
    float reject;
    bool calibrated;
    uint64_t memory;
} classify_options;

#define OPTIONS classify_options
static const arg_option table[] = {
    OPTION("model", ARG_TEXT, model, .required = true, .unless = "features", .value = "FILE",
           .help = "the network, safetensors"),
    OPTION("adapter", ARG_TEXT, adapters, .value = "DIR[,DIR]",
           .help = "folders written by 'adatom adapt' for this model; without one the model's own classifier is used"),
    OPTION("top", ARG_INT, top, .least = 1, .most = 1000, .initial = "1", .value = "K",
           .help = "how many of the most probable classes to tell for each picture"),
    OPTION("reject", ARG_REAL, reject, .least = 1e-6, .most = 0.999, .value = "SHARE",
           .help = "tell pictures that look like none of the adapter's classes, and name no class for them: those that "
                   "look less familiar than this share of pictures of its own classes, e.g. 0.05, of which so many are "
                   "refused wrongly; known from the adapter's estimate"),
    OPTION("calibrated", ARG_FLAG, calibrated,
           .help = "probabilities that are right as often as they say, by the temperature that the adapter's estimate "
                   "gave; classes stay the same"),
    OPTION("batch", ARG_INT, batch, .least = 0, .most = 65536, .initial = "0", .value = "N",
           .help = "pictures classified at once; 0: as many as suit the device"),
    OPTION("memory", ARG_BYTES, memory, .value = "SIZE",
           .help = "most device memory to use, e.g. 2G; 0: half of what is free"),
    PAGE_OPTION(classify_options),
};
#undef OPTIONS

static const report_column columns[] = {
    {"picture", CELL_TEXT, "picture", NULL},
    {"adapter", CELL_TEXT, "adapter", NULL},
    {"rank", CELL_COUNT, "rank", NULL},
    {"class", CELL_TEXT, "class", NULL},
    {"probability %", CELL_PERCENT, "probability", NULL},
    {"typical %", CELL_PERCENT, "typicality", NULL}, /* this one and the next two with --reject */
    {"refused", CELL_TEXT, "refused", NULL},
    {NULL, CELL_TEXT, "nearest", NULL},
    {"error", CELL_TEXT, "error", NULL},
};
enum { TYPICALITY_AT = 5, TYPICALITY_COLUMNS = 3 };

/* Those that are shown; their number. */
static size_t choose_columns(bool typicality, bool errors, report_column *shown) {
    size_t count = 0;
    for (size_t c = 0; c < COUNT(columns); c++) {
        const bool of_reject = c >= TYPICALITY_AT && c < TYPICALITY_AT + TYPICALITY_COLUMNS;
        if ((of_reject && !typicality) || (c + 1 == COUNT(columns) && !errors)) continue;
        shown[count++] = columns[c];
    }
    return count;
}

/* The adapters of one command. texts: a copy of the option's value, cut into names by NULs. */
typedef struct adapter_list {
    char *texts;
    const char *names[ARGS_LIST_MAX];
    adatom_adapter *items[ARGS_LIST_MAX];
    size_t count;
} adapter_list;

/* The end of the first name in a comma list. A name may itself hold commas: the longest beginning of the list that is a
 * folder is taken. */
static char *end_of_folder(char *list) {
    struct stat info;
    for (char *end = list + strlen(list); end > list; end--) {
        const char was = *end;
        if (was && was != ',') continue;
        *end = 0;
        const bool folder = stat(list, &info) == 0 && S_ISDIR(info.st_mode);
        *end = was;
        if (folder) return end;
    }
    return list + strcspn(list, ",");
}

static adatom_status load_adapters(struct cli *cli, const char *list, adapter_list *out) {
    if (!list) return ADATOM_OK;
    if (!(out->texts = strdup(list))) return cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory");
    for (char *name = out->texts, *end; *name; name = end) {
        end = end_of_folder(name);
        if (*end) *end++ = 0;
        if (!*name) continue;
        if (out->count == ARGS_LIST_MAX)
            return cli_fail(cli, ADATOM_USAGE, "--adapter: at most %d adapters in one run", ARGS_LIST_MAX);
        adatom_status status = adatom_adapter_load(cli->ctx, name, &out->items[out->count]);
        if (status != ADATOM_OK) return status;
        out->names[out->count++] = name;
    }
    return out->count ? ADATOM_OK : cli_fail(cli, ADATOM_USAGE, "--adapter names no adapter");
}

static adatom_status open_pictures(unreadable_list *unreadable, const picture_options *pictures,
                                   const device_options *device, const adatom_model *model, const char *const *paths,
                                   size_t count, adatom_dataset **out) {
    struct cli *cli = unreadable->cli;
    const data_options none = {.pictures = *pictures};
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &m);
    adatom_dataset_params params = cli_dataset_params(cli, &none, device->threads, "", cli_picture_form(&m));
    unreadable_watch(unreadable, &params);
    progress_start(&cli->progress, "pictures", 0);
    const adatom_status status = adatom_dataset_open_pictures(cli->ctx, paths, count, &params, out);
    progress_clear(&cli->progress);
    return status;
}

/* The names of the classes of the model's own classifier, as a new array; empty where the model does not tell them. */
static json_t *own_names(const adatom_model *model) {
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    if (model) adatom_model_describe(model, &m);
    json_t *notes = m.notes ? json_loads(m.notes, 0, NULL) : NULL;
    json_t *names = json_incref(json_object_get(notes, "classes"));
    json_decref(notes);
    if (json_is_array(names) && json_array_size(names) == (size_t)m.classes) return names;
    json_decref(names);
    return json_array();
}

/* With --reject a row tells how typical the picture looks; of a refused one the class is what it comes nearest to. */
static void add_typicality(json_t *row, double typicality, bool refused) {
    json_object_set_new(row, "typicality", report_number(typicality));
    json_object_set_new(row, "refused", json_boolean(refused));
    json_object_set_new(row, "nearest", refused ? json_incref(json_object_get(row, "class")) : json_null());
    if (!refused) return;
    json_object_set_new(row, "class", json_null());
    json_object_set_new(row, "class_index", json_null());
    json_object_set_new(row, "probability", json_null());
}

/* Adds a row for each of the `top` most probable classes of a picture under a result; one of a picture that is refused.
 */
static adatom_status add_rows(struct cli *cli, const classify_options *o, json_t *rows, const char *picture,
                              const char *name, const adatom_adapter *adapter, const json_t *own,
                              const adatom_predictions *predictions, int result, size_t image) {
    int classes = 0;
    const float *probabilities = adatom_predictions_get(predictions, result, image, &classes);
    const bool refused = adatom_predictions_refused(predictions, result, image);
    const int top = refused ? 1 : o->top;
    int last = -1;
    if (isnan(probabilities[0])) {
        json_t *row =
            json_pack("{s:o,s:o,s:n,s:n,s:n,s:n,s:s}", "picture", report_text(picture), "adapter", report_text(name),
                      "rank", "class", "class_index", "probability", "error", "class scores are not finite");
        if (!row) return cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result");
        json_array_append_new(rows, row);
        return ADATOM_OK;
    }
    for (int rank = 1; rank <= top && rank <= classes; rank++) {
        /* The next class by falling probability, then by number. */
        int best = -1;
        for (int c = 0; c < classes; c++) {
            const bool later = last < 0 || probabilities[c] < probabilities[last] ||
                               (probabilities[c] == probabilities[last] && c > last);
            if (later && (best < 0 || probabilities[c] > probabilities[best])) best = c;
        }
        if (best < 0) break;
        adatom_adapter_class one = ADATOM_INIT(adatom_adapter_class);
        char number[16];
        snprintf(number, sizeof number, "%d", best);
        if (adapter)
            adatom_adapter_get_class(adapter, best, &one);
        else
            one.name = json_string_value(json_array_get(own, (size_t)best));
        json_t *row = json_pack("{s:o,s:o,s:i,s:o,s:i,s:o}", "picture", report_text(picture), "adapter",
                                report_text(name), "rank", rank, "class", report_text(one.name ? one.name : number),
                                "class_index", best, "probability", report_float(probabilities[best]));
        if (!row) return cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result");
        if (o->reject > 0) add_typicality(row, adatom_predictions_typicality(predictions, result, image), refused);
        json_array_append_new(rows, row);
        last = best;
    }
    return ADATOM_OK;
}

static adatom_status add_predictions(struct cli *cli, const classify_options *o, const adatom_dataset *dataset,
                                     const adatom_model *model, const adapter_list *adapters,
                                     const adatom_predictions *predictions, json_t *rows) {
    adatom_predictions_info p = ADATOM_INIT(adatom_predictions_info);
    adatom_predictions_describe(predictions, &p);
    adatom_status status = ADATOM_OK;
    json_t *own = own_names(model);
    for (size_t i = 0; i < p.images; i++)
        for (int r = 0; r < p.results && status == ADATOM_OK; r++)
            status = add_rows(cli, o, rows, adatom_dataset_path(dataset, i),
                              adapters->count ? adapters->names[r] : "own", adapters->items[r], own, predictions, r, i);
    json_decref(own);
    return status;
}

/* Adds a row with an "error" and no class for each picture that cannot be read. */
static void add_unreadable(const unreadable_list *unreadable, json_t *rows) {
    size_t i;
    json_t *one;
    json_array_foreach(unreadable->rows, i, one) {
        json_t *picture = json_object_get(one, "picture"), *error = json_object_get(one, "error");
        json_array_append_new(rows, json_pack("{s:O,s:n,s:n,s:n,s:n,s:n,s:O}", "picture", picture, "adapter", "rank",
                                              "class", "class_index", "probability", "error", error));
    }
}

static adatom_status write_page(struct cli *cli, const char *path, const page_call *call, json_t *document,
                                const adatom_model *model, const adatom_dataset *dataset, const adapter_list *adapters,
                                const adatom_predictions *predictions) {
    adatom_predictions_info p = ADATOM_INIT(adatom_predictions_info);
    classify_result results[ARGS_LIST_MAX] = {0};
    json_t *own = own_names(model), *whole = json_copy(document);
    if (predictions) adatom_predictions_describe(predictions, &p);
    if (dataset) {
        adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
        adatom_dataset_describe(dataset, &d);
        json_object_set_new(whole, "dataset", report_dataset(&d));
    }
    for (int r = 0; r < p.results; r++)
        results[r] = (classify_result){.name = adapters->count ? adapters->names[r] : "own",
                                       .adapter = adapters->items[r],
                                       .own = own,
                                       .predictions = predictions,
                                       .number = r};
    const adatom_status status = page_classify(cli, path, whole, dataset, results, (size_t)p.results, call);
    json_decref(whole);
    json_decref(own);
    return status;
}

/* device, dataset and predictions are NULL if no picture could be read. */
static adatom_status report(struct cli *cli, const classify_options *o, const page_call *call,
                            const output_options *output, const adatom_model *model, const adatom_device *device,
                            const adatom_dataset *dataset, const adapter_list *adapters,
                            const adatom_predictions *predictions, const unreadable_list *unreadable) {
    adatom_predictions_info p = ADATOM_INIT(adatom_predictions_info);
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_device_info d = ADATOM_INIT(adatom_device_info);
    const size_t bad = json_array_size(unreadable->rows);
    char below[128] = "";
    report_column shown[COUNT(columns)];
    if (model) adatom_model_describe(model, &m);
    json_t *document = report_document("classify"), *rows = json_array();
    adatom_status status = ADATOM_OK;
    if (predictions) {
        adatom_predictions_describe(predictions, &p);
        adatom_device_describe(device, &d);
        TRY(add_predictions(cli, o, dataset, model, adapters, predictions, rows));
        json_object_set_new(document, "device", report_device(&d));
        report_precision(document, &d);
        json_object_set_new(document, "time",
                            json_pack("{s:f,s:f}", "total", p.seconds, "images_per_s", p.images_per_s));
    }
    add_unreadable(unreadable, rows);
    if (o->reject > 0)
        json_object_set_new(document, "rejection",
                            json_pack("{s:o,s:I}", "share", report_float(o->reject), "refused", (json_int_t)p.refused));
    json_object_set_new(document, "calibrated", json_boolean(o->calibrated));
    if (o->reject > 0 && predictions)
        snprintf(below, sizeof below, "\n%zu of %zu answers are refused: the pictures look like none of the classes\n",
                 p.refused, p.images * (size_t)p.results);
    if (model)
        json_object_set_new(document, "model", json_pack("{s:o,s:s}", "file", report_text(o->model), "hash", m.hash));
    json_object_set_new(document, "unreadable", json_integer((json_int_t)bad));
    json_object_set(document, "predictions", rows);
    /* The column of errors is always in CSV files; in the table only if there is an error. */
    const bool is_table = strcmp(output->format, "table") == 0 || strcmp(output->format, "md") == 0;
    const struct report r = {.document = document,
                             .rows = "predictions",
                             .columns = shown,
                             .column_count = choose_columns(o->reject > 0, !is_table || bad || p.lost, shown),
                             .below = below};
    TRY(report_write(cli, output, &r));
    if (o->report) TRY(write_page(cli, o->report, call, document, model, dataset, adapters, predictions));
    TRY(unreadable_end(unreadable));
    if (p.lost)
        status =
            cli_fail(cli, ADATOM_CHECK_FAILED,
                     "%zu of %zu answers are missing: class scores are not finite (the adapter's training diverged)",
                     p.lost, p.images * (size_t)p.results);
done:
    json_decref(rows);
    json_decref(document);
    return status;
}

adatom_status cmd_classify(struct cli *cli, int argc, char **argv) {
    common_options common;
    device_options device_values;
    picture_options picture_values;
    feature_options feature_values;
    output_options output;
    classify_options o;
    const char **paths = calloc((size_t)argc + 1, sizeof *paths);
    size_t path_count = 0;
    arg_group groups[] = {{"Classification", table, COUNT(table), &o},
                          feature_group(&feature_values),
                          picture_group(&picture_values),
                          device_group(&device_values),
                          output_group(&output),
                          common_group(&common)};
    arg_spec spec = {.command = "classify",
                     .summary =
                         "Tells the class of pictures, with its probability, under one or several adapters of a model.",
                     .rest_name = "IMAGES",
                     .rest_help = "pictures, folders of pictures (at any depth), zip or tar archives of them",
                     .rest_unless = "features",
                     .rest = paths,
                     .rest_count = &path_count,
                     .groups = groups,
                     .group_count = COUNT(groups)};
    bool run = false;
    adatom_device *device = NULL;
    adatom_model *model = NULL;
    adatom_dataset *dataset = NULL;
    adatom_predictions *predictions = NULL;
    adapter_list adapters = {0};
    const page_call call = {argc, argv};
    unreadable_list unreadable = {.cli = cli, .rows = json_array()};
    adatom_status status =
        paths ? cli_parse(cli, &spec, &common, argc, argv, &run) : cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory");
    if (!run) goto done;
    TRY(cli_check_features(cli, &feature_values, path_count ? paths[0] : NULL, "IMAGES"));
    if (o.model) TRY(adatom_model_load(cli->ctx, o.model, &model));
    TRY(load_adapters(cli, o.adapters, &adapters));
    if (feature_values.features)
        TRY(cli_load_features(cli, &feature_values, model, &dataset));
    else
        status = open_pictures(&unreadable, &picture_values, &device_values, model, paths, path_count, &dataset);
    if (status == ADATOM_BAD_DATA && json_array_size(unreadable.rows) > 0)
        status = report(cli, &o, &call, &output, model, NULL, NULL, &adapters, NULL, &unreadable);
    if (status != ADATOM_OK) goto done;
    TRY(cli_open_device(cli, &device_values, &device));
    const adatom_classify_params params = {.size = sizeof params,
                                           .adapters = (const adatom_adapter *const *)adapters.items,
                                           .adapter_count = adapters.count,
                                           .batch = o.batch,
                                           .calibrated = o.calibrated,
                                           .reject = o.reject,
                                           .memory_bytes = (size_t)(o.memory < SIZE_MAX ? o.memory : SIZE_MAX),
                                           .progress = cli_progress,
                                           .user = cli};
    progress_start(&cli->progress, "classify", 0);
    TRY(adatom_classify(device, model, dataset, &params, &predictions));
    progress_clear(&cli->progress);
    adatom_predictions_info p = ADATOM_INIT(adatom_predictions_info);
    adatom_predictions_describe(predictions, &p);
    cli_note(cli, "%zu pictures in %.2f s, %.1f pictures/s", p.images, p.seconds, p.images_per_s);
    TRY(report(cli, &o, &call, &output, model, device, dataset, &adapters, predictions, &unreadable));
done:
    json_decref(unreadable.rows);
    adatom_predictions_destroy(&predictions);
    for (size_t i = 0; i < ARGS_LIST_MAX; i++) adatom_adapter_destroy(&adapters.items[i]);
    free(adapters.texts);
    free(paths);
    adatom_dataset_destroy(&dataset);
    adatom_model_destroy(&model);
    adatom_device_destroy(&device);
    return status;
}
