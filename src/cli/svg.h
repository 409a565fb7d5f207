/* What the pictures of plots share. */
#ifndef CLI_SVG_H
#define CLI_SVG_H

#include <stdio.h>

enum { SVG_COLOURS = 8 };
/* The colour of series number i. */
const char *svg_colour(int i);
/* The beginning of a picture; the end is "</svg>". Grid lines have class g. */
void svg_begin(FILE *out, int width, int height);
/* Writes a text from a file, device or driver, escaped for XML. */
void svg_text(FILE *out, const char *text);
#endif
