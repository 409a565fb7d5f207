/* Benchmark results as JSON documents: rows made of the library's results, comparison with an older file, several files
 * in one table. */
#ifndef CLI_BENCH_FILES_H
#define CLI_BENCH_FILES_H

#include "report.h"
#include <adatom/bench.h>

/* Makes a row; numbers that do not apply to the case are left out. */
json_t *bench_row(const adatom_bench_result *result);
/* Reads a result file into a new *out. BAD_DATA names what is wrong with it. */
adatom_status bench_load(struct cli *cli, const char *path, json_t **out);
/* Makes an object with the document's rows by their names, the first of each name. NULL: no memory. */
json_t *bench_index(json_t *document);
/* Whether the row's case was measured. */
bool bench_is_ok(json_t *row);
/* Adds "comparison" {verdict, ratio, old_value} to each row of `document`. *regressions: rows that are slower, or in
 * error where they were ok; *compared: rows that both documents have. Returns false without memory. */
bool bench_compare(json_t *document, json_t *old, int *regressions, int *compared);
/* Adds "headline" to the document, and writes it as lines: adapted episodes/s, and TFLOP/s of convolution with operands
 * in float32 and in half precision, each the best of the cases whose results were checked; what was not measured is
 * left out. Returns false without memory. */
bool bench_headline(json_t *document, char *out, size_t capacity);
/* Whether a result file is whole, and its numbers those of its samples; CHECK_FAILED if not. */
adatom_status bench_verify(struct cli *cli, const char *path, const output_options *output);
/* What keeps a loaded file from being that: a new array of {where, problem} in *out, which is empty where it is whole.
 * *measured (may be NULL): how many cases were. */
adatom_status bench_problems(struct cli *cli, json_t *file, json_t **out, size_t *measured);
/* Shows the files as columns of one table. */
adatom_status bench_merge(struct cli *cli, const arg_texts *files, const output_options *output);
#endif
