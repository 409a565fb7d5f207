#include "bench_plot.h"
#include "device_line.h"
#include "out_of_memory.h"
#include "page_gallery.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>

typedef struct bench_options {
    adatom_suite suite;
    const char *compare, *plot, *verify, *html, *against;
    arg_texts filters, merge;
    int tasks;
    float seconds;
    uint64_t seed;
    bool plain;
} bench_options;

static const char *const suites[] = {ADATOM_SUITE_LIST(CHOICE_TEXT) NULL};
#define AT(member) .offset = offsetof(bench_options, member)
static const arg_option table[] = {
    {.name = "suite",
     .type = ARG_ENUM,
     AT(suite),
     .choices = suites,
     .initial = "quick",
     .value = "NAME",
     .help = "which cases; quick ends within 60 s; scaling: one number at a time grows"},
    {.name = "filter",
     .type = ARG_TEXTS,
     AT(filters),
     .value = "TEXT",
     .help = "only cases whose name contains TEXT; or the full name of any case, which is then made; may be repeated"},
    {.name = "tasks",
     .type = ARG_INT,
     AT(tasks),
     .least = 0,
     .most = 4096,
     .initial = "0",
     .value = "N",
     .help = "episodes at once in adapt cases; 0: as many as suit the device"},
    {.name = "seconds",
     .type = ARG_REAL,
     AT(seconds),
     .least = 0,
     .most = 1e6,
     .value = "X",
     .help = "for the whole run; cases that would end later are skipped (default 40 for quick, 600 for scaling, 3600 "
             "for full)"},
    {.name = "seed", .type = ARG_SEED, AT(seed), .initial = "1", .value = "N", .help = "seed of operands and episodes"},
    {.name = "compare",
     .type = ARG_TEXT,
     AT(compare),
     .value = "OLD.json",
     .help = "compare with an older result (--format json); exit code 5 if a case became slower beyond the noise, or "
             "fails now"},
    {.name = "merge",
     .type = ARG_TEXTS,
     AT(merge),
     .value = "FILE...",
     .help = "measure nothing: show several results (--format json), of other devices too, as one table"},
    {.name = "html",
     .type = ARG_TEXT,
     AT(html),
     .value = "FILE.html",
     .help =
         "with --merge: write the results, which must be whole, as a page: bars and tables of devices side by side"},
    {.name = "against",
     .type = ARG_TEXT,
     AT(against),
     .value = "DEVICE",
     .help = "with --html: which device ratios are to: a part of its name, or its file (default the first file)"},
    {.name = "verify-file",
     .type = ARG_TEXT,
     AT(verify),
     .value = "RESULT.json",
     .help = "measure nothing: say whether a result (--format json) is whole, and its numbers those of its samples; "
             "exit code "
             "5 if not"},
    {.name = "plot",
     .type = ARG_TEXT,
     AT(plot),
     .value = "FILE.svg",
     .help = "draw cases whose names differ in one number as curves, those of this run or of the --merge files"},
    {.name = "plain",
     .type = ARG_FLAG,
     AT(plain),
     .help = "print a line 'name = value unit' for each case and headline number instead of the table"},
};
#undef AT

