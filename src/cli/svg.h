/* What the pictures of plots share. */
#ifndef CLI_SVG_H
#define CLI_SVG_H

#include "cli.h"

#include <stdio.h>

enum { SVG_COLOURS = 8 };
/* The colour of series number i. */
const char *svg_colour(int i);
/* The beginning of a picture. Grid lines have class g. */
void svg_begin(FILE *out, int width, int height);
/* The end of it: closes out, a memory_stream() of *text and *size, and writes them to the file. */
adatom_status svg_end(struct cli *cli, const char *path, FILE *out, char *const *text, const size_t *size);
/* Writes a text from a file, device or driver, escaped for XML. */
void svg_text(FILE *out, const char *text);
#endif
