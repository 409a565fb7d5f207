#include "report.h"
#include "out_of_memory.h"
#include "build_commit.h"
#include "terminal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* 15 digits, with which a decimal fraction is written as it was typed. */
#define REAL JSON_REAL_PRECISION(15)

const char *const report_formats[] = {"table", "json", "jsonl", "csv", "md", NULL};
#define OPTIONS output_options
#define FORMAT_OPTION                                                                                                  \
    OPTION("format", ARG_CHOICE, format, .choices = report_formats, .initial = "table", .value = "FORMAT",             \
           .help = "form of the result")
static const arg_option output_table[] = {
    FORMAT_OPTION,
    OPTION("output", ARG_TEXT, file, .letter = 'o', .value = "FILE", .former = report_formats, .former_of = "format",
           .help = "write the result there instead of standard output; the file appears when it is complete"),
    OPTION("output-file", ARG_TEXT, file, .renamed = "output", .value = "FILE"),
};
static const arg_option result_table[] = {
    FORMAT_OPTION,
    OPTION("output-file", ARG_TEXT, file, .value = "FILE",
           .help = "write the result there instead of standard output; the file appears when it is complete"),
};
#undef OPTIONS

arg_group output_group(output_options *values) {
    return (arg_group){"Result", output_table, COUNT(output_table), values};
}

arg_group result_group(output_options *values) {
    return (arg_group){"Result", result_table, COUNT(result_table), values};
}

json_t *report_document(const char *command) {
    char when[32];
    time_t t = time(NULL);
    struct tm utc;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &utc));
    struct utsname host;
    if (uname(&host) != 0) memset(&host, 0, sizeof host);
    return json_pack("{s:i,s:s,s:s,s:s,s:s,s:{s:s,s:s,s:s,s:I}}", "format_version", 1, "tool_version", adatom_version(),
                     "build_commit", ADATOM_BUILD_COMMIT, "command", command, "test_time", when, "host", "system",
                     host.sysname, "release", host.release, "machine", host.machine, "processors",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN));
}

json_t *report_device(const adatom_device_info *d) {
    return json_pack("{s:o,s:s,s:s,s:s,s:i,s:i,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:b,s:i}", "index",
                     d->index < 0 ? json_null() : json_integer(d->index), "backend", d->backend, "name", d->name,
                     "type", d->type, "vendorID", (int)d->vendor_id, "deviceID", (int)d->device_id, "uuid", d->uuid,
                     "pci", d->pci, "driverName", d->driver_name, "driverInfo", d->driver_info, "api", d->api,
                     "memory_bytes", (json_int_t)d->memory_bytes, "tensor_bytes", (json_int_t)d->tensor_bytes, "timer",
                     (int)d->timer, "threads", d->threads);
}

void report_precision(json_t *record, const adatom_device_info *info) {
    json_t *features = json_array();
    for (const char *at = info->features; *at;) {
        const size_t length = strcspn(at, ",");
        json_array_append_new(features, json_stringn(at, length));
        at += length;
        at += strspn(at, ", ");
    }
    json_object_set_new(record, "precision", json_string(adatom_precision_name(info->precision)));
    json_object_set_new(record, "features_used", features);
}

json_t *report_dataset(const adatom_dataset_info *d) {
    if (d->features) {
        json_t *features = json_pack("{s:o,s:s,s:i,s:I,s:i}", "name", report_text(d->name), "hash", d->hash, "classes",
                                     d->classes, "images", (json_int_t)d->images, "features", d->features);
        json_object_set_new(features, "model_hash", d->model_hash[0] ? json_string(d->model_hash) : json_null());
        return features;
    }
    json_t *dataset =
        json_pack("{s:o,s:s,s:i,s:I,s:i,s:s}", "name", report_text(d->name), "hash", d->hash, "classes", d->classes,
                  "images", (json_int_t)d->images, "size", d->image_size, "background", d->background);
    if (d->damaged) json_object_set_new(dataset, "damaged", json_integer((json_int_t)d->damaged));
    return dataset;
}

