/* Draws accuracy against steps, label noise or shots as an SVG picture. */
#ifndef CLI_EPISODES_PLOT_H
#define CLI_EPISODES_PLOT_H

#include "cli.h"
#include <jansson.h>

/* rows: the results of 'adatom episodes'. axis: "steps", "label-noise" or "shot", of which the rows have several
 * values. Each method with each of its other settings is a curve with the band of its intervals; one that takes no
 * steps is a level line where steps are on the axis. */
adatom_status episodes_plot(struct cli *cli, const char *path, const char *axis, json_t *rows);
/* The same within a page of HTML, into `out`; nothing where fewer than two numbers have an accuracy and an interval.
 * path: the page's, for messages. */
adatom_status episodes_plot_inline(struct cli *cli, const char *path, const char *axis, json_t *rows, FILE *out);
#endif
