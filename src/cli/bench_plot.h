/* Draws curves of benchmark results as an SVG picture. */
#ifndef CLI_BENCH_PLOT_H
#define CLI_BENCH_PLOT_H

#include "bench_files.h"

/* Three or more cases of a document whose names differ in one number make a curve of time (fastest sample) and one of
 * device memory, with logarithmic axes. Curves of all documents in which the same number grows share a diagram.
 * BAD_DATA if there is no curve. */
adatom_status bench_plot(struct cli *cli, const char *path, json_t *const *documents, int count);
/* The same for result files. */
adatom_status bench_plot_files(struct cli *cli, const char *path, const arg_texts *files);
#endif