static const report_column columns[] = {
    {"case", CELL_TEXT, "name", NULL},
    {"value", CELL_NUMBER, "value", NULL},
    {"unit", CELL_TEXT, "unit", NULL},
    {"% peak", CELL_PERCENT, "share_of_peak", NULL},
    {"% memory", CELL_PERCENT, "share_of_memory", NULL},
    {"% sgemm", CELL_PERCENT, "share_of_sgemm", NULL},
    {"n", CELL_COUNT, "samples", NULL},
    {"spread %", CELL_PERCENT, "spread", NULL},
    {"variant", CELL_TEXT, "variant", NULL},
    {"timer", CELL_TEXT, "timer", NULL},
    {"status", CELL_TEXT, "status", NULL},
    {"reason", CELL_TEXT, "reason", NULL},
    {NULL, CELL_NUMBER, "min_ns", NULL},
    {NULL, CELL_NUMBER, "median_ns", NULL},
    {NULL, CELL_NUMBER, "p95_ns", NULL},
    {NULL, CELL_NUMBER, "gflops", NULL},
    {NULL, CELL_NUMBER, "gbytes_per_s", NULL},
    {NULL, CELL_NUMBER, "share_of_roofline", NULL},
    {NULL, CELL_NUMBER, "episodes_per_s", NULL},
    {NULL, CELL_NUMBER, "images_per_s", NULL},
    {NULL, CELL_BYTES, "arena_bytes", NULL},
    {NULL, CELL_TEXT, "verified", NULL},
};
static const report_column compare_columns[] = {
    {"case", CELL_TEXT, "name", NULL},
    {"value", CELL_NUMBER, "value", NULL},
    {"before", CELL_NUMBER, "comparison.old_value", NULL},
    {"unit", CELL_TEXT, "unit", NULL},
    {"time ratio", CELL_NUMBER, "comparison.ratio", NULL},
    {"verdict", CELL_TEXT, "comparison.verdict", NULL},
    {"status", CELL_TEXT, "status", NULL},
    {"reason", CELL_TEXT, "reason", NULL},
};

struct bench {
    struct cli *cli;
    json_t *rows;
    bool out_of_memory;
};

static void on_result(void *user, const adatom_bench_result *result) {
    struct bench *b = user;
    json_t *row = bench_row(result);
    if (row && result->sample_count) {
        json_object_set_new(row, "samples", json_integer(result->sample_count));
        json_object_set_new(row, "spread", json_real((result->p95_ns - result->min_ns) / result->median_ns));
    }
    b->out_of_memory |= !row || json_array_append_new(b->rows, row) != 0;
    progress_update(&b->cli->progress, (double)json_array_size(b->rows), 0, result->name);
}

static bool on_progress(void *user, const adatom_progress *now) {
    return cli_progress(((struct bench *)user)->cli, now);
}

/* What one tells others, in the same form as the cases. */
static void plain_headline(FILE *out, json_t *document) {
    static const struct {
        const char *member, *name, *unit;
    } lines[] = {{"headline.adapted_episodes_per_s.value", "headline/adapted-episodes", "episodes/s"},
                 {"headline.convolution_fp32_tflops.value", "headline/convolution-fp32", "TFLOP/s"},
                 {"headline.convolution_fp16_tflops.value", "headline/convolution-fp16", "TFLOP/s"}};
    for (size_t i = 0; i < COUNT(lines); i++) {
        json_t *value = report_get(document, lines[i].member);
        if (value) fprintf(out, "%s = %.6g %s\n", lines[i].name, json_number_value(value), lines[i].unit);
    }
}

/* The rows as lines of --plain; free(). NULL: no memory. */
static char *plain_text(json_t *document) {
    char *text = NULL;
    size_t size = 0, i;
    json_t *row;
    FILE *out = memory_stream(&text, &size);
    if (!out) return NULL;
    json_array_foreach(json_object_get(document, "results"), i, row) {
        json_t *value = json_object_get(row, "value");
        fprintf(out, "%s = ", json_string_value(json_object_get(row, "name")));
        if (value)
            fprintf(out, "%.6g %s\n", json_number_value(value), json_string_value(json_object_get(row, "unit")));
        else
            fprintf(out, "%s: %s\n", json_string_value(json_object_get(row, "status")),
                    json_string_value(json_object_get(row, "reason")));
    }
    plain_headline(out, document);
    fclose(out);
    return text;
}

