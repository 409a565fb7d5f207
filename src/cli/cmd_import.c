#include "report.h"
#include <adatom/transfer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct import_options {
    const char *output, *arch, *map, *mean, *std, *weights;
    output_options result;
    adatom_layout layout;
    adatom_interpolation interpolation;
    int size, resize;
    float crop;
    bool list;
} import_options;

static const char *archs[MOST_ARCHS];

#define OPTIONS import_options
static const arg_option import_table[] = {
    OPTION("output", ARG_TEXT, output, .letter = 'o', .required = true, .value = "FILE",
           .help = "the model (safetensors)"),
    OPTION("arch", ARG_CHOICE, arch, .choices = archs, .initial = "auto", .value = "NAME", .help = "network"),
    OPTION("layout", ARG_ENUM, layout, .choices = layout_names, .initial = "auto", .value = "NAME",
           .help = "whose names the tensors have"),
    OPTION("map", ARG_TEXT, map, .value = "FILE",
           .help =
               "JSON: {\"name in the source\": \"name here\" or null to leave it out}; goes before the layout's names"),
    OPTION("size", ARG_INT, size, .least = 0, .most = 1024, .initial = "0", .value = "PIXELS",
           .help =
               "square input; 0: the source's, or, where that is not known, that of the network's published weights"),
    OPTION("resize", ARG_INT, resize, .least = 0, .most = 4096, .initial = "0", .value = "PIXELS",
           .help =
               "shorter side of a picture before the input is cropped from its centre; 0: the source's (256 of most "
               "for 224), or the size where the size is not the source's"),
    OPTION("crop", ARG_REAL, crop, .least = 0.01, .most = 1, .value = "FRACTION",
           .help = "in place of --resize: how much of the shorter side the input is"),
    OPTION("interpolation", ARG_ENUM, interpolation, .choices = interpolation_names, .initial = "default",
           .value = "NAME",
           .help = "how pictures are scaled: with the bytes of Pillow's filters, or fast-bilinear as networks trained "
                   "here; default: the source's"),
    OPTION("mean", ARG_TEXT, mean, .value = "R,G,B",
           .help = "of pixels from 0 to 1 (default: the source's, or ImageNet's beside --std)"),
    OPTION("std", ARG_TEXT, std, .value = "R,G,B",
           .help = "of pixels from 0 to 1 (default: the source's, or ImageNet's beside --mean)"),
    OPTION("weights", ARG_TEXT, weights, .value = "NAME",
           .help = "which of the source's weights these are, for which pictures are prepared differently: v1 or v2 of "
                   "torchvision, the tag's beginning of timm (--list tells them; default: the first of its list)"),
    OPTION("list", ARG_FLAG, list, .help = "print which networks and sources are known, and stop"),
};

static adatom_status parse_colour(struct cli *cli, const char *option, const char *text, float out[3]) {
    const char *at = text;
    for (int i = 0; i < 3; i++) {
        char *end;
        out[i] = strtof(at, &end);
        if (end == at || *end != (i < 2 ? ',' : '\0'))
            return cli_fail(cli, ADATOM_USAGE, "--%s takes three numbers, as in 0.5,0.5,0.5; '%s' was given", option,
                            text);
        at = end + 1;
    }
    return ADATOM_OK;
}

static const report_column columns[] = {
    {"network", CELL_TEXT, "network", NULL},
    {"names of", CELL_TEXT, "names", NULL},
    {"project", CELL_TEXT, "project", NULL},
    {"--weights", CELL_TEXT, "weights", NULL},
};

/* What `get` has, as an array; for a table, a line of it. */
static void add_texts(json_t *document, FILE *below, const char *member, const char *title,
                      const char *(*get)(size_t index)) {
    json_t *list = json_array();
    fprintf(below, "%s:", title);
    for (size_t i = 0; get(i); i++) {
        fprintf(below, "%s %s", i ? "," : "", get(i));
        json_array_append_new(list, json_string(get(i)));
    }
    fputc('\n', below);
    json_object_set_new(document, member, list);
}

static void add_formats(json_t *document, FILE *below) {
    json_t *list = json_array();
    const char *name, *holds;
    for (size_t i = 0; (name = adatom_import_format(i, &holds)); i++) {
        fprintf(below, "%s: %s\n", name, holds);
        json_array_append_new(list, json_pack("{s:s,s:s}", "name", name, "holds", holds));
    }
    json_object_set_new(document, "formats", list);
}

