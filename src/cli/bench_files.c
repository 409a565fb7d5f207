#include "bench_files.h"
#include "out_of_memory.h"
#include "terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 32 << 20 };

static void set_number(json_t *row, const char *key, double value) {
    if (value > 0) json_object_set_new(row, key, json_real(value));
}

json_t *bench_row(const adatom_bench_result *r) {
    json_t *row =
        json_pack("{s:s,s:s,s:s}", "name", r->name, "status", adatom_bench_status_name(r->status), "reason", r->reason);
    if (!row || r->status != ADATOM_BENCH_OK) return row;
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"min_ns", r->min_ns},
                   {"median_ns", r->median_ns},
                   {"p95_ns", r->p95_ns},
                   {"gflop", r->gflop},
                   {"gbyte", r->gbyte},
                   {"gflops", r->gflops},
                   {"gbytes_per_s", r->gbytes_per_s},
                   {"share_of_peak", r->share_of_peak},
                   {"share_of_memory", r->share_of_memory},
                   {"share_of_roofline", r->share_of_roofline},
                   {"share_of_sgemm", r->share_of_sgemm},
                   {"episodes_per_s", r->episodes_per_s},
                   {"images_per_s", r->images_per_s},
                   {"arena_bytes", r->arena_bytes}};
    json_object_set_new(row, "value", json_real(r->value));
    json_object_set_new(row, "unit", json_string(r->unit));
    json_object_set_new(row, "variant", json_string(r->variant));
    json_object_set_new(row, "verified", json_string(r->verified));
    json_object_set_new(row, "timer", json_string(r->timer));
    for (size_t i = 0; i < COUNT(numbers); i++) set_number(row, numbers[i].key, numbers[i].value);
    if (r->tasks_at_once) json_object_set_new(row, "tasks_at_once", json_integer(r->tasks_at_once));
    json_t *samples = json_array();
    for (int i = 0; i < r->sample_count; i++) json_array_append_new(samples, json_real(r->samples_ns[i]));
    json_object_set_new(row, "samples_ns", samples);
    return row;
}

/* A file or pipe, and how many bytes were read from it: reading fails beyond MOST_BYTES. */
typedef struct bounded {
    FILE *file;
    size_t bytes;
} bounded;

static size_t read_bounded(void *buffer, size_t size, void *user) {
    bounded *input = user;
    const size_t count = fread(buffer, 1, size, input->file);
    input->bytes += count;
    return input->bytes > MOST_BYTES || ferror(input->file) ? (size_t)-1 : count;
}

