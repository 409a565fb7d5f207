#include "cli.h"
#include <adatom/adapter.h>
#include <adatom/transfer.h>

typedef struct export_options {
    const char *output, *adapter, *map;
    adatom_layout layout;
} export_options;

#define OPTIONS export_options
static const arg_option export_table[] = {
    OPTION("output", ARG_TEXT, output, .letter = 'o', .required = true, .value = "FILE",
           .help = "dense weights (safetensors)"),
    OPTION("adapter", ARG_TEXT, adapter, .value = "DIR", .help = "an adapter of this model, to be merged into it"),
    OPTION("layout", ARG_ENUM, layout, .choices = layout_names, .initial = "auto", .value = "NAME",
           .help = "whose names to write; auto: those the model was imported with"),
    OPTION("map", ARG_TEXT, map, .value = "FILE", .help = "the map the model was imported with"),
};

adatom_status cmd_export(struct cli *cli, int argc, char **argv) {
    common_options common;
    export_options o;
    const char *path = NULL;
    arg_positional positionals[] = {{"MODEL", "a safetensors file of this program", NULL, &path}};
    arg_group groups[] = {{"Export", export_table, COUNT(export_table), &o}, common_group(&common)};
    arg_spec spec = {
        .command = "export",
        .summary =
            "Writes a model's composed weights under the names of another program, for load_state_dict(strict=True).",
        .positionals = positionals,
        .positional_count = 1,
        .groups = groups,
        .group_count = COUNT(groups)};
    bool run = false;
    adatom_model *model = NULL, *merged = NULL;
    adatom_adapter *adapter = NULL;
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run);
    if (!run) goto done;
    TRY(adatom_model_load(cli->ctx, path, &model));
    const adatom_export_params params = {.size = sizeof params, .layout = o.layout, .map = o.map};
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    if (o.adapter) {
        TRY(adatom_adapter_load(cli->ctx, o.adapter, &adapter));
        TRY(adatom_adapter_merge(adapter, model, &merged));
        adatom_adapter_describe(adapter, &a);
    }
    TRY(adatom_model_export(merged ? merged : model, o.output, &params));
    cli_note(cli, "%s is written", o.output);
    if (a.cosine)
        cli_note(cli, "the adapter's classifier is a cosine one: as a linear layer it gives the same classes, and the "
                      "same logits if the features "
                      "are normalised before it (torch.nn.functional.normalize)");
done:
    adatom_adapter_destroy(&adapter);
    adatom_model_destroy(&merged);
    adatom_model_destroy(&model);
    return status;
}