/* A row of the list. */
static adatom_status add_source(struct cli *cli, size_t source, json_t *rows) {
    adatom_import_source_info info = ADATOM_INIT(adatom_import_source_info);
    json_t *preparations = json_array();
    char weights[80] = "";
    size_t used = 0;
    adatom_status status = ADATOM_OK;
    TRY(adatom_import_source(cli->ctx, source, &info));
    for (size_t i = 0; i < info.preparations; i++) {
        adatom_import_preparation_info p = ADATOM_INIT(adatom_import_preparation_info);
        TRY(adatom_import_preparation(cli->ctx, source, i, &p));
        json_array_append_new(preparations,
                              json_pack("{s:s,s:i,s:i,s:s,s:[ooo],s:[ooo]}", "weights", p.weights, "image_size",
                                        p.image_size, "resize", p.resize, "interpolation",
                                        adatom_interpolation_name(p.interpolation), "mean", report_float(p.mean[0]),
                                        report_float(p.mean[1]), report_float(p.mean[2]), "std", report_float(p.std[0]),
                                        report_float(p.std[1]), report_float(p.std[2])));
        if (used < sizeof weights)
            used += (size_t)snprintf(weights + used, sizeof weights - used, "%s%s", i ? " " : "", p.weights);
    }
    json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s,s:O}", "network", info.arch, "names", info.layout,
                                          "project", info.project, "weights", weights, "preparations", preparations));
done:
    json_decref(preparations);
    return status;
}

static adatom_status print_list(struct cli *cli, const import_options *o) {
    json_t *document = report_document("import"), *rows = json_array();
    char *text = NULL;
    size_t size = 0;
    adatom_status status = ADATOM_OK;
    for (size_t i = 0; i < adatom_import_sources(); i++) TRY(add_source(cli, i, rows));
    json_object_set(document, "networks", rows);
    FILE *below = open_memstream(&text, &size);
    if (!below) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the list of sources"));
    add_formats(document, below);
    add_texts(document, below, "wrappers", "looked for in a checkpoint", adatom_import_wrapper);
    add_texts(document, below, "prefixes", "before the names", adatom_import_prefix);
    if (fclose(below) != 0) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the list of sources"));
    const struct report report = {
        .document = document, .rows = "networks", .columns = columns, .column_count = COUNT(columns), .below = text};
    TRY(report_write(cli, &o->result, &report));
done:
    json_decref(rows);
    json_decref(document);
    free(text);
    return status;
}

adatom_status cmd_import(struct cli *cli, int argc, char **argv) {
    cli_list_archs("auto", archs);
    common_options common;
    import_options o;
    const char *source = NULL;
    arg_positional positionals[] = {
        {"SOURCE",
         "a state_dict: .pth, .pt or .bin of torch.save, .safetensors, an index of shards, or a folder with one of "
         "them",
         NULL, &source}};
    arg_group groups[] = {
        {"Import", import_table, COUNT(import_table), &o}, result_group(&o.result), common_group(&common)};
    arg_spec spec = {
        .command = "import",
        .summary =
            "Makes a model of a network trained elsewhere: ResNets, MobileNets, EfficientNets, ConvNeXts and VGG16 "
            "with the names of\ntorchvision, timm, efficientnet_lite_pytorch or Hugging Face, networks of "
            "CloserLookFewShot "
            "and RFS; --list: all of them.",
        .notes = "What a file is, its content says. Of a pickle nothing is ever run; what no state_dict is made of is "
                 "refused by its name.\n",
        .alone = &o.list,
        .positionals = positionals,
        .positional_count = 1,
        .groups = groups,
        .group_count = COUNT(groups)};
    bool run = false;
    adatom_model *model = NULL;
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run);
    if (!run) goto done;
    if (o.list) TRY(print_list(cli, &o));
    if (o.list) goto done;
    adatom_import_params params = {.size = sizeof params,
                                   .arch = o.arch,
                                   .layout = o.layout,
                                   .map = o.map,
                                   .image_size = o.size,
                                   .resize = o.resize,
                                   .crop = o.crop,
                                   .interpolation = o.interpolation,
                                   .weights = o.weights,
                                   .progress = cli_progress,
                                   .user = cli};
    if (o.mean || o.std) {
        TRY(parse_colour(cli, "mean", o.mean ? o.mean : "0.485,0.456,0.406", params.mean));
        TRY(parse_colour(cli, "std", o.std ? o.std : "0.229,0.224,0.225", params.std));
    }
    TRY(adatom_model_import(cli->ctx, source, &params, &model));
    TRY(adatom_model_save(model, o.output));
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &m);
    cli_note(cli, "%s: %s with %s's names, %d classes, %d features, pictures of %d x %d cropped from %d (%s), hash %s",
             o.output, m.arch, m.layout, m.classes, m.features, m.image_size, m.image_size, m.resize,
             adatom_interpolation_name(m.interpolation), m.hash);
done:
    adatom_model_destroy(&model);
    return status;
}
