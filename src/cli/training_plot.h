/* Draws loss, accuracy and validation of a training against its epochs as an SVG picture. */
#ifndef CLI_TRAINING_PLOT_H
#define CLI_TRAINING_PLOT_H

#include "cli.h"
#include <jansson.h>
#include <stdio.h>

/* epochs: those told so far, as in the command's result, one at least, of `planned` in all. */
adatom_status training_plot(struct cli *cli, const char *path, json_t *epochs, int planned);
/* The same as two pictures side by side or, on a narrow page of HTML, one below the other. */
void training_plot_inline(FILE *out, json_t *epochs, int planned);
#endif
