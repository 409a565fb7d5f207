#include "png.h"
#include "report.h"
#include "terminal.h"
#include <adatom/transfer.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const report_column columns[] = {
    {"layer", CELL_TEXT, "name", NULL},
    {"kind", CELL_TEXT, "kind", NULL},
    {"input", CELL_TEXT, "input", NULL},
    {"output", CELL_TEXT, "output", NULL},
    {"geometry", CELL_TEXT, "geometry", NULL},
    {"atoms", CELL_COUNT, "atoms", NULL},
    {"coefficients", CELL_TEXT, "coefficients", NULL},
    {"own parameters", CELL_COUNT, "own_parameters", NULL},
    {"M mult-adds", CELL_MILLIONS, "macs", NULL},
    {"coefficients-first", CELL_MILLIONS, "macs_coefficients_first", NULL},
};

/* Replaces the last column for a model whose coefficients are shared by groups. */
static const report_column sum_first_column = {"sum-first", CELL_MILLIONS, "macs_sum_first", NULL};

typedef struct inspect_options {
    bool singular_values;
    const char *adapter, *png;
} inspect_options;

static const arg_option table[] = {
    {.name = "singular-values",
     .type = ARG_FLAG,
     .offset = offsetof(inspect_options, singular_values),
     .help = "show instead how many atoms of its own each convolution needs: the error left with the m largest "
             "singular values"},
    {.name = "adapter",
     .type = ARG_TEXT,
     .offset = offsetof(inspect_options, adapter),
     .value = "DIR",
     .help = "show instead how far an adapter of this model moved each tensor"},
    {.name = "png",
     .type = ARG_TEXT,
     .offset = offsetof(inspect_options, png),
     .value = "FILE",
     .help = "draw the atoms of each layer, above before and below after the adapter; zero is grey"},
};

static const report_column singular_columns[] = {
    {"layer", CELL_TEXT, "name", NULL},
    {"geometry", CELL_TEXT, "geometry", NULL},
    {"error % m=1", CELL_PERCENT, "errors.1", NULL},
    {"2", CELL_PERCENT, "errors.2", NULL},
    {"4", CELL_PERCENT, "errors.4", NULL},
    {"8", CELL_PERCENT, "errors.8", NULL},
    {"m for 10 %", CELL_COUNT, "atoms_for.10", NULL},
    {"5 %", CELL_COUNT, "atoms_for.5", NULL},
    {"1 %", CELL_COUNT, "atoms_for.1", NULL},
};

static const report_column movement_columns[] = {
    {"tensor", CELL_TEXT, "name", NULL},
    {"numbers", CELL_COUNT, "elements", NULL},
    {"moved by", CELL_NUMBER, "moved", NULL},
    {"relative %", CELL_PERCENT, "relative", NULL},
};

/* Shows how far the adapter moved each tensor, and draws the atoms if asked to. */
static adatom_status inspect_adapter(struct cli *cli, const inspect_options *o, const output_options *output,
                                     const adatom_model *model) {
    adatom_adapter *adapter = NULL;
    json_t *document = NULL, *rows = json_array();
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    char above[1024], plain[256], layers[300] = "", last[48] = "";
    adatom_status status;
    TRY(adatom_adapter_load(cli->ctx, o->adapter, &adapter));
    adatom_adapter_describe(adapter, &a);
    for (int i = 0; i < a.tensors; i++) {
        adatom_adapter_tensor t = ADATOM_INIT(adatom_adapter_tensor);
        TRY(adatom_adapter_get_tensor(adapter, model, i, &t));
        json_array_append_new(rows, json_pack("{s:s,s:I,s:f,s:o}", "name", t.name, "elements", (json_int_t)t.elements,
                                              "moved", t.moved, "relative",
                                              isfinite(t.relative) ? json_real(t.relative) : json_null()));
    }
    if (o->png) TRY(png_atoms(cli, o->png, adapter, model));
    document = report_document("inspect");
    json_t *config = json_loads(a.config_json, 0, NULL), *names = report_get(config, "method.layers"),
           *most = report_get(config, "method.last");
    json_object_set_new(document, "adapter", config);
    if (json_is_string(names)) /* a file from elsewhere may hold anything there */
        snprintf(layers, sizeof layers, ", layers %s", terminal_name(json_string_value(names), plain, sizeof plain));
    if (json_is_integer(most)) snprintf(last, sizeof last, ", the last %lld", (long long)json_integer_value(most));
    json_object_set(document, "tensors", rows);
    snprintf(above, sizeof above,
             "%s%s%s, %d classes, %d steps, hash %s; relative: length of the change over the length before\n\n",
             a.method, layers, last, a.classes, a.steps, a.hash);
    const struct report report = {.document = document,
                                  .rows = "tensors",
                                  .columns = movement_columns,
                                  .column_count = COUNT(movement_columns),
                                  .above = above};
    TRY(report_write(cli, output, &report));
done:
    json_decref(rows);
    json_decref(document);
    adatom_adapter_destroy(&adapter);
    return status;
}

