#include "layer_errors.h"
#include <adatom/transfer.h>

#include <sys/stat.h>

typedef struct round_options {
    const char *output;
    output_options result;
} round_options;

#define OPTIONS round_options
static const arg_option round_table[] = {
    OPTION("output", ARG_TEXT, output, .letter = 'o', .required = true, .value = "FILE",
           .help = "the model (safetensors)"),
};

static const report_column columns[] = {
    {"layer", CELL_TEXT, "name", NULL},
    {"error %", CELL_PERCENT, "error", NULL},
};

static json_int_t bytes_of(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 ? (json_int_t)info.st_size : 0;
}

adatom_status cmd_round(struct cli *cli, int argc, char **argv) {
    common_options common;
    round_options o;
    const char *path = NULL;
    arg_positional positionals[] = {{"MODEL", "a safetensors file of this program", NULL, &path}};
    arg_group groups[] = {
        {"Rounding", round_table, COUNT(round_table), &o}, result_group(&o.result), common_group(&common)};
    arg_spec spec = {
        .command = "round",
        .summary =
            "Rounds a model's atoms, coefficients, kernels and classifier to half precision, which makes its file "
            "half as large, and tells each layer's relative error |W - W'| / |W|.",
        .notes = "The result is a model of its own: adapters and recipes of the one do not fit the other. Whether it "
                 "answers the same, `adatom episodes` with both says.",
        .positionals = positionals,
        .positional_count = 1,
        .groups = groups,
        .group_count = COUNT(groups)};
    bool run = false;
    adatom_model *model = NULL, *out = NULL;
    json_t *document = NULL, *layers = json_array();
    char below[256];
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run);
    if (!run) goto done;
    const json_int_t source_bytes = bytes_of(path); /* before it may be written over */
    TRY(adatom_model_load(cli->ctx, path, &model));
    TRY(adatom_model_round(model, &out));
    TRY(adatom_model_save(out, o.output));
    adatom_model_info before = ADATOM_INIT(adatom_model_info), after = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &before);
    adatom_model_describe(out, &after);
    TRY(layer_errors(model, out, false, layers));
    const json_int_t bytes = bytes_of(o.output);
    document = report_document("round");
    json_object_set_new(document, "model",
                        json_pack("{s:o,s:s,s:s,s:I,s:s,s:I}", "file", report_text(o.output), "arch", after.arch,
                                  "source_hash", before.hash, "source_bytes", source_bytes, "hash", after.hash, "bytes",
                                  bytes));
    json_object_set(document, "layers", layers);
    snprintf(below, sizeof below, "\n%lld bytes, before %lld; hash %s, before %s\n", (long long)bytes,
             (long long)source_bytes, after.hash, before.hash);
    struct report report = {
        .document = document, .rows = "layers", .columns = columns, .column_count = COUNT(columns), .below = below};
    TRY(report_write(cli, &o.result, &report));
done:
    json_decref(layers);
    json_decref(document);
    adatom_model_destroy(&model);
    adatom_model_destroy(&out);
    return status;
}
