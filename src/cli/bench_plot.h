/* Curves of benchmark results as an SVG picture. */
#ifndef CLI_BENCH_PLOT_H
#define CLI_BENCH_PLOT_H

#include "bench_files.h"

/* Cases of a document whose names differ in one number, three or more of them, are a curve of time (fastest sample) and
 * one of device memory, with logarithmic axes; those of all documents in which the same number grows share a diagram.
 * BAD_DATA if there is none. */
adatom_status bench_plot(struct cli *cli, const char *path, json_t *const *documents, int count);
/* The same of result files. */
adatom_status bench_plot_files(struct cli *cli, const char *path, const arg_texts *files);
#endif
