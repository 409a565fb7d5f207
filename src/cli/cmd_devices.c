#include "device_line.h"
#include "out_of_memory.h"
#include "report.h"
#include "terminal.h"

#include <stdlib.h>

static const report_column columns[] = {
    {"index", CELL_COUNT, "index", NULL},
    {"name", CELL_TEXT, "name", NULL},
    {"backend", CELL_TEXT, "backend", NULL},
    {"type", CELL_TEXT, "type", NULL},
    {"api", CELL_TEXT, "api", NULL},
    {"memory", CELL_BYTES, "memory_bytes", NULL},
    {"driver", CELL_TEXT, "driverInfo", NULL},
    {"pci", CELL_TEXT, "pci", NULL},
    {"uuid", CELL_TEXT, "uuid", NULL},
    {NULL, CELL_COUNT, "tensor_bytes", NULL},
    {NULL, CELL_TEXT, "driverName", NULL},
    {"usable", CELL_TEXT, "usable", NULL},
    {NULL, CELL_TEXT, "reason", NULL},
    {NULL, CELL_TEXT, "capabilities.line", NULL},
    {NULL, CELL_COUNT, "capabilities.subgroup", NULL},
    {NULL, CELL_COUNT, "capabilities.subgroup_least", NULL},
    {NULL, CELL_COUNT, "capabilities.subgroup_most", NULL},
    {NULL, CELL_TEXT, "capabilities.fp16", NULL},
    {NULL, CELL_TEXT, "capabilities.bf16", NULL},
    {NULL, CELL_TEXT, "capabilities.int8", NULL},
    {NULL, CELL_TEXT, "capabilities.int8_dot", NULL},
    {NULL, CELL_BYTES, "capabilities.shared_bytes", NULL},
    {NULL, CELL_TEXT, "capabilities.unified_memory", NULL},
    {NULL, CELL_COUNT, "capabilities.timer_bits", NULL},
    {NULL, CELL_NUMBER, "capabilities.timer_ns", NULL},
};

enum { CAPACITY = 128 };

static json_t *device_row(struct cli *cli, const adatom_device_info *info) {
    json_t *row = report_device(info);
    json_object_set_new(row, "usable", json_boolean(info->usable));
    json_object_set_new(row, "reason", info->usable ? json_null() : json_string(info->reason));
    json_object_set_new(row, "capabilities", capabilities_object(cli, info));
    return row;
}

/* The lines below the table: what each device can do, then those that cannot be used, with the reason; free(). NULL: no
 * memory. */
static char *explain(json_t *rows) {
    char *text = NULL, line[4 * CAPABILITIES];
    size_t size = 0, i;
    json_t *row;
    FILE *out = memory_stream(&text, &size);
    if (!out) return NULL;
    fputc('\n', out);
    json_array_foreach(rows, i, row) {
        const char *told = json_string_value(report_get(row, "capabilities.line"));
        fprintf(out, "%zu: %s\n", i, terminal_name(told, line, sizeof line));
    }
    json_array_foreach(rows, i, row) {
        if (json_is_true(json_object_get(row, "usable"))) continue;
        fprintf(out, "%zu, %s, cannot be used: %s\n", i, json_string_value(json_object_get(row, "name")),
                json_string_value(json_object_get(row, "reason")));
    }
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
    for (size_t i = 0; i < count; i++) json_array_append_new(rows, device_row(cli, &infos[i]));
    json_object_set(document, "devices", rows);
    if (!(below = explain(rows))) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the list of devices"));
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
