#include "report.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>

typedef struct data_command_options {
    int size, least;
} data_command_options;

static const arg_option table[] = {
    {.name = "size",
     .type = ARG_INT,
     .offset = offsetof(data_command_options, size),
     .least = 8,
     .most = 1024,
     .initial = "84",
     .value = "PIXELS",
     .help = "pictures are resized and cropped to this many pixels square"},
    {.name = "least",
     .type = ARG_INT,
     .offset = offsetof(data_command_options, least),
     .least = 1,
     .most = 1e6,
     .initial = "20",
     .value = "N",
     .help = "verify: a class with fewer pictures is reported (5 shots and 15 queries need 20)"},
};

static const report_column class_columns[] = {{"class", CELL_TEXT, "class", NULL},
                                              {"images", CELL_COUNT, "images", NULL}};
static const report_column problem_columns[] = {{"problem", CELL_TEXT, "problem", NULL}};

/* Tells what was passed over: a line of text a reason, e.g. "passed over 3 pictures of a kind that is not read,
 * 'a/1.xyz' for one", and a row of the document. */
static adatom_status tell_passed(const adatom_dataset *dataset, int kinds, FILE *text, json_t *rows) {
    for (int k = 0; k < kinds; k++) {
        const char *what = NULL, *example = NULL;
        size_t count = 0;
        adatom_status status = adatom_dataset_passed_over(dataset, k, &what, &count, &example);
        if (status != ADATOM_OK) return status;
        fprintf(text, "%s %zu %s, '%s' for one\n", k ? "           " : "passed over", count, what, example);
        json_array_append_new(rows, json_pack("{s:s,s:I,s:o}", "what", what, "count", (json_int_t)count, "example",
                                              report_text(example)));
    }
    return ADATOM_OK;
}

static adatom_status info(struct cli *cli, const data_options *data, const device_options *device, int size,
                          const output_options *output) {
    adatom_dataset *dataset = NULL;
    json_t *document = NULL, *classes = json_array(), *passed = json_array();
    char *above = NULL;
    size_t above_size = 0;
    char name[512];
    adatom_status status;
    FILE *text = open_memstream(&above, &above_size);
    if (!text) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result"));
    TRY(cli_open_dataset(cli, data, device, size, 0, &dataset));
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(dataset, &d);
    size_t least = SIZE_MAX, most = 0;
    for (int c = 0; c < d.classes; c++) {
        const char *class_name = NULL;
        size_t first = 0, count = 0;
        TRY(adatom_dataset_class(dataset, c, &class_name, &first, &count));
        least = count < least ? count : least;
        most = count > most ? count : most;
        json_array_append_new(classes,
                              json_pack("{s:o,s:I}", "class", report_text(class_name), "images", (json_int_t)count));
    }
    document = report_document("data info");
    json_object_set_new(document, "dataset", report_dataset(&d));
    json_object_set(document, "classes", classes);
    fprintf(text, "data      %s\nhash      %s\nclasses   %d\nimages    %zu (%zu to %zu a class)\nsize      %dx%d\n",
            terminal_name(d.name, name, sizeof name), d.hash, d.classes, d.images, least, most, d.image_size,
            d.image_size);
    TRY(tell_passed(dataset, d.passed_kinds, text, passed));
    json_object_set(document, "passed_over", passed);
    fputc('\n', text);
    if (fflush(text) != 0) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result"));
    struct report report = {.document = document,
                            .rows = "classes",
                            .columns = class_columns,
                            .column_count = COUNT(class_columns),
                            .above = above};
    TRY(report_write(cli, output, &report));
done:
    if (text) fclose(text);
    free(above);
    json_decref(classes);
    json_decref(passed);
    json_decref(document);
    adatom_dataset_destroy(&dataset);
    return status;
}

static void on_problem(void *user, const char *sentence) {
    json_array_append_new(user, json_pack("{s:o}", "problem", report_text(sentence)));
}

static adatom_status verify(struct cli *cli, const data_options *data, const device_options *device,
                            const data_command_options *values, const output_options *output) {
    json_t *document = NULL, *found = json_array();
    size_t problems = 0;
    char below[1024], name[900];
    adatom_dataset_params params = cli_dataset_params(cli, data, device->threads, "", values->size, 0);
    const adatom_verify_params verified = {.size = sizeof verified,
                                           .dataset = &params,
                                           .least = (size_t)values->least,
                                           .report = on_problem,
                                           .user = found};
    adatom_status status;
    progress_start(&cli->progress, "verify", 0);
    TRY(adatom_dataset_verify(cli->ctx, data->data, &verified, &problems));
    progress_clear(&cli->progress);
    document = report_document("data verify");
    json_object_set(document, "problems", found);
    snprintf(below, sizeof below, problems ? "\n%zu problems in %s\n" : "%zu problems in %s\n", problems,
             terminal_name(data->data, name, sizeof name));
    struct report report = {.document = document,
                            .rows = "problems",
                            .columns = problem_columns,
                            .column_count = COUNT(problem_columns),
                            .below = below};
    TRY(report_write(cli, output, &report));
    if (problems) TRY(cli_fail(cli, ADATOM_BAD_DATA, "%zu problems in %s", problems, data->data));
done:
    json_decref(found);
    json_decref(document);
    return status;
}

adatom_status cmd_data(struct cli *cli, int argc, char **argv) {
    static const char *const actions[] = {"info", "verify", NULL};
    common_options common;
    device_options device;
    output_options output;
    data_options data;
    data_command_options values;
    const char *action = NULL, *what = NULL;
    arg_positional positionals[] = {
        {"info|verify",
         "info: classes, pictures and hash; verify: every broken, doubled or missing file and every class that is too "
         "small",
         actions, &action},
        {"DATA",
         "a folder with a folder per class, a zip or tar archive of that, a `filename,label` CSV, or builtin:shapes",
         NULL, &what},
    };
    arg_group groups[] = {
        data_group_positional(&data), picture_group(&data.pictures), {"Pictures", table, COUNT(table), &values},
        device_group(&device),        output_group(&output),         common_group(&common)};
    arg_spec spec = {.command = "data",
                     .summary =
                         "Describes a data set or looks for what is wrong with it (exit code 4 if something is).",
                     .positionals = positionals,
                     .positional_count = COUNT(positionals),
                     .groups = groups,
                     .group_count = COUNT(groups)};
    bool run = false;
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run);
    if (!run) return status;
    data.data = what;
    if (strcmp(action, "info") == 0) return info(cli, &data, &device, values.size, &output);
    return verify(cli, &data, &device, &values, &output);
}
