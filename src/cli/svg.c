#include "svg.h"

#include <math.h>

const char *svg_colour(int i) {
    static const char *const colours[SVG_COLOURS] = {"#0b61a4", "#d1660a", "#2b8a3e", "#a61e4d",
                                                     "#5f3dc4", "#5c940d", "#087f8b", "#555555"};
    return colours[i % SVG_COLOURS];
}

void svg_begin(FILE *out, int width, int height) {
    fprintf(out,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' font-family='sans-serif' font-size='11'>\n"
            "<style>.g{stroke:#ddd;fill:none}</style><rect width='100%%' height='100%%' fill='#fff'/>\n",
            width, height);
}

void svg_begin_inline(FILE *out, int width, int height, const char *label) {
    fprintf(out, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"%s\">\n", width,
            height, width, height, label);
}

void svg_text(FILE *out, const char *text) {
    for (; *text; text++) switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&apos;", out); break;
        default: fputc((unsigned char)*text < ' ' ? '?' : *text, out);
        }
}

void svg_legend(FILE *out, double x, double y, const char *colour, const char *text) {
    fprintf(out, "<text x='%.1f' y='%.1f' fill='%s'>", x, y, colour);
    svg_text(out, text);
    fprintf(out, "</text>\n");
}

double svg_x(const svg_diagram *d, double x) {
    return d->left + (d->right - d->left) * (x - d->x_least) / (d->x_most - d->x_least);
}

double svg_y(const svg_diagram *d, double y) {
    return d->bottom - (d->bottom - d->top) * (y - d->y_least) / (d->y_most - d->y_least);
}

void svg_column(FILE *out, const svg_diagram *d, double x, double number) {
    const double at = svg_x(d, x);
    fprintf(out, "<path class='g' d='M%.1f %.1fV%.1f'/><text x='%.1f' y='%.1f' text-anchor='middle'>%g</text>\n", at,
            d->top, d->bottom, at, d->bottom + 15, number);
}

double svg_step(double range) {
    static const double first[] = {0.02, 0.05, 0.1, 0.2};
    const double decade = pow(10, ceil(log10(range)));
    size_t used = 0;
    while (range > 9 * first[used] * decade) used++;
    return first[used] * decade;
}

void svg_columns(FILE *out, const svg_diagram *d) {
    const double step = fmax(svg_step(d->x_most - d->x_least), 1);
    for (double k = ceil(d->x_least / step); k * step <= d->x_most; k++) svg_column(out, d, k * step, k * step);
}

void svg_rows(FILE *out, const svg_diagram *d) {
    const double step = svg_step(d->y_most - d->y_least);
    for (double k = ceil(d->y_least / step); k * step <= d->y_most; k++)
        fprintf(out, "<path class='g' d='M%.1f %.1fH%.1f'/><text x='%.1f' y='%.1f' text-anchor='end'>%g</text>\n",
                d->left, svg_y(d, k * step), d->right, d->left - 5, svg_y(d, k * step) + 4, k * step + 0.0); /* no -0 */
}

void svg_titles(FILE *out, const svg_diagram *d, const char *x, const char *y) {
    fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n", (d->left + d->right) / 2, d->bottom + 32,
            x);
    fprintf(out, "<text transform='translate(%.1f %.1f) rotate(-90)' text-anchor='middle'>%s</text>\n", d->left - 38,
            (d->top + d->bottom) / 2, y);
}

adatom_status svg_end(struct cli *cli, const char *path, FILE *out, char *const *text, const size_t *size) {
    fprintf(out, "</svg>\n");
    const bool whole = !ferror(out), closed = fclose(out) == 0;
    if (!whole || !closed) return cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path);
    return adatom_write_file(cli->ctx, path, *text, *size);
}