/* Adds a layer's singular values, the relative error that the m largest leave, and the least m for some errors. */
static adatom_status add_singular_values(struct cli *cli, const adatom_model *model, int layer, json_t *row) {
    static const int percents[] = {10, 5, 1};
    size_t count = 0;
    adatom_status status = adatom_model_singular_values(model, layer, NULL, 0, &count);
    if (status != ADATOM_OK) return status;
    float *s = malloc(count * sizeof *s);
    if (!s) return cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for %zu singular values", count);
    json_t *values = json_array(), *errors = json_object(), *atoms_for = json_object();
    status = adatom_model_singular_values(model, layer, s, count, &count);
    double all = 0, rest = 0;
    for (size_t m = 0; m < count && status == ADATOM_OK; m++) all += (double)s[m] * (double)s[m];
    /* Squares are added from the smallest on, so that nothing cancels. */
    for (size_t m = count; m > 0 && status == ADATOM_OK; m--) {
        char key[24];
        const double error = all > 0 ? sqrt(rest / all) : 0;
        snprintf(key, sizeof key, "%zu", m);
        json_object_set_new(errors, key, json_real(error));
        for (size_t p = 0; p < COUNT(percents); p++) {
            snprintf(key, sizeof key, "%d", percents[p]);
            if (error <= percents[p] / 100.0) json_object_set_new(atoms_for, key, json_integer((json_int_t)m));
        }
        json_array_insert_new(values, 0, report_float(s[m - 1]));
        rest += (double)s[m - 1] * (double)s[m - 1];
    }
    json_object_set_new(row, "singular_values", values);
    json_object_set_new(row, "errors", errors);
    json_object_set_new(row, "atoms_for", atoms_for);
    free(s);
    return status;
}

static json_t *layer_row(const adatom_layer_info *l) {
    char input[48], output[48], geometry[64] = "";
    snprintf(input, sizeof input, "%dx%dx%d", l->in_height, l->in_width, l->in_channels);
    snprintf(output, sizeof output, "%dx%dx%d", l->out_height, l->out_width, l->out_channels);
    if (l->kernel > 0)
        snprintf(geometry, sizeof geometry, "%dx%d stride %d pad %d%s", l->kernel, l->kernel, l->stride, l->padding,
                 l->dilation > 1 ? " dilated" : "");
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:i,s:i,s:o,s:s?,s:I,s:I,s:I,s:I}", "name", l->name, "kind", l->kind,
                     "input", input, "output", output, "geometry", geometry, "kernel", l->kernel, "stride", l->stride,
                     "padding", l->padding, "dilation", l->dilation, "atoms",
                     l->atoms ? json_integer(l->atoms) : json_null(), "coefficients", l->coefficients, "own_parameters",
                     (json_int_t)l->own_parameters, "macs", (json_int_t)l->macs, "macs_coefficients_first",
                     (json_int_t)l->macs_coefficients_first, "macs_sum_first", (json_int_t)l->macs_sum_first);
}

static json_t *model_summary(const adatom_model_info *m) {
    json_t *summary = json_pack(
        "{s:s,s:s,s:i,s:i,s:b,s:s?,s:i,s:i,s:i,s:b,s:i,s:s,s:I,s:{s:I,s:I,s:I,s:I,s:I,s:I},s:{s:s,s:[ooo],s:[ooo]}}",
        "arch", m->arch, "sharing", adatom_sharing_name(m->sharing), "atoms", m->atoms, "group", m->group, "residual",
        (int)m->residual, "layout", m->layout, "image_size", m->image_size, "resize", m->resize, "features",
        m->features, "base_mean", (int)m->base_mean, "classes", m->classes, "hash", m->hash, "macs",
        (json_int_t)m->macs, "parameters", "all", (json_int_t)m->parameters, "atoms", (json_int_t)m->atoms_parameters,
        "coefficients", (json_int_t)m->coefficients_parameters, "norm", (json_int_t)m->norm_parameters, "ordinary",
        (json_int_t)m->ordinary_parameters, "head", (json_int_t)m->head_parameters, "preprocessing", "interpolation",
        adatom_interpolation_name(m->interpolation), "mean", report_float(m->mean[0]), report_float(m->mean[1]),
        report_float(m->mean[2]), "std", report_float(m->std[0]), report_float(m->std[1]), report_float(m->std[2]));
    json_t *notes = m->notes ? json_loads(m->notes, JSON_DECODE_ANY, NULL) : NULL;
    if (summary && notes) json_object_set(summary, "notes", notes);
    json_decref(notes);
    return summary;
}

