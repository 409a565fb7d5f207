/* Whether a benchmark's result that somebody sends is whole: who measured what, and numbers that follow from their
 * samples. */
#include "bench_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct findings {
    struct cli *cli;
    json_t *rows;
    bool out_of_memory;
} findings;

static void find(findings *f, const char *where, const char *format, ...) ADATOM_PRINTF(3, 4);
static void find(findings *f, const char *where, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (json_array_append_new(f->rows,
                              json_pack("{s:o,s:o}", "where", report_text(where), "problem", report_text(text))) != 0)
        f->out_of_memory = true;
}

static const char *text_at(json_t *value, const char *path) {
    const char *text = json_string_value(report_get(value, path));
    return text ? text : "";
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Whether a number of the file is what it should be; numbers in files have 15 digits. */
static void expect(findings *f, json_t *row, const char *member, double expected) {
    json_t *value = json_object_get(row, member);
    if (!value || !(fabs(json_number_value(value) - expected) <= 1e-9 * fabs(expected)))
        find(f, text_at(row, "name"), "%s is %.15g; %.15g follows from the samples", member, json_number_value(value),
             expected);
}

/* What follows from the median: rates, and the value, whose unit says how. */
static void expect_rates(findings *f, json_t *row, double median) {
    const struct {
        const char *unit, *member;
        double value;
    } rates[] = {{"GFLOP/s", "gflops", 1e9 * json_number_value(json_object_get(row, "gflop")) / median},
                 {"GB/s", "gbytes_per_s", 1e9 * json_number_value(json_object_get(row, "gbyte")) / median},
                 {"episodes/s", "episodes_per_s", 1e9 / median},
                 {"images/s", "images_per_s", 1e9 / median},
                 {"us", "", median / 1e3},
                 {"ms", "", median / 1e6}};
    const char *unit = text_at(row, "unit");
    bool known = false;
    for (size_t i = 0; i < COUNT(rates); i++) {
        if (json_object_get(row, rates[i].member)) expect(f, row, rates[i].member, rates[i].value);
        if (strcmp(unit, rates[i].unit) != 0) continue;
        expect(f, row, "value", rates[i].value);
        known = true;
    }
    if (!known) find(f, text_at(row, "name"), "its unit is '%.40s', which no case has", unit);
}

static void look_at_case(findings *f, json_t *row) {
    const char *name = text_at(row, "name"), *status = text_at(row, "status");
    json_t *samples = json_object_get(row, "samples_ns");
    const size_t count = json_array_size(samples);
    if (strcmp(status, "ok") != 0) {
        if (!*text_at(row, "reason")) find(f, name, "it was not measured (%s), and there is no reason", status);
        return;
    }
    double *sorted = count ? calloc(count, sizeof *sorted) : NULL;
    if (count && !sorted) f->out_of_memory = true;
    if (!count) find(f, name, "it has no samples");
    bool good = sorted != NULL;
    for (size_t i = 0; i < count && sorted; i++) {
        sorted[i] = json_number_value(json_array_get(samples, i));
        good = good && sorted[i] > 0 && isfinite(sorted[i]);
    }
    if (sorted && !good) find(f, name, "not all of its samples are positive numbers");
    if (good) {
        qsort(sorted, count, sizeof *sorted, ascending);
        const size_t low = (count - 1) / 2, high = count / 2;
        const double median = (sorted[low] + sorted[high]) / 2;
        expect(f, row, "min_ns", sorted[0]);
        expect(f, row, "median_ns", median);
        expect_rates(f, row, median);
    }
    const bool computes = strncmp(name, "conv/", 5) == 0 || strncmp(name, "adapt/", 6) == 0;
    if (computes && !*text_at(row, "verified")) find(f, name, "it does not say how its results were checked");
    free(sorted);
}

static void look_at_head(findings *f, json_t *document) {
    static const char *const texts[] = {"tool_version", "build_commit",   "test_time",   "host.system",
                                        "precision",    "device.backend", "device.name", "config.suite"};
    for (size_t i = 0; i < COUNT(texts); i++)
        if (!*text_at(document, texts[i])) find(f, "file", "%s is missing", texts[i]);
    if (strcmp(text_at(document, "device.backend"), "vulkan") == 0 && !*text_at(document, "device.driverName"))
        find(f, "file", "device.driverName is missing");
    if (json_integer_value(json_object_get(document, "format_version")) != 1)
        find(f, "file", "format_version is not 1");
    if (strstr(text_at(document, "build_commit"), "-dirty"))
        find(f, "file", "it was measured with changed sources (build %s)", text_at(document, "build_commit"));
    if (*text_at(document, "unfinished")) find(f, "file", "the run ended early: %s", text_at(document, "unfinished"));
}

adatom_status bench_problems(struct cli *cli, json_t *file, json_t **out, size_t *measured) {
    findings f = {.cli = cli, .rows = json_array()};
    size_t i, ok_rows = 0, peaks = 0;
    json_t *row;
    look_at_head(&f, file);
    json_array_foreach(json_object_get(file, "results"), i, row) {
        const bool ok = strcmp(text_at(row, "status"), "ok") == 0;
        ok_rows += ok;
        peaks += ok && strcmp(text_at(row, "name"), "peak/fp32") == 0;
        look_at_case(&f, row);
    }
    if (peaks != 1) find(&f, "file", "peak/fp32, which shares are of, was measured %zu times", peaks);
    if (measured) *measured = ok_rows;
    *out = f.rows;
    return f.out_of_memory ? cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result") : ADATOM_OK;
}

adatom_status bench_verify(struct cli *cli, const char *path, const output_options *output) {
    static const report_column columns[] = {{"where", CELL_TEXT, "where", NULL},
                                            {"problem", CELL_TEXT, "problem", NULL}};
    json_t *file = NULL, *found = NULL, *document = report_document("bench-verify");
    size_t measured = 0;
    char below[1024];
    adatom_status status;
    TRY(bench_load(cli, path, &file));
    TRY(bench_problems(cli, file, &found, &measured));
    const size_t problems = json_array_size(found);
    json_object_set_new(document, "file", report_text(path));
    json_object_set_new(document, "measured", json_integer((json_int_t)measured));
    json_object_set(document, "problems", found);
    const char *driver = text_at(file, "device.driverName");
    snprintf(below, sizeof below, "%s%zu cases of %.200s%s%.200s%s%.200s, %.40s: %s\n", problems ? "\n" : "", measured,
             text_at(file, "device.name"), *driver ? ", " : "", driver, *driver ? " " : "",
             text_at(file, "device.driverInfo"), text_at(file, "test_time"), problems ? "not whole" : "whole");
    const struct report report = {
        .document = document, .rows = "problems", .columns = columns, .column_count = COUNT(columns), .below = below};
    TRY(report_write(cli, output, &report));
    if (problems) status = cli_fail(cli, ADATOM_CHECK_FAILED, "%s: %zu problems", path, problems);
done:
    json_decref(found);
    json_decref(file);
    json_decref(document);
    return status;
}
