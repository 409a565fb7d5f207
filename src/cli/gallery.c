#include "gallery.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *text_at(json_t *document, const char *path) {
    const char *text = json_string_value(report_get(document, path));
    return text && *text ? text : "?";
}

double gallery_number(json_t *row, const char *member) {
    json_t *value = report_get(row, member);
    const double number = json_number_value(value);
    return json_is_number(value) && isfinite(number) && number > 0 ? number : NAN;
}

/* ---- one file ---- */

/* Of a Vulkan device its driver, of the CPU engine what it computes with. */
static void name_driver(gallery_result *r) {
    json_t *d = r->document;
    const int threads = (int)json_integer_value(report_get(d, "device.threads"));
    if (strcmp(text_at(d, "device.backend"), "cpu") == 0)
        snprintf(r->driver, sizeof r->driver, "CPU engine, %s, %d thread%s", text_at(d, "device.api"), threads,
                 threads == 1 ? "" : "s");
    else
        snprintf(r->driver, sizeof r->driver, "%s %s", text_at(d, "device.driverName"),
                 text_at(d, "device.driverInfo"));
}

/* What the numbers depend on besides device and driver. */
static void name_conditions(gallery_result *r) {
    json_t *d = r->document;
    const char *date = text_at(d, "test_time");
    snprintf(r->date, sizeof r->date, "%.*s", (int)report_cut(date, strlen("2026-01-31")), date);
    snprintf(r->conditions, sizeof r->conditions, "%.60s, %.60s suite, build %.60s", text_at(d, "precision"),
             text_at(d, "config.suite"), text_at(d, "build_commit"));
}

/* The figures are found again: those that stand in a file are not what --verify-file looks at. */
static bool find_figures(gallery_result *r) {
    static const char *const members[FIGURES] = {"adapted_episodes_per_s", "convolution_fp32_tflops",
                                                 "convolution_fp16_tflops"};
    char unused[512];
    if (!bench_headline(r->document, unused, sizeof unused)) return false;
    json_t *headline = json_object_get(r->document, "headline");
    for (int f = 0; f < FIGURES; f++) {
        json_t *figure = json_object_get(headline, members[f]);
        r->figure[f] = gallery_number(figure, "value");
        r->figure_case[f] = json_string_value(json_object_get(figure, "case"));
    }
    return true;
}

static adatom_status load(struct cli *cli, const char *file, gallery_result *r) {
    json_t *problems = NULL;
    adatom_status status;
    r->file = file;
    TRY(bench_load(cli, file, &r->document));
    TRY(bench_problems(cli, r->document, &problems, NULL));
    if (json_array_size(problems)) {
        json_t *first = json_array_get(problems, 0);
        TRY(cli_fail(cli, ADATOM_BAD_DATA,
                     "%s is not whole, so it is not shown beside others: %.100s: %.300s ('adatom bench --verify-file' "
                     "tells all of %zu)",
                     file, text_at(first, "where"), text_at(first, "problem"), json_array_size(problems)));
    }
    r->name = text_at(r->document, "device.name");
    name_driver(r);
    name_conditions(r);
    if (!(r->index = bench_index(r->document)) || !find_figures(r))
        TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", file));
done:
    json_decref(problems);
    return status;
}

/* ---- all of them ---- */

static int find(const gallery *g, const char *against) {
    for (int i = 0; i < g->count; i++)
        if (strcmp(g->results[i].file, against) == 0) return i;
    for (int i = 0; i < g->count; i++)
        if (strcasestr(g->results[i].name, against)) return i;
    return -1;
}

static adatom_status choose_reference(struct cli *cli, gallery *g, const char *against) {
    char names[512] = "";
    size_t used = 0;
    g->reference = against ? find(g, against) : 0;
    if (g->reference >= 0) return ADATOM_OK;
    for (int i = 0; i < g->count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", g->results[i].name);
    return cli_fail(cli, ADATOM_USAGE, "--against '%s' is neither one of the files nor part of a device's name: %s",
                    against, names);
}

static bool list_cases(gallery *g) {
    json_t *seen = json_object();
    bool good = seen && (g->cases = json_array());
    for (int i = 0; good && i < g->count; i++) {
        size_t k;
        json_t *row;
        json_array_foreach(json_object_get(g->results[i].document, "results"), k, row) {
            json_t *name = json_object_get(row, "name");
            if (!bench_is_ok(row) || json_object_get(seen, json_string_value(name))) continue;
            good &= json_object_set(seen, json_string_value(name), name) == 0 && json_array_append(g->cases, name) == 0;
        }
    }
    json_decref(seen);
    return good;
}

adatom_status gallery_load(struct cli *cli, const arg_texts *files, const char *against, gallery *out) {
    adatom_status status = ADATOM_OK;
    *out = (gallery){.results = calloc((size_t)files->count, sizeof *out->results)};
    if (!out->results) return cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the results");
    for (out->count = 0; out->count < files->count && status == ADATOM_OK; out->count++)
        status = load(cli, files->items[out->count], &out->results[out->count]);
    if (status != ADATOM_OK) return status;
    if (!list_cases(out)) return cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the results");
    return choose_reference(cli, out, against);
}

void gallery_clear(gallery *g) {
    for (int i = 0; i < g->count; i++) {
        json_decref(g->results[i].index);
        json_decref(g->results[i].document);
    }
    free(g->results);
    json_decref(g->cases);
    *g = (gallery){.count = 0};
}

/* ---- how they relate ---- */

json_t *gallery_row(const gallery *g, int result, const char *name) {
    json_t *row = json_object_get(g->results[result].index, name);
    return row && bench_is_ok(row) ? row : NULL;
}

double gallery_ratio(const gallery *g, int result, const char *name) {
    return gallery_number(gallery_row(g, g->reference, name), "median_ns") /
           gallery_number(gallery_row(g, result, name), "median_ns");
}

size_t gallery_family(const char *name) { return strcspn(name, "/"); }

double gallery_mean(const gallery *g, int result, const char *family, size_t length, int *count) {
    double sum = 0;
    json_t *name;
    size_t i;
    *count = 0;
    json_array_foreach(g->cases, i, name) {
        const char *text = json_string_value(name);
        const double ratio =
            gallery_family(text) == length && strncmp(text, family, length) == 0 ? gallery_ratio(g, result, text) : NAN;
        if (isnan(ratio)) continue;
        sum += log(ratio);
        ++*count;
    }
    return *count ? exp(sum / *count) : NAN;
}