adatom_status cmd_inspect(struct cli *cli, int argc, char **argv) {
    common_options common;
    output_options output;
    const char *path = NULL;
    arg_positional positionals[] = {{"MODEL", "a safetensors file of this program", NULL, &path}};
    inspect_options o;
    arg_group groups[] = {
        {"Instead of the layers", table, COUNT(table), &o}, output_group(&output), common_group(&common)};
    arg_spec spec = {.command = "inspect",
                     .summary = "Shows a model's layers, shapes, parameters by role, and multiply-adds of one image; "
                                "or what an adapter did to it.",
                     .positionals = positionals,
                     .positional_count = 1,
                     .groups = groups,
                     .group_count = COUNT(groups)};
    bool run = false;
    adatom_model *model = NULL;
    json_t *document = NULL, *layers = json_array();
    char above[512], below[1024], channels[32] = "";
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run);
    if (!run) goto done;
    TRY(adatom_model_load(cli->ctx, path, &model));
    if (o.png && !o.adapter)
        TRY(cli_fail(cli, ADATOM_USAGE, "--png draws what an adapter did: --adapter DIR is missing"));
    if (o.adapter) {
        status = inspect_adapter(cli, &o, &output, model);
        goto done;
    }
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &m);
    for (int i = 0; i < m.layers; i++) {
        adatom_layer_info layer = ADATOM_INIT(adatom_layer_info);
        TRY(adatom_model_layer(model, i, &layer));
        if (o.singular_values && strcmp(layer.kind, "conv") != 0) continue;
        json_t *row = layer_row(&layer);
        json_array_append_new(layers, row);
        if (o.singular_values) TRY(add_singular_values(cli, model, i, row));
    }
    document = report_document("inspect");
    json_object_set_new(document, "model", model_summary(&m));
    json_object_set(document, "layers", layers);
    if (m.group) snprintf(channels, sizeof channels, " of %d channels", m.group);
    snprintf(above, sizeof above, "%s, sharing %s%s, %d atoms%s, %dx%d pictures, %d features, %d classes, hash %s\n\n",
             m.arch, adatom_sharing_name(m.sharing), channels, m.atoms, m.residual ? " beside the kernels" : "",
             m.image_size, m.image_size, m.features, m.classes, m.hash);
    snprintf(below, sizeof below,
             "\nparameters %llu: atoms %llu, coefficients %llu, norm %llu, ordinary %llu; head %llu besides\n"
             "multiply-adds of one image, composed: %.3f million\n"
             "pictures: %dx%d from the centre of a shorter side of %d, %s; mean %.3f %.3f %.3f, std %.3f %.3f %.3f\n",
             (unsigned long long)m.parameters, (unsigned long long)m.atoms_parameters,
             (unsigned long long)m.coefficients_parameters, (unsigned long long)m.norm_parameters,
             (unsigned long long)m.ordinary_parameters, (unsigned long long)m.head_parameters, (double)m.macs / 1e6,
             m.image_size, m.image_size, m.resize, adatom_interpolation_name(m.interpolation), (double)m.mean[0],
             (double)m.mean[1], (double)m.mean[2], (double)m.std[0], (double)m.std[1], (double)m.std[2]);
    report_column shown[COUNT(columns)];
    memcpy(shown, columns, sizeof columns);
    if (m.group) shown[COUNT(columns) - 1] = sum_first_column;
    struct report report = {.document = document,
                            .rows = "layers",
                            .columns = shown,
                            .column_count = COUNT(columns),
                            .above = above,
                            .below = below};
    if (o.singular_values) {
        report.columns = singular_columns;
        report.column_count = COUNT(singular_columns);
    }
    TRY(report_write(cli, &output, &report));
done:
    json_decref(layers);
    json_decref(document);
    adatom_model_destroy(&model);
    return status;
}
