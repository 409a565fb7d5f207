#include "report.h"

#include <stdio.h>
#include <stdlib.h>

static const report_column columns[] = {
    {"index", CELL_COUNT, "index", NULL},      {"name", CELL_TEXT, "name", NULL},
    {"backend", CELL_TEXT, "backend", NULL},   {"type", CELL_TEXT, "type", NULL},
    {"api", CELL_TEXT, "api", NULL},           {"memory", CELL_BYTES, "memory_bytes", NULL},
    {"driver", CELL_TEXT, "driverInfo", NULL}, {"pci", CELL_TEXT, "pci", NULL},
    {"uuid", CELL_TEXT, "uuid", NULL},         {NULL, CELL_COUNT, "tensor_bytes", NULL},
    {NULL, CELL_TEXT, "driverName", NULL},     {"usable", CELL_TEXT, "usable", NULL},
    {NULL, CELL_TEXT, "reason", NULL},
};

enum { CAPACITY = 128 };

static json_t *device_row(const adatom_device_info *info) {
    json_t *row = report_device(info);
    json_object_set_new(row, "usable", json_boolean(info->usable));
    json_object_set_new(row, "reason", info->usable ? json_null() : json_string(info->reason));
    return row;
}

/* The lines below the table, one for each device that cannot be used, with the reason; free(). NULL: no memory. */
static char *explain_unusable(const adatom_device_info *infos, size_t count) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    for (size_t i = 0; i < count; i++)
        if (!infos[i].usable)
            fprintf(out, "%d, %s, cannot be used: %s\n", infos[i].index, infos[i].name, infos[i].reason);
    fclose(out);
    return text;
}

adatom_status cli_print_devices(struct cli *cli, const char *format, const char *file) {
    adatom_device_info *infos = NULL;
    json_t *document = report_document("devices"), *rows = json_array();
    size_t count = 0;
    char *below = NULL;
    adatom_status status;
    if (!(infos = calloc(CAPACITY, sizeof *infos)))
        TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the list of devices"));
    infos->size = sizeof *infos;
    TRY(adatom_device_list(cli->ctx, infos, CAPACITY, &count)); /* called once only: each listing starts the drivers */
    if (count > CAPACITY) count = CAPACITY;
    for (size_t i = 0; i < count; i++) json_array_append_new(rows, device_row(&infos[i]));
    json_object_set(document, "devices", rows);
    if (!(below = explain_unusable(infos, count)))
        TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the list of devices"));
    struct report report = {
        .document = document, .rows = "devices", .columns = columns, .column_count = COUNT(columns), .below = below};
    output_options output = {format, file};
    TRY(report_write(cli, &output, &report));
done:
    json_decref(rows);
    json_decref(document);
    free(infos);
    free(below);
    return status;
}

adatom_status cmd_devices(struct cli *cli, int argc, char **argv) {
    common_options common;
    output_options output;
    arg_group groups[] = {output_group(&output), common_group(&common)};
    arg_spec spec = {
        .command = "devices",
        .summary =
            "Lists the Vulkan devices and the CPU engine. Any column can be given to --device of the other commands.",
        .groups = groups,
        .group_count = COUNT(groups)};
    bool run = false;
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run);
    return run ? cli_print_devices(cli, output.format, output.file) : status;
}
