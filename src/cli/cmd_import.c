#include "cli.h"
#include <adatom/transfer.h>

#include <stdlib.h>
#include <string.h>

typedef struct import_options {
    const char *output, *arch, *map, *mean, *std;
    adatom_layout layout;
    int size, resize;
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
           .help = "square input; 0: 224, or 84 for conv4, conv6 and resnet12"),
    OPTION("resize", ARG_INT, resize, .least = 0, .most = 4096, .initial = "0", .value = "PIXELS",
           .help =
               "shorter side of a picture before the input is cropped from its centre; 0: 256 for 224, else the size"),
    OPTION("mean", ARG_TEXT, mean, .initial = "0.485,0.456,0.406", .value = "R,G,B",
           .help = "mean of the pixels, which are from 0 to 1"),
    OPTION("std", ARG_TEXT, std, .initial = "0.229,0.224,0.225", .value = "R,G,B",
           .help = "standard deviation of the pixels"),
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

adatom_status cmd_import(struct cli *cli, int argc, char **argv) {
    cli_list_archs("auto", archs);
    common_options common;
    import_options o;
    const char *source = NULL;
    arg_positional positionals[] = {{"SOURCE", "a state_dict as safetensors", NULL, &source}};
    arg_group groups[] = {{"Import", import_table, COUNT(import_table), &o}, common_group(&common)};
    arg_spec spec = {
        .command = "import",
        .summary =
            "Makes a model of a network trained elsewhere: torchvision's or timm's resnet18, resnet34 and vgg16_bn, "
            "CloserLookFewShot's\nconv4, conv6 and ResNets, RFS's resnet12.",
        .notes = "A .pth file is first turned into safetensors; README.md has the two lines of Python.\n",
        .positionals = positionals,
        .positional_count = 1,
        .groups = groups,
        .group_count = COUNT(groups)};
    bool run = false;
    adatom_model *model = NULL;
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run);
    if (!run) goto done;
    adatom_import_params params = {.size = sizeof params,
                                   .arch = o.arch,
                                   .layout = o.layout,
                                   .map = o.map,
                                   .image_size = o.size,
                                   .resize = o.resize,
                                   .progress = cli_progress,
                                   .user = cli};
    TRY(parse_colour(cli, "mean", o.mean, params.mean));
    TRY(parse_colour(cli, "std", o.std, params.std));
    TRY(adatom_model_import(cli->ctx, source, &params, &model));
    TRY(adatom_model_save(model, o.output));
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &m);
    cli_note(cli, "%s: %s with %s's names, %d classes, %d features, pictures of %d x %d cropped from %d, hash %s",
             o.output, m.arch, m.layout, m.classes, m.features, m.image_size, m.image_size, m.resize, m.hash);
done:
    adatom_model_destroy(&model);
    return status;
}
