/* Results: one JSON document, shown as a table, JSON, JSON lines or CSV. Tables and CSV are made from the document's
 * rows by a table of columns, so that all forms say the same. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli.h"
#include <jansson.h>

typedef struct output_options {
    const char *format, *file;
} output_options;
arg_group output_group(output_options *values);
/* table, json, jsonl, csv, NULL: for a command whose --output means something else. */
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
    const char *heading; /* NULL: CSV only */
    report_cell cell;
    const char *path;   /* in a row, e.g. "accuracy.mean"; also the heading in CSV */
    const char *spread; /* path of the half width of an interval, or NULL */
} report_column;

struct report {
    json_t *document; /* an object; borrowed */
    const char *rows; /* name of the array in it */
    const report_column *columns;
    size_t column_count;
    const char *above, *below; /* lines around the table, each ends with a newline; NULL: none */
};

/* To stdout, or to options->file under a temporary name that is renamed when it is complete. */
adatom_status report_write(struct cli *cli, const output_options *options, const struct report *report);

/* The same for a run that ended as `ended` says: unless that is OK, the document is of what was done before, its
 * "status" is interrupted or failed and its "unfinished" tells why there is no more. Returns ended, or what went wrong
 * in writing. */
adatom_status report_write_part(struct cli *cli, const output_options *options, const struct report *report,
                                adatom_status ended);

/* The fields every result carries: format and tool version, build, time, host, command. A new object. */
json_t *report_document(const char *command);
json_t *report_device(const adatom_device_info *info);
/* Adds "precision" and "features_used". */
void report_precision(json_t *record, const adatom_device_info *info);
json_t *report_dataset(const adatom_dataset_info *info);
/* A text of the user's: a path, or a sentence with one. Where that isn't UTF-8, which JSON needs, bytes that aren't
 * ASCII are %XX. */
json_t *report_text(const char *text);
/* A seed: a number, or from 2^63 on, which JSON integers here don't reach, its digits as a text. */
json_t *report_seed(uint64_t seed);
/* JSON has no infinity (the interval of one episode) and no NaN (the mean where every episode diverged): they are
 * null. */
json_t *report_number(double value);
/* The short decimal number that a float was made from: 0.01, not 0.00999999978. */
json_t *report_float(float value);
/* Bytes of the text's beginning, `most` or fewer so that no UTF-8 character is cut. */
size_t report_cut(const char *text, size_t most);
/* value at a dotted path, or NULL. */
json_t *report_get(json_t *row, const char *path);
#endif