adatom_status bench_load(struct cli *cli, const char *path, json_t **out) {
    json_error_t error;
    bounded input = {.file = fopen(path, "rbe")};
    *out = NULL;
    if (!input.file) return cli_fail(cli, ADATOM_BAD_DATA, "cannot open '%s': %s", path, strerror(errno));
    *out = json_load_callback(read_bounded, &input, 0, &error);
    fclose(input.file);
    if (input.bytes > MOST_BYTES) {
        json_decref(*out);
        *out = NULL;
        return cli_fail(cli, ADATOM_BAD_DATA, "%s: over %d MiB, which no result of 'adatom bench' has", path,
                        MOST_BYTES >> 20);
    }
    if (!*out) return cli_fail(cli, ADATOM_BAD_DATA, "%s:%d: %s", path, error.line, error.text);
    const char *command = json_string_value(json_object_get(*out, "command"));
    json_t *rows = json_object_get(*out, "results"), *row;
    adatom_status status = ADATOM_OK;
    size_t i;
    if (!command || strcmp(command, "bench") != 0 || !json_is_array(rows))
        TRY(cli_fail(cli, ADATOM_BAD_DATA, "%s: this is no result of 'adatom bench --format json'", path));
    json_array_foreach(rows, i, row) {
        if (!json_is_string(json_object_get(row, "name")))
            TRY(cli_fail(cli, ADATOM_BAD_DATA, "%s: results[%zu] is not an object with a name, as each case has", path,
                         i));
    }
done:
    if (status != ADATOM_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

json_t *bench_index(json_t *document) {
    size_t i;
    json_t *row, *index = json_object();
    json_array_foreach(json_object_get(document, "results"), i, row) {
        const char *name = json_string_value(json_object_get(row, "name"));
        if (name && !json_object_get(index, name) && json_object_set(index, name, row) != 0) {
            json_decref(index);
            return NULL;
        }
    }
    return index;
}

bool bench_is_ok(json_t *row) {
    const char *status = json_string_value(json_object_get(row, "status"));
    return status && strcmp(status, "ok") == 0;
}

/* The row's samples as numbers; free(). NULL: there are none. */
static double *samples_of(json_t *row, size_t *count) {
    json_t *samples = json_object_get(row, "samples_ns");
    *count = json_array_size(samples);
    double *numbers = *count ? calloc(*count, sizeof *numbers) : NULL;
    for (size_t i = 0; numbers && i < *count; i++) numbers[i] = json_number_value(json_array_get(samples, i));
    return numbers;
}

static const char *judge(json_t *row, json_t *before, double *ratio) {
    static const char *const verdicts[] = {"faster", "same", "slower"};
    const char *status = json_string_value(json_object_get(row, "status"));
    if (!before || !bench_is_ok(before)) return "new";
    if (!bench_is_ok(row)) return status && strcmp(status, "error") == 0 ? "broken" : "not run";
    size_t old_count = 0, new_count = 0;
    double *old = samples_of(before, &old_count), *new = samples_of(row, &new_count);
    const char *verdict =
        old && new ? verdicts[1 + adatom_bench_compare(old, old_count, new, new_count, ratio)] : "new";
    free(old);
    free(new);
    return verdict;
}

bool bench_compare(json_t *document, json_t *old, int *regressions, int *compared) {
    size_t i;
    json_t *row, *index = bench_index(old);
    bool complete = index != NULL;
    *regressions = *compared = 0;
    json_array_foreach(json_object_get(document, "results"), i, row) {
        double ratio = 0;
        const char *name = json_string_value(json_object_get(row, "name"));
        json_t *before = name ? json_object_get(index, name) : NULL;
        const char *verdict = judge(row, before, &ratio);
        json_t *comparison = json_pack("{s:s}", "verdict", verdict);
        set_number(comparison, "ratio", ratio);
        if (ratio > 0) json_object_set(comparison, "old_value", json_object_get(before, "value"));
        complete = complete && json_object_set_new(row, "comparison", comparison) == 0;
        *compared += ratio > 0;
        *regressions += strcmp(verdict, "slower") == 0 || strcmp(verdict, "broken") == 0;
    }
    json_decref(index);
    return complete;
}

/* ---- several files ---- */
enum { MOST_FILES = ARGS_LIST_MAX };

static const char *text_at(json_t *document, const char *path) {
    const char *text = json_string_value(report_get(document, path));
    return text ? text : "?";
}

/* Adds the document's results to the merged rows under `key`. index: the merged rows by name. Returns false without
 * memory. */
static bool add_column(json_t *rows, json_t *index, json_t *document, const char *key) {
    size_t i;
    json_t *row;
    bool bad = false;
    json_array_foreach(json_object_get(document, "results"), i, row) {
        const char *name = json_string_value(json_object_get(row, "name"));
        if (!name) continue;
        json_t *merged = json_object_get(index, name), *status = json_object_get(row, "status");
        if (!merged) {
            merged = json_pack("{s:s,s:{},s:{}}", "name", name, "values", "status");
            bad |= json_object_set_new(index, name, merged) != 0 || json_array_append(rows, merged) != 0;
        }
        if (status) bad |= json_object_set(json_object_get(merged, "status"), key, status) != 0;
        if (!bench_is_ok(row)) continue;
        json_t *value = json_object_get(row, "value"), *unit = json_object_get(row, "unit");
        if (value) bad |= json_object_set(json_object_get(merged, "values"), key, value) != 0;
        if (unit) bad |= json_object_set(merged, "unit", unit) != 0;
    }
    return !bad;
}

adatom_status bench_merge(struct cli *cli, const arg_texts *files, const output_options *output) {
    report_column columns[MOST_FILES + 2] = {{"case", CELL_TEXT, "name", NULL}, {"unit", CELL_TEXT, "unit", NULL}};
    char shown[5][256], headings[MOST_FILES][40], paths[MOST_FILES][16];
    adatom_status status = ADATOM_OK;
    json_t *document = report_document("bench-merge"), *rows = json_array(), *devices = json_array(),
           *index = json_object(), *file = NULL;
    char *above = NULL;
    size_t size = 0;
    FILE *text = memory_stream(&above, &size);
    if (!text || !document || !rows || !devices || !index)
        TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result"));
    if (files->count > MOST_FILES)
        TRY(cli_fail(cli, ADATOM_USAGE, "--merge: %d files at most, %d given", MOST_FILES, files->count));
    for (int f = 0; f < files->count; f++) {
        TRY(bench_load(cli, files->items[f], &file));
        const char *name = terminal_name(text_at(file, "device.name"), shown[0], sizeof shown[0]);
        snprintf(headings[f], sizeof headings[f], "%.*s", (int)report_cut(name, 20), name);
        snprintf(paths[f], sizeof paths[f], "values.%d", f);
        columns[2 + f] = (report_column){headings[f], CELL_NUMBER, paths[f], NULL};
        if (!add_column(rows, index, file, paths[f] + strlen("values.")))
            TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result"));
        fprintf(text, "%d: %s, %s %s, %s, adatom %s\n", f, name,
                terminal_name(text_at(file, "device.driverName"), shown[1], sizeof shown[1]),
                terminal_name(text_at(file, "device.driverInfo"), shown[2], sizeof shown[2]),
                terminal_name(text_at(file, "test_time"), shown[3], sizeof shown[3]),
                terminal_name(text_at(file, "build_commit"), shown[4], sizeof shown[4]));
        json_t *device = json_pack("{s:o,s:O?,s:O?,s:O?}", "file", report_text(files->items[f]), "device",
                                   json_object_get(file, "device"), "test_time", json_object_get(file, "test_time"),
                                   "build_commit", json_object_get(file, "build_commit"));
        json_array_append_new(devices, device);
        json_decref(file);
        file = NULL;
    }
    fclose(text);
    text = NULL;
    json_object_set(document, "devices", devices);
    json_object_set(document, "results", rows);
    struct report report = {.document = document,
                            .rows = "results",
                            .columns = columns,
                            .column_count = 2 + (size_t)files->count,
                            .above = above};
    TRY(report_write(cli, output, &report));
done:
    if (text) fclose(text);
    free(above);
    json_decref(file);
    json_decref(index);
    json_decref(rows);
    json_decref(devices);
    json_decref(document);
    return status;
}