json_t *report_text(const char *text) {
    json_t *string = json_string(text);
    const size_t room = text ? 3 * strlen(text) + 1 : 0;
    char *shown = string || !text ? NULL : malloc(room), *end = shown;
    for (; shown && *text; text++) {
        const bool plain = (unsigned char)*text < 0x80 && *text != '%';
        end += snprintf(end, 4, plain ? "%c" : "%%%02X", (unsigned char)*text);
    }
    if (shown) {
        *end = 0;
        string = json_string(shown);
    }
    free(shown);
    return string;
}

json_t *report_seed(uint64_t seed) {
    char digits[24];
    if (seed <= INT64_MAX) return json_integer((json_int_t)seed);
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)seed);
    return json_string(digits);
}

json_t *report_number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

json_t *report_float(float value) {
    char text[32];
    snprintf(text, sizeof text, "%.7g", (double)value);
    return json_real(strtod(text, NULL));
}

json_t *report_get(json_t *row, const char *path) {
    while (row) {
        size_t length = strcspn(path, ".");
        row = json_object_getn(row, path, length);
        if (!path[length]) break;
        path += length + 1;
    }
    return row;
}

size_t report_cut(const char *text, size_t most) {
    size_t length = strlen(text);
    if (length <= most) return length;
    for (length = most; length && ((unsigned char)text[length] & 0xC0) == 0x80;) length--;
    return length;
}

/* Writes JSON: each member of an object on its own line, arrays of plain values on one line. */
static void write_json(FILE *out, json_t *value, int indent) {
    bool object = json_is_object(value), nested = object && json_object_size(value) > 0;
    if (json_is_array(value))
        for (size_t i = 0; i < json_array_size(value); i++) {
            json_t *item = json_array_get(value, i);
            nested |= json_is_object(item) || json_is_array(item);
        }
    if (!nested) {
        json_dumpf(value, out, JSON_ENCODE_ANY | REAL);
        return;
    }
    const char *separator = "";
    fputc(object ? '{' : '[', out);
    if (object) {
        const char *key;
        json_t *member;
        json_object_foreach(value, key, member) {
            json_t *name = json_string(key);
            fprintf(out, "%s\n%*s", separator, indent + 2, "");
            json_dumpf(name, out, JSON_ENCODE_ANY);
            fputs(": ", out);
            write_json(out, member, indent + 2);
            separator = ",";
            json_decref(name);
        }
    } else {
        for (size_t i = 0; i < json_array_size(value); i++) {
            fprintf(out, "%s\n%*s", separator, indent + 2, "");
            write_json(out, json_array_get(value, i), indent + 2);
            separator = ",";
        }
    }
    fprintf(out, "\n%*s%c", indent, "", object ? '}' : ']');
}

/* Writes a line for each row. Each line is complete: the document's other members come first. */
static void write_jsonl(FILE *out, const struct report *r) {
    size_t i;
    json_t *row, *rows = json_object_get(r->document, r->rows);
    json_array_foreach(rows, i, row) {
        json_t *line = json_copy(r->document);
        json_object_del(line, r->rows);
        json_object_update(line, row);
        json_dumpf(line, out, JSON_COMPACT | REAL);
        fputc('\n', out);
        json_decref(line);
    }
}

