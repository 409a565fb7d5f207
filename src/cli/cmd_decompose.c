#include "layer_errors.h"
#include <adatom/transfer.h>

#include <string.h>

typedef struct decompose_options {
    const char *output, *mode;
    output_options result;
    adatom_sharing sharing;
    int atoms, group, iterations;
    bool decompose_first;
} decompose_options;

static const char *const modes[] = {"replace", "residual", NULL};

#define OPTIONS decompose_options
static const arg_option decompose_table[] = {
    OPTION("output", ARG_TEXT, output, .letter = 'o', .required = true, .value = "FILE",
           .help = "the model (safetensors)"),
    OPTION("mode", ARG_CHOICE, mode, .choices = modes, .initial = "replace", .value = "NAME",
           .help = "replace: kernels become coefficients and atoms; residual: kernels stay, and atoms of zero are "
                   "added to them"),
    OPTION("sharing", ARG_ENUM, sharing, .choices = sharing_names + ADATOM_SHARING_LAYER, .base = ADATOM_SHARING_LAYER,
           .initial = "layer", .value = "NAME",
           .help = "which layers share coefficients; group-*: the groups of their channels do"),
    OPTION("atoms", ARG_INT, atoms, .least = 1, .most = 64, .initial = "8", .value = "M",
           .help = "atoms of a dictionary; at most the numbers of a kernel (9 for 3x3) unless residual; S*S in groups"),
    OPTION("group", ARG_INT, group, .least = 4, .most = 1024, .value = "S",
           .help = "channels of a group with sharing group-* (default: the most up to 64 that divide every width)"),
    OPTION("decompose-first", ARG_FLAG, decompose_first, .help = "decompose the first convolution too"),
    OPTION("iterations", ARG_INT, iterations, .least = 1, .most = 1e6, .initial = "100", .value = "N",
           .help = "iterations of alternating least squares, for coefficients shared by a stage or the net"),
};

static const report_column columns[] = {
    {"layer", CELL_TEXT, "name", NULL},
    {"atoms", CELL_COUNT, "atoms", NULL},
    {"coefficients", CELL_TEXT, "coefficients", NULL},
    {"error %", CELL_PERCENT, "error", NULL},
};

adatom_status cmd_decompose(struct cli *cli, int argc, char **argv) {
    common_options common;
    decompose_options o;
    const char *path = NULL;
    arg_positional positionals[] = {{"MODEL", "a safetensors file of this program", NULL, &path}};
    arg_group groups[] = {
        {"Decomposition", decompose_table, COUNT(decompose_table), &o}, result_group(&o.result), common_group(&common)};
    arg_spec spec = {
        .command = "decompose",
        .summary =
            "Makes a network of coefficients and atoms of one with any kernels, and tells each layer's relative error "
            "|W - W'| / |W|.",
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
    TRY(adatom_model_load(cli->ctx, path, &model));
    const adatom_decompose_params params = {.size = sizeof params,
                                            .sharing = o.sharing,
                                            .atoms = o.atoms,
                                            .group = o.group,
                                            .residual = strcmp(o.mode, "residual") == 0,
                                            .decompose_first = o.decompose_first,
                                            .iterations = o.iterations,
                                            .progress = cli_progress,
                                            .user = cli};
    TRY(adatom_model_decompose(model, &params, &out));
    TRY(adatom_model_save(out, o.output));
    adatom_model_info before = ADATOM_INIT(adatom_model_info), after = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &before);
    adatom_model_describe(out, &after);
    TRY(layer_errors(model, out, true, layers));
    document = report_document("decompose");
    json_object_set_new(
        document, "model",
        json_pack("{s:o,s:s,s:s,s:I,s:s,s:s,s:i,s:b,s:I,s:I}", "file", report_text(o.output), "arch", after.arch,
                  "source_hash", before.hash, "source_parameters", (json_int_t)before.parameters, "hash", after.hash,
                  "sharing", adatom_sharing_name(after.sharing), "atoms", after.atoms, "residual", (int)after.residual,
                  "parameters", (json_int_t)after.parameters, "atoms_parameters", (json_int_t)after.atoms_parameters));
    json_object_set(document, "layers", layers);
    snprintf(below, sizeof below, "\nparameters %llu, before %llu; atoms %llu\n", (unsigned long long)after.parameters,
             (unsigned long long)before.parameters, (unsigned long long)after.atoms_parameters);
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
