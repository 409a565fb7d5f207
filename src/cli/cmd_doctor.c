#include "report.h"
#include "out_of_memory.h"
#include <adatom/bench.h>

#include <stdlib.h>
#include <string.h>

typedef struct doctor_options {
    const char *filter;
    uint64_t seed;
    bool quick;
} doctor_options;

static const arg_option table[] = {
    {.name = "filter",
     .type = ARG_TEXT,
     .offset = offsetof(doctor_options, filter),
     .value = "TEXT",
     .help = "only checks whose operation/variant/shape contains TEXT"},
    {.name = "quick", .type = ARG_FLAG, .offset = offsetof(doctor_options, quick), .help = "small shapes only"},
    {.name = "seed",
     .type = ARG_SEED,
     .offset = offsetof(doctor_options, seed),
     .initial = "1",
     .value = "N",
     .help = "seed of the data"},
};

static const report_column columns[] = {
    {"operation", CELL_TEXT, "operation", NULL}, {"variant", CELL_TEXT, "variant", NULL},
    {"checks", CELL_COUNT, "checks", NULL},      {"failed", CELL_COUNT, "failed", NULL},
    {"status", CELL_TEXT, "status", NULL},
};

struct doctor {
    struct cli *cli;
    json_t *rows; /* one for each operation and variant */
    int checks, failures;
    bool out_of_memory;
};

static json_t *row_of(struct doctor *d, const adatom_check_result *result) {
    size_t i;
    json_t *row;
    json_array_foreach(d->rows, i, row) {
        if (strcmp(json_string_value(json_object_get(row, "operation")), result->operation) == 0 &&
            strcmp(json_string_value(json_object_get(row, "variant")), result->variant) == 0)
            return row;
    }
    row = json_pack("{s:s,s:s,s:i,s:i,s:s,s:[]}", "operation", result->operation, "variant", result->variant, "checks",
                    0, "failed", 0, "status", "ok", "failures");
    return row && json_array_append_new(d->rows, row) == 0 ? row : NULL;
}

static void on_check(void *user, const adatom_check_result *result) {
    struct doctor *d = user;
    json_t *row = row_of(d, result);
    char text[128];
    if (!row) {
        d->out_of_memory = true;
        return;
    }
    if (result->not_offered) {
        json_object_set_new(row, "status", json_string("not offered"));
        return;
    }
    d->checks++;
    json_object_set_new(row, "checks", json_integer(json_integer_value(json_object_get(row, "checks")) + 1));
    if (!result->passed) {
        d->failures++;
        json_object_set_new(row, "failed", json_integer(json_integer_value(json_object_get(row, "failed")) + 1));
        json_object_set_new(row, "status", json_string("failed"));
        json_array_append_new(json_object_get(row, "failures"),
                              json_pack("{s:s,s:s,s:s}", "shape", result->shape, "data", result->data, "detail",
                                        result->detail ? result->detail : ""));
    }
    snprintf(text, sizeof text, "%d failed, %s/%s", d->failures, result->operation, result->variant);
    progress_update(&d->cli->progress, d->checks, 0, text);
}

static bool on_progress(void *user, const adatom_progress *now) {
    return cli_progress(((struct doctor *)user)->cli, now);
}

/* The text below the table: every failure in full, and the counts; free(). */
static char *failure_text(const struct doctor *d) {
    char *text = NULL;
    size_t size = 0, i, j;
    json_t *row, *failure;
    FILE *out = memory_stream(&text, &size);
    if (!out) return NULL;
    json_array_foreach(d->rows, i, row) json_array_foreach(json_object_get(row, "failures"), j, failure) fprintf(
        out, "\nFAILED %s/%s %s (%s)\n%s\n", json_string_value(json_object_get(row, "operation")),
        json_string_value(json_object_get(row, "variant")), json_string_value(json_object_get(failure, "shape")),
        json_string_value(json_object_get(failure, "data")), json_string_value(json_object_get(failure, "detail")));
    fprintf(out, "\n%d checks, %d failed\n", d->checks, d->failures);
    fclose(out);
    return text;
}

adatom_status cmd_doctor(struct cli *cli, int argc, char **argv) {
    common_options common;
    device_options device_values;
    output_options output;
    doctor_options values;
    arg_group groups[] = {{"Checks", table, COUNT(table), &values},
                          device_group(&device_values),
                          output_group(&output),
                          common_group(&common)};
    arg_spec spec = {.command = "doctor",
                     .summary = "Runs every operation, variant and shape on the device and compares with double "
                                "precision: integers must be equal, "
                                "reals within the error bound, and a repeated run must give the same bytes. Kernels "
                                "that round their operands to half "
                                "precision are checked with --precision fp16 only. Exit code 5 if a check fails.",
                     .groups = groups,
                     .group_count = COUNT(groups)};
    bool run = false;
    adatom_device *device = NULL;
    json_t *document = NULL;
    char *below = NULL;
    struct doctor doctor = {.cli = cli, .rows = json_array()};
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run), checked;
    if (!run) goto done;
    TRY(cli_open_device(cli, &device_values, &device));

    adatom_check_params params = {.size = sizeof params,
                                  .filter = values.filter,
                                  .quick = values.quick,
                                  .seed = values.seed,
                                  .report = on_check,
                                  .progress = on_progress,
                                  .user = &doctor};
    int checks = 0, failures = 0;
    progress_start(&cli->progress, "checks", 0);
    checked = adatom_check_device(device, &params, &checks, &failures);
    progress_clear(&cli->progress);
    if (checked != ADATOM_OK && checked != ADATOM_CHECK_FAILED) TRY(checked);
    if (checks == 0)
        TRY(cli_fail(cli, ADATOM_USAGE, "no check matches --filter %s", values.filter ? values.filter : "''"));

    adatom_device_info info = ADATOM_INIT(adatom_device_info);
    adatom_device_describe(device, &info);
    document = report_document("doctor");
    below = failure_text(&doctor);
    if (!document || !below || doctor.out_of_memory)
        TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result"));
    json_object_set_new(document, "device", report_device(&info));
    report_precision(document, &info);
    json_object_set_new(document, "seed", report_seed(values.seed));
    json_object_set_new(document, "checks", json_integer(checks));
    json_object_set_new(document, "failed", json_integer(failures));
    json_object_set(document, "results", doctor.rows);
    struct report report = {
        .document = document, .rows = "results", .columns = columns, .column_count = COUNT(columns), .below = below};
    TRY(report_write(cli, &output, &report));
    if (checked != ADATOM_OK)
        TRY(cli_fail(cli, ADATOM_CHECK_FAILED, "%d of %d checks failed on %s", failures, checks, info.name));
done:
    free(below);
    json_decref(document);
    json_decref(doctor.rows);
    adatom_device_destroy(&device);
    return status;
}