/* What the numbers below were measured on: "NAME: capabilities", and an empty line. */
static void head_line(json_t *document, char *out, size_t capacity) {
    char line[4 * CAPABILITIES], name[1024];
    snprintf(out, capacity, "%s: %s\n\n",
             terminal_name(json_string_value(report_get(document, "device.name")), name, sizeof name),
             terminal_name(json_string_value(report_get(document, "device.capabilities.line")), line, sizeof line));
}

/* Rewrites `--merge A B C` as `--merge A --merge B --merge C`, which the parser understands. Returns a new array;
 * free(). */
static char **spread_merge(int argc, char **argv, int *count) {
    static char merge[] = "--merge";
    char **out = calloc(2 * (size_t)argc + 1, sizeof *out);
    bool merging = false, first = false;
    *count = 0;
    for (int i = 0; out && i < argc; i++) {
        if (argv[i][0] == '-')
            merging = first = strcmp(argv[i], merge) == 0;
        else if (merging && !first)
            out[(*count)++] = merge;
        else
            first = false;
        out[(*count)++] = argv[i];
    }
    return out;
}

static void tell_differences(struct cli *cli, const char *path, json_t *old, const adatom_device_info *info) {
    const char *name = json_string_value(report_get(old, "device.name")),
               *driver = json_string_value(report_get(old, "device.driverInfo"));
    const char *precision = json_string_value(json_object_get(old, "precision"));
    if (!name || !driver || strcmp(name, info->name) != 0 || strcmp(driver, info->driver_info) != 0)
        cli_note(cli, "note: %s was measured on another device or driver (%s, %s)", path, name ? name : "?",
                 driver ? driver : "?");
    /* Older versions wrote float32 whatever the precision was. */
    if (precision && strcmp(precision, "float32") != 0 &&
        strcmp(precision, adatom_precision_name(info->precision)) != 0)
        cli_note(cli, "note: %s was measured with precision %s, this run with %s", path, precision,
                 adatom_precision_name(info->precision));
}

static json_t *make_document(const bench_options *values, const device_options *device, const adatom_device_info *info,
                             json_t *able, json_t *rows) {
    json_t *document = report_document("bench"), *filters = json_array(), *described = report_device(info);
    if (!document || !filters || !described) return NULL;
    for (int f = 0; f < values->filters.count; f++)
        json_array_append_new(filters, json_string(values->filters.items[f]));
    json_object_set(described, "capabilities", able);
    json_object_set_new(document, "device", described);
    report_precision(document, info);
    json_object_set_new(document, "config",
                        json_pack("{s:s,s:o,s:i,s:o,s:i}", "suite", adatom_suite_name(values->suite), "filters",
                                  filters, "tasks", values->tasks, "seed", report_seed(values->seed), "threads",
                                  device->threads));
    json_object_set(document, "results", rows);
    return document;
}

