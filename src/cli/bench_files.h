/* Benchmark results as documents: rows from the library's results, comparison with an older file, several files in one
 * table. */
#ifndef CLI_BENCH_FILES_H
#define CLI_BENCH_FILES_H

#include "report.h"
#include <adatom/bench.h>

/* A new row; numbers that mean nothing for this case are left out. */
json_t *bench_row(const adatom_bench_result *result);
/* A result file. *out is new. BAD_DATA names what is wrong with it. */
adatom_status bench_load(struct cli *cli, const char *path, json_t **out);
/* Adds "comparison" {verdict, ratio, old_median_ns} to each row of `document`; counts what is slower, or in error where
 * it was ok. false: no memory. */
bool bench_compare(json_t *document, json_t *old, int *regressions, int *compared);
/* The files as columns of one table. */
adatom_status bench_merge(struct cli *cli, const arg_texts *files, const output_options *output);
#endif