/* Writes a CSV field [RFC 4180]: quoted where it holds a comma, a quote or a line end. */
static void write_csv_text(FILE *out, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void write_csv_value(FILE *out, json_t *value) {
    if (json_is_string(value))
        write_csv_text(out, json_string_value(value));
    else if (value && !json_is_null(value))
        json_dumpf(value, out, JSON_ENCODE_ANY | JSON_COMPACT | REAL);
}

static void write_csv(FILE *out, const struct report *r) {
    size_t i;
    json_t *row, *rows = json_object_get(r->document, r->rows);
    for (size_t c = 0; c < r->column_count; c++) {
        fprintf(out, "%s%s", c ? "," : "", r->columns[c].path);
        if (r->columns[c].spread) fprintf(out, ",%s", r->columns[c].spread);
    }
    fputc('\n', out);
    json_array_foreach(rows, i, row) {
        for (size_t c = 0; c < r->column_count; c++) {
            if (c) fputc(',', out);
            write_csv_value(out, report_get(row, r->columns[c].path));
            if (r->columns[c].spread) {
                fputc(',', out);
                write_csv_value(out, report_get(row, r->columns[c].spread));
            }
        }
        fputc('\n', out);
    }
}

static void format_cell(const report_column *column, json_t *row, char *out, size_t capacity) {
    json_t *value = report_get(row, column->path), *spread = column->spread ? report_get(row, column->spread) : NULL;
    double number = json_number_value(value);
    int used = 0;
    if (!value || json_is_null(value)) {
        snprintf(out, capacity, "-");
        return;
    }
    switch (column->cell) {
    case CELL_TEXT:
        if (adatom_printable(json_is_string(value) ? json_string_value(value)
                             : json_is_true(value) ? "yes"
                                                   : "no",
                             out, capacity) >= capacity)
            memcpy(out + capacity - 4, "...", 4); /* the other forms of the result have all of it */
        return;
    case CELL_NUMBER: used = snprintf(out, capacity, number != 0 && fabs(number) < 10 ? "%.3g" : "%.1f", number); break;
    case CELL_PERCENT: used = snprintf(out, capacity, "%.2f", 100 * number); break;
    case CELL_DIFFERENCE: used = snprintf(out, capacity, "%+.2f", 100 * number); break;
    case CELL_COUNT: used = snprintf(out, capacity, "%.0f", number); break;
    case CELL_BYTES: used = snprintf(out, capacity, "%.0f MiB", number / 1048576); break;
    case CELL_MILLIONS: used = snprintf(out, capacity, "%.3f", number / 1e6); break;
    }
    if (spread && json_is_number(spread))
        snprintf(out + used, capacity - (size_t)used, " ± %.2f", 100 * json_number_value(spread));
    else if (spread)
        snprintf(out + used, capacity - (size_t)used, " ± ?"); /* NaN is null in JSON: one episode has no interval */
}

static void write_cell(FILE *out, const char *text, int columns, bool right, bool last) {
    int space = columns - terminal_width(text);
    if (right)
        fprintf(out, "%*s%s", space, "", text);
    else
        fprintf(out, "%s%*s", text, last ? 0 : space, "");
    fputs(last ? "\n" : "  ", out);
}

static void write_table(FILE *out, const struct report *r) {
    enum { MAX_COLUMNS = ARGS_LIST_MAX + 2, CELL = 300 }; /* of merged files there are that many */
    char cell[CELL];
    int widths[MAX_COLUMNS] = {0};
    size_t shown[MAX_COLUMNS], count = 0, i;
    json_t *row, *rows = json_object_get(r->document, r->rows);
    for (size_t c = 0; c < r->column_count && count < MAX_COLUMNS; c++)
        if (r->columns[c].heading) shown[count++] = c;
    for (size_t c = 0; c < count; c++) {
        widths[c] = terminal_width(r->columns[shown[c]].heading);
        json_array_foreach(rows, i, row) {
            format_cell(&r->columns[shown[c]], row, cell, sizeof cell);
            if (terminal_width(cell) > widths[c]) widths[c] = terminal_width(cell);
        }
    }
    if (r->above) terminal_put(out, r->above, false);
    for (size_t c = 0; c < count && json_array_size(rows) > 0; c++)
        write_cell(out, r->columns[shown[c]].heading, widths[c], r->columns[shown[c]].cell != CELL_TEXT,
                   c + 1 == count);
    json_array_foreach(rows, i, row) for (size_t c = 0; c < count; c++) {
        format_cell(&r->columns[shown[c]], row, cell, sizeof cell);
        write_cell(out, cell, widths[c], r->columns[shown[c]].cell != CELL_TEXT, c + 1 == count);
    }
    if (r->below) terminal_put(out, r->below, false);
}

/* Text that Markdown shows as it is, also in a table's cell. */
static void write_markdown_text(FILE *out, const char *text) {
    for (; *text; text++) {
        if (strchr("\\`*_[]|~#", *text))
            fprintf(out, "\\%c", *text);
        else if (*text == '<' || *text == '&') /* of HTML, which Markdown lets through */
            fputs(*text == '<' ? "&lt;" : "&amp;", out);
        else
            fputc(*text, out);
    }
}

/* Lines above or below a table: as a block, which keeps their columns. A fence is longer than any in the text. */
static void write_markdown_lines(FILE *out, const char *text) {
    size_t longest = 0, run = 0;
    for (const char *at = text; *at; at++) {
        run = *at == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    while (*text == '\n') text++;
    char fence[64] = "```";
    if (longest >= 3) memset(fence, '`', longest + 1 < sizeof fence ? longest + 1 : sizeof fence - 1);
    fprintf(out, "%s\n", fence);
    terminal_put(out, text, false);
    fprintf(out, "%s%s\n", text[strlen(text) - 1] == '\n' ? "" : "\n", fence);
}

static void write_markdown(FILE *out, const struct report *r) {
    char cell[300];
    size_t i;
    json_t *row, *rows = json_object_get(r->document, r->rows);
    const bool above = r->above && r->above[strspn(r->above, "\n")],
               below = r->below && r->below[strspn(r->below, "\n")];
    if (above) write_markdown_lines(out, r->above);
    if (json_array_size(rows) > 0) {
        if (above) fputc('\n', out);
        for (size_t c = 0; c < r->column_count; c++)
            if (r->columns[c].heading) {
                fputs("| ", out);
                write_markdown_text(out, r->columns[c].heading);
                fputc(' ', out);
            }
        fputs("|\n", out);
        for (size_t c = 0; c < r->column_count; c++)
            if (r->columns[c].heading) fputs(r->columns[c].cell == CELL_TEXT ? "|---" : "|---:", out);
        fputs("|\n", out);
        json_array_foreach(rows, i, row) {
            for (size_t c = 0; c < r->column_count; c++) {
                if (!r->columns[c].heading) continue;
                format_cell(&r->columns[c], row, cell, sizeof cell);
                fputs("| ", out);
                write_markdown_text(out, cell);
                fputc(' ', out);
            }
            fputs("|\n", out);
        }
    }
    if (below && json_array_size(rows) > 0) fputc('\n', out);
    if (below) write_markdown_lines(out, r->below);
}

/* Writes the result to stdout: unchanged to files and pipes, and with everything that steers terminals escaped to a
 * terminal. Tables are escaped already. */
static bool write_out(const char *text, size_t size, const char *format) {
    if (strcmp(format, "table") != 0 && strcmp(format, "md") != 0 && isatty(STDOUT_FILENO))
        terminal_put(stdout, text, strcmp(format, "csv") != 0);
    else if (fwrite(text, 1, size, stdout) != size)
        return false;
    return fflush(stdout) == 0 && !ferror(stdout);
}

adatom_status report_write(struct cli *cli, const output_options *options, const struct report *r) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream(&text, &size);
    if (!out || !r->document) {
        if (out) fclose(out);
        free(text);
        return cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result");
    }
    if (strcmp(options->format, "json") == 0) {
        write_json(out, r->document, 0);
        fputc('\n', out);
    } else if (strcmp(options->format, "jsonl") == 0) {
        write_jsonl(out, r);
    } else if (strcmp(options->format, "csv") == 0) {
        write_csv(out, r);
    } else if (strcmp(options->format, "md") == 0) {
        write_markdown(out, r);
    } else {
        write_table(out, r);
    }
    bool complete = !ferror(out);
    complete &= fclose(out) == 0;
    adatom_status status = ADATOM_OK;
    progress_clear(&cli->progress);
    if (!complete)
        status = cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result");
    else if (options->file && (status = adatom_write_file(cli->ctx, options->file, text, size)) != ADATOM_OK)
        /* cli->message may hold an earlier sentence, which would be shown instead */
        status = cli_fail(cli, status, "%s", adatom_context_message(cli->ctx));
    else if (!options->file && !write_out(text, size, options->format))
        status = cli_fail(cli, ADATOM_IO, "cannot write the result to standard output: %s", strerror(errno));
    free(text);
    return status;
}

adatom_status report_write_part(struct cli *cli, const output_options *options, const struct report *r,
                                adatom_status ended) {
    char reason[sizeof cli->message];
    if (ended == ADATOM_OK) return report_write(cli, options, r);
    snprintf(reason, sizeof reason, "%s", cli->message[0] ? cli->message : adatom_context_message(cli->ctx));
    if (r->document) {
        json_object_set_new(r->document, "status", json_string(ended == ADATOM_INTERRUPTED ? "interrupted" : "failed"));
        json_object_set_new(r->document, "unfinished", report_text(reason));
    }
    const adatom_status status = report_write(cli, options, r);
    if (status != ADATOM_OK) cli_note(cli, "%s", reason);
    return status != ADATOM_OK ? status : cli_fail(cli, ended, "%s", reason);
}
