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
/* The beginning of a picture within a page of HTML (page.h), whose style sheet has class g. label: what it shows. */
void svg_begin_inline(FILE *out, int width, int height, const char *label);
/* The end of one with svg_begin(): closes out, a memory_stream() of *text and *size, and writes them to the file. */
adatom_status svg_end(struct cli *cli, const char *path, FILE *out, char *const *text, const size_t *size);
/* Writes a text from a file, device or driver, escaped for XML. */
void svg_text(FILE *out, const char *text);
/* A line of a legend. */
void svg_legend(FILE *out, double x, double y, const char *colour, const char *text);

/* A diagram of linear axes: its edges on the page, and the values there. */
typedef struct svg_diagram {
    double left, right, top, bottom;
    double x_least, x_most, y_least, y_most;
} svg_diagram;

/* 1, 2 or 5 times a power of ten, which goes into the range nine times at most. */
double svg_step(double range);
double svg_x(const svg_diagram *diagram, double x);
double svg_y(const svg_diagram *diagram, double y);
/* A grid line up from x, with a number below. */
void svg_column(FILE *out, const svg_diagram *diagram, double x, double number);
/* Grid lines at whole values of x, at round values of y, at most about ten, with their numbers. */
void svg_columns(FILE *out, const svg_diagram *diagram);
void svg_rows(FILE *out, const svg_diagram *diagram);
void svg_titles(FILE *out, const svg_diagram *diagram, const char *x, const char *y);
#endif
