#include "report.h"
#include "unreadable.h"
#include <adatom/features.h>

#include <stdlib.h>
#include <string.h>

typedef struct features_options {
    const char *model, *adapter, *output, *type;
    output_options result;
    bool classes;
    uint64_t memory;
} features_options;

static const char *const types[] = {"f32", "f16", NULL};

#define OPTIONS features_options
static const arg_option table[] = {
    OPTION("model", ARG_TEXT, model, .required = true, .value = "FILE", .help = "the network, safetensors"),
    OPTION("output", ARG_TEXT, output, .letter = 'o', .required = true, .value = "FILE",
           .help = "F.safetensors: features, labels and names; F.npy: the features alone, with F.labels.csv beside it"),
    OPTION("adapter", ARG_TEXT, adapter, .value = "DIR",
           .help = "an adapter of this model: the features are those of the adapted network"),
    OPTION("dtype", ARG_CHOICE, type, .choices = types, .initial = "f32", .value = "TYPE",
           .help = "the numbers' type in the file"),
    OPTION("classes", ARG_FLAG, classes, .initial = "yes",
           .help = "take folders and lists as classes where there are any"),
    OPTION("memory", ARG_BYTES, memory, .value = "SIZE",
           .help = "most device memory to use, e.g. 2G; 0: half of what is free"),
};
#undef OPTIONS

static const report_column columns[] = {
    {"file", CELL_TEXT, "file", NULL},        {"pictures", CELL_COUNT, "images", NULL},
    {"classes", CELL_COUNT, "classes", NULL}, {"features", CELL_COUNT, "features", NULL},
    {"type", CELL_TEXT, "type", NULL},        {"left out", CELL_COUNT, "unreadable", NULL},
    {"seconds", CELL_NUMBER, "seconds", NULL}};

static adatom_status report(struct cli *cli, const features_options *o, const adatom_dataset *features,
                            const adatom_device *device, const unreadable_list *unreadable, double seconds) {
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_device_info i = ADATOM_INIT(adatom_device_info);
    const char *name = NULL;
    size_t first, count;
    adatom_dataset_describe(features, &d);
    adatom_device_describe(device, &i);
    const bool labelled = adatom_dataset_class(features, 0, &name, &first, &count) == ADATOM_OK && *name;
    json_t *document = report_document("features");
    json_object_set_new(document, "device", report_device(&i));
    report_precision(document, &i);
    json_object_set_new(document, "dataset", report_dataset(&d));
    json_object_set_new(document, "config", d.origin ? json_loads(d.origin, 0, NULL) : json_object());
    json_object_set(document, "unreadable", unreadable->rows);
    json_object_set_new(document, "results",
                        json_pack("[{s:o,s:I,s:i,s:i,s:s,s:I,s:f}]", "file", report_text(o->output), "images",
                                  (json_int_t)d.images, "classes", labelled ? d.classes : 0, "features", d.features,
                                  "type", o->type, "unreadable", (json_int_t)json_array_size(unreadable->rows),
                                  "seconds", seconds));
    const struct report r = {
        .document = document, .rows = "results", .columns = columns, .column_count = COUNT(columns)};
    adatom_status status = report_write(cli, &o->result, &r);
    json_decref(document);
    return status == ADATOM_OK ? unreadable_end(unreadable) : status;
}

adatom_status cmd_features(struct cli *cli, int argc, char **argv) {
    common_options common;
    device_options device_values;
    data_options data;
    features_options o;
    const char **paths = calloc((size_t)argc + 1, sizeof *paths);
    size_t path_count = 0;
    arg_group groups[] = {
        {"Features", table, COUNT(table), &o}, data_group_positional(&data), picture_group(&data.pictures),
        device_group(&device_values),          result_group(&o.result),      common_group(&common)};
    arg_spec spec = {
        .command = "features",
        .summary = "Writes what a model makes of pictures, its features, to a file: for 'adatom episodes', "
                   "'adapt' and 'classify' with --features, and for other programs.",
        .notes = "Pictures are decoded and computed a part after the other, so that any number of them takes "
                 "little memory. In data with classes a picture that cannot be read is a failure; of others "
                 "it is left out, told, and the exit code is 4.",
        .rest_name = "PICTURES",
        .rest_help = "a folder with a folder per class, an archive of that, a `filename,label` CSV or "
                     "builtin:shapes; or pictures without classes: pictures, folders, archives",
        .rest = paths,
        .rest_count = &path_count,
        .groups = groups,
        .group_count = COUNT(groups)};
    bool run = false;
    adatom_device *device = NULL;
    adatom_model *model = NULL;
    adatom_adapter *adapter = NULL;
    adatom_dataset *pictures = NULL, *features = NULL;
    unreadable_list unreadable = {.cli = cli, .rows = json_array()};
    adatom_status status =
        paths ? cli_parse(cli, &spec, &common, argc, argv, &run) : cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory");
    if (!run) goto done;
    TRY(adatom_features_check(cli->ctx, o.output));
    TRY(adatom_model_load(cli->ctx, o.model, &model));
    if (o.adapter) TRY(adatom_adapter_load(cli->ctx, o.adapter, &adapter));
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &m);
    adatom_dataset_params listed = cli_dataset_params(cli, &data, device_values.threads, "", cli_picture_form(&m));
    unreadable_watch(&unreadable, &listed);
    TRY(adatom_dataset_list(cli->ctx, paths, path_count, o.classes, &listed, &pictures));
    TRY(cli_open_device(cli, &device_values, &device));
    const adatom_features_params params = {.size = sizeof params,
                                           .adapter = adapter,
                                           .memory_bytes = (size_t)(o.memory < SIZE_MAX ? o.memory : SIZE_MAX),
                                           .base_model = o.model,
                                           .progress = cli_progress,
                                           .user = cli};
    progress_start(&cli->progress, "features", 0);
    TRY(adatom_features_compute(device, model, pictures, &params, &features));
    const double seconds = progress_seconds(&cli->progress);
    progress_clear(&cli->progress);
    const adatom_features_save_params save = {.size = sizeof save, .half = strcmp(o.type, "f16") == 0};
    TRY(adatom_features_save(features, o.output, &save));
    TRY(report(cli, &o, features, device, &unreadable, seconds));
done:
    progress_clear(&cli->progress);
    json_decref(unreadable.rows);
    adatom_dataset_destroy(&features);
    adatom_dataset_destroy(&pictures);
    adatom_adapter_destroy(&adapter);
    adatom_device_destroy(&device);
    adatom_model_destroy(&model);
    free(paths);
    return status;
}
