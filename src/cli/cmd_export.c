#include "cli.h"
#include <adatom/adapter.h>
#include <adatom/transfer.h>

#include <stdlib.h>
#include <string.h>

typedef struct export_options {
    const char *output, *adapter, *map;
    adatom_layout layout;
    bool fold_norms;
} export_options;

#define OPTIONS export_options
static const arg_option export_table[] = {
    OPTION("output", ARG_TEXT, output, .letter = 'o', .required = true, .value = "FILE",
           .help = "dense weights (safetensors); where the name ends in .onnx, the network as a graph (ONNX)"),
    OPTION("adapter", ARG_TEXT, adapter, .value = "DIR", .help = "an adapter of this model, to be merged into it"),
    OPTION("layout", ARG_ENUM, layout, .choices = layout_names, .initial = "auto", .value = "NAME",
           .help = "whose names to write; auto: those the model was imported with"),
    OPTION("map", ARG_TEXT, map, .value = "FILE", .help = "the map the model was imported with"),
    OPTION("fold-norms", ARG_FLAG, fold_norms, .initial = "yes",
           .help = "ONNX: batch norms become part of the convolutions before them"),
};

/* A file is a graph by the ending of its name. */
static bool is_onnx(const char *path) {
    const char *ending = strrchr(path, '.');
    return ending && strcmp(ending, ".onnx") == 0;
}

static adatom_status check(struct cli *cli, const export_options *o) {
    if (is_onnx(o->output) && (o->map || o->layout != ADATOM_LAYOUT_AUTO))
        return cli_fail(cli, ADATOM_USAGE, "--%s is for the names of tensors, which a file of ONNX has no use for",
                        o->map ? "map" : "layout");
    if (!is_onnx(o->output) && !o->fold_norms)
        return cli_fail(cli, ADATOM_USAGE, "--no-fold-norms is for files of ONNX, and '%s' does not end in .onnx",
                        o->output);
    return ADATOM_OK;
}

/* The map of the features behind which a cosine classifier takes their length; only tsa has one. *out NULL: the adapter
 * has none; free() it. */
static adatom_status read_alignment(struct cli *cli, const adatom_adapter *adapter, const adatom_model *model,
                                    const adatom_adapter_info *info, float **out) {
    adatom_status status = ADATOM_OK;
    *out = NULL;
    for (int i = 0; i < info->tensors && strcmp(info->method, "tsa") == 0; i++) {
        adatom_adapter_tensor tensor = ADATOM_INIT(adatom_adapter_tensor);
        TRY(adatom_adapter_get_tensor(adapter, model, i, &tensor));
        if (strcmp(tensor.name, "head.alignment") != 0) continue;
        if (!(*out = malloc(tensor.elements * sizeof **out)))
            TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the alignment of the features"));
        TRY(adatom_adapter_read_tensor(adapter, model, i, NULL, *out, tensor.elements));
    }
done:
    return status;
}

/* model: without the adapter; merged: with it, or NULL. */
static adatom_status export_onnx(struct cli *cli, const export_options *o, const adatom_model *model,
                                 const adatom_adapter *adapter, const adatom_model *merged,
                                 const adatom_adapter_info *info) {
    float *alignment = NULL;
    adatom_status status = ADATOM_OK;
    if (info->cosine) TRY(read_alignment(cli, adapter, model, info, &alignment));
    const adatom_onnx_params params = {.size = sizeof params,
                                       .keep_norms = !o->fold_norms,
                                       .cosine = info->cosine,
                                       .mirror = info->mirror,
                                       .alignment = alignment};
    TRY(adatom_model_export_onnx(merged ? merged : model, o->output, &params));
    cli_note(cli, "%s is written%s", o->output,
             info->mirror ? "; its graph, unlike the merged model, takes the mean over a picture and its mirror image"
                          : "");
done:
    free(alignment);
    return status;
}

static adatom_status export_weights(struct cli *cli, const export_options *o, const adatom_model *model,
                                    const adatom_adapter_info *info) {
    const adatom_export_params params = {.size = sizeof params, .layout = o->layout, .map = o->map};
    adatom_status status = ADATOM_OK;
    TRY(adatom_model_export(model, o->output, &params));
    cli_note(cli, "%s is written", o->output);
    if (info->cosine)
        cli_note(cli, "the adapter's classifier is a cosine one: as a linear layer it gives the same classes, and the "
                      "same logits if the features "
                      "are normalised before it (torch.nn.functional.normalize)");
done:
    return status;
}

adatom_status cmd_export(struct cli *cli, int argc, char **argv) {
    common_options common;
    export_options o;
    const char *path = NULL;
    arg_positional positionals[] = {{"MODEL", "a safetensors file of this program", NULL, &path}};
    arg_group groups[] = {{"Export", export_table, COUNT(export_table), &o}, common_group(&common)};
    arg_spec spec = {
        .command = "export",
        .summary =
            "Writes a model's composed weights under the names of another program, for load_state_dict(strict=True), "
            "or the network as a graph, for onnxruntime.",
        .positionals = positionals,
        .positional_count = 1,
        .groups = groups,
        .group_count = COUNT(groups)};
    bool run = false;
    adatom_model *model = NULL, *merged = NULL;
    adatom_adapter *adapter = NULL;
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run);
    if (!run) goto done;
    TRY(check(cli, &o));
    TRY(adatom_model_load(cli->ctx, path, &model));
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    if (o.adapter) {
        TRY(adatom_adapter_load(cli->ctx, o.adapter, &adapter));
        TRY(adatom_adapter_merge(adapter, model, &merged));
        adatom_adapter_describe(adapter, &a);
    }
    TRY(is_onnx(o.output) ? export_onnx(cli, &o, model, adapter, merged, &a)
                          : export_weights(cli, &o, merged ? merged : model, &a));
done:
    adatom_adapter_destroy(&adapter);
    adatom_model_destroy(&merged);
    adatom_model_destroy(&model);
    return status;
}