adatom_status cmd_bench(struct cli *cli, int argc, char **argv) {
    common_options common;
    device_options device_values;
    output_options output;
    bench_options values;
    arg_group groups[] = {{"Benchmark", table, COUNT(table), &values},
                          device_group(&device_values),
                          output_group(&output),
                          common_group(&common)};
    arg_spec spec = {.command = "bench",
                     .summary = "Measures the device's peaks, then kernels over the networks' shapes, whole "
                                "adaptation, training and start-up. Every "
                                "kernel is checked before it is timed.",
                     .notes = "Names say what decides a case: conv/forward/composed/64x64x3/21/b25 is channels in x "
                              "out x kernel, image size, images; "
                              "adapt/atoms/conv4/84/5w5s15q/50 is method, network, image size, way, shot, query, "
                              "steps. Any such values may be given "
                              "to --filter.\n"
                              "A case is slower (--compare) if its median grew by more than 5 % and by more than three "
                              "standard deviations (estimated "
                              "from the samples below the medians of both runs), and even its fastest sample is slower "
                              "than the old median.",
                     .groups = groups,
                     .group_count = COUNT(groups)};
    bool run = false;
    int count = 0, errors = 0, regressions = 0, compared = 0;
    adatom_device *device = NULL;
    json_t *document = NULL, *old = NULL, *able = NULL;
    char headline[512], head[4 * CAPABILITIES + 1024], *plain = NULL, **arguments = spread_merge(argc, argv, &count);
    struct bench bench = {.cli = cli, .rows = json_array()};
    adatom_status measured, status = arguments ? cli_parse(cli, &spec, &common, count, arguments, &run)
                                               : cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the arguments");
    if (!run) goto done;
    if (values.verify) {
        TRY(bench_verify(cli, values.verify, &output));
        goto done;
    }
    if (values.html && !values.merge.count)
        TRY(cli_fail(cli, ADATOM_USAGE, "--html shows result files side by side: name them with --merge"));
    if (values.against && !values.html)
        TRY(cli_fail(cli, ADATOM_USAGE, "--against chooses whom ratios of --html are to, which is not given"));
    if (values.merge.count) {
        if (values.html) TRY(page_gallery(cli, values.html, &values.merge, values.against, &(page_call){argc, argv}));
        if (values.plot) TRY(bench_plot_files(cli, values.plot, &values.merge));
        TRY(bench_merge(cli, &values.merge, &output));
        goto done;
    }
    if (values.compare) TRY(bench_load(cli, values.compare, &old));
    TRY(cli_open_device(cli, &device_values, &device));

    adatom_bench_params params = {.size = sizeof params,
                                  .suite = values.suite,
                                  .filters = values.filters.items,
                                  .filter_count = (size_t)values.filters.count,
                                  .tasks_at_once = values.tasks,
                                  .seed = values.seed,
                                  .seconds = (double)values.seconds,
                                  .select = device_values.device,
                                  .temporary_dir = getenv("TMPDIR"),
                                  .report = on_result,
                                  .progress = on_progress,
                                  .user = &bench};
    adatom_device_info info = ADATOM_INIT(adatom_device_info);
    adatom_device_describe(device, &info);
    able = capabilities_object(cli, &info); /* before the run, whose message it would replace */
    progress_start(&cli->progress, "bench", 0);
    measured = adatom_bench_device(device, &params, &errors);
    progress_clear(&cli->progress);
    if (json_array_size(bench.rows) == 0) TRY(measured);

    document = make_document(&values, &device_values, &info, able, bench.rows);
    if (!document || bench.out_of_memory) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result"));
    if (!bench_headline(document, headline, sizeof headline))
        TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result"));
    head_line(document, head, sizeof head);
    struct report report = {.document = document,
                            .rows = "results",
                            .columns = columns,
                            .column_count = COUNT(columns),
                            .above = head,
                            .below = headline};
    if (old) {
        tell_differences(cli, values.compare, old, &info);
        if (!bench_compare(document, old, &regressions, &compared))
            TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result"));
        report.columns = compare_columns;
        report.column_count = COUNT(compare_columns);
    }
    if (values.plain && strcmp(output.format, "table") == 0) {
        if (!(plain = plain_text(document))) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result"));
        report = (struct report){.document = document, .rows = "", .above = plain};
    }
    TRY(report_write_part(cli, &output, &report, measured));
    /* A failed plot is returned only if the checks below find nothing worse. */
    if (values.plot) status = bench_plot(cli, values.plot, &document, 1);
    if (old && !compared) TRY(cli_fail(cli, ADATOM_BAD_DATA, "%s has no case of this run", values.compare));
    if (regressions)
        TRY(cli_fail(cli, ADATOM_CHECK_FAILED, "%d of %d cases became slower beyond the noise, or fail now",
                     regressions, compared));
    if (errors) TRY(cli_fail(cli, ADATOM_FAILED, "%d cases ended in error", errors));
done:
    free(plain);
    free(arguments);
    json_decref(old);
    json_decref(document);
    json_decref(able);
    json_decref(bench.rows);
    adatom_device_destroy(&device);
    return status;
}
