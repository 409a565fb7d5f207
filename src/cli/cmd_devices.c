#include "report.h"

#include <stdlib.h>

static const report_column columns[] = {
    {"index", CELL_COUNT, "index", NULL},      {"name", CELL_TEXT, "name", NULL},     {"backend", CELL_TEXT, "backend", NULL},
    {"type", CELL_TEXT, "type", NULL},         {"api", CELL_TEXT, "api", NULL},       {"memory", CELL_BYTES, "memory_bytes", NULL},
    {"driver", CELL_TEXT, "driverInfo", NULL}, {"pci", CELL_TEXT, "pci", NULL},       {"uuid", CELL_TEXT, "uuid", NULL},
    {NULL, CELL_COUNT, "tensor_bytes", NULL},  {NULL, CELL_TEXT, "driverName", NULL},
};

adatom_status cli_print_devices(struct cli *cli, const char *format, const char *file) {
    adatom_device_info *infos = NULL;
    json_t *document = report_document("devices"), *rows = json_array();
    size_t count = 0, capacity;
    adatom_status status;
    TRY(adatom_device_list(cli->ctx, NULL, 0, &count));
    capacity = count;
    if (!(infos = calloc(capacity + 1, sizeof *infos))) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the list of devices"));
    TRY(adatom_device_list(cli->ctx, infos, capacity, &count));
    for (size_t i = 0; i < count && i < capacity; i++) json_array_append_new(rows, report_device(&infos[i]));
    json_object_set(document, "devices", rows);
    struct report report = {.document = document, .rows = "devices", .columns = columns, .column_count = COUNT(columns)};
    output_options output = {format, file};
    TRY(report_write(cli, &output, &report));
done:
    json_decref(rows);
    json_decref(document);
    free(infos);
    return status;
}

adatom_status cmd_devices(struct cli *cli, int argc, char **argv) {
    common_options common;
    output_options output;
    arg_group groups[] = {output_group(&output), common_group(&common)};
    arg_spec spec = {.command = "devices",
                     .summary = "Lists the Vulkan devices and the CPU engine. Any column can be given to --device of the other commands.",
                     .groups = groups,
                     .group_count = COUNT(groups)};
    bool run = false;
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run);
    return run ? cli_print_devices(cli, output.format, output.file) : status;
}
