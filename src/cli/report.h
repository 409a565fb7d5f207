/* Results of commands: one JSON document, shown as a table, JSON, JSON lines or CSV. Tables and CSV are made of the
 * document's rows by a list of columns, so that all forms tell the same. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli.h"
#include <jansson.h>

typedef struct output_options {
    const char *format, *file;
} output_options;
/* --format, and --output for the result itself. */
arg_group output_group(output_options *values);
/* The same for commands whose --output is what they make: --format and --output-file. */
arg_group result_group(output_options *values);
/* "table", "json", "jsonl", "csv", "md", NULL */
extern const char *const report_formats[];

typedef enum report_cell {
    CELL_TEXT,
    CELL_NUMBER,
    CELL_PERCENT,
    CELL_DIFFERENCE,
    CELL_COUNT,
    CELL_BYTES,
    CELL_MILLIONS
} report_cell;

typedef struct report_column {
    const char *heading; /* NULL: only CSV has the column */
    report_cell cell;
    const char *path;   /* dotted path of the value in a row, e.g. "accuracy.mean"; also the heading in CSV */
    const char *spread; /* path of the half width of the value's interval, or NULL */
} report_column;

struct report {
    json_t *document; /* an object; stays the caller's */
    const char *rows; /* name of the document's array of rows */
    const report_column *columns;
    size_t column_count;
    const char *above, *below; /* text above and below the table, each line with its newline; NULL: none */
};

/* Writes the report to stdout, or to options->file, which appears when it is complete. */
adatom_status report_write(struct cli *cli, const output_options *options, const struct report *report);

/* The same for a run that ended with the status `ended`. Unless that is OK, the document holds what was finished
 * before: its "status" becomes interrupted or failed, and its "unfinished" tells why there is no more. Returns `ended`,
 * or what went wrong in writing. */
adatom_status report_write_part(struct cli *cli, const output_options *options, const struct report *report,
                                adatom_status ended);

/* Makes a document with the fields that every result has: versions of format and tool, build, command, time, host. */
json_t *report_document(const char *command);
json_t *report_device(const adatom_device_info *info);
/* Adds "precision" and "features_used". */
void report_precision(json_t *record, const adatom_device_info *info);
json_t *report_dataset(const adatom_dataset_info *info);
/* Makes a JSON string of a path, or of a sentence with one. In a text that is not UTF-8, which JSON requires, bytes
 * that are not ASCII become %XX. */
json_t *report_text(const char *text);
/* Makes a number of a seed; from 2^63 on, which jansson's integers do not reach, a string of its digits. */
json_t *report_seed(uint64_t seed);
/* Makes a number, or null of infinity (the interval of one episode) and NaN (the mean where every episode diverged),
 * which JSON does not have. */
json_t *report_number(double value);
/* Makes the short decimal number that a float stands for: 0.01, not 0.00999999978. */
json_t *report_float(float value);
/* How many bytes of the text's beginning, at most `most`, can be shown without cutting a UTF-8 character. */
size_t report_cut(const char *text, size_t most);
/* The value at a dotted path, or NULL; it stays owned by row. */
json_t *report_get(json_t *row, const char *path);
#endif
