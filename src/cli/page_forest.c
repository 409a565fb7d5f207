#include "html.h"
#include "page.h"
#include "svg.h"

#include <math.h>

enum { ROW = 30 };

typedef struct axis {
    double least, most, step;
} axis;

/* The range of all values and intervals, with room for the marks and the numbers at its ends. */
static axis find_axis(const forest_row *rows, size_t count, bool zero) {
    axis a = {.least = zero ? 0 : INFINITY, .most = zero ? 0 : -INFINITY};
    for (size_t i = 0; i < count; i++) {
        if (isnan(rows[i].value)) continue;
        a.least = fmin(a.least, fmin(rows[i].value, rows[i].low)); /* fmin passes over what is NaN */
        a.most = fmax(a.most, fmax(rows[i].value, rows[i].high));
    }
    if (!(a.most >= a.least)) a = (axis){.least = 0, .most = 1};
    const double room = fmax(0.09 * (a.most - a.least), 0.004);
    a.least -= room;
    a.most += room;
    a.step = svg_step(1.5 * (a.most - a.least));
    return a;
}

/* Per cent of the width. */
static double at(const axis *a, double value) { return 100 * (value - a->least) / (a->most - a->least); }

static void grid(FILE *out, const axis *a, bool zero) {
    for (double k = ceil(a->least / a->step); k * a->step <= a->most; k++)
        fprintf(out, "<line class=\"%s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"%d\"/>",
                zero && k == 0 ? "zero" : "g", at(a, k * a->step), at(a, k * a->step), ROW);
}

/* Places are per cent of the cell's width, so that rows fit any page and circles stay round. */
static void draw(FILE *out, const axis *a, const forest_row *row, bool zero) {
    fputs("<td class=\"plot\"><svg class=\"row\" aria-hidden=\"true\">", out);
    grid(out, a, zero);
    if (!isnan(row->value) && !isnan(row->low))
        fprintf(out, "<line class=\"mark\" stroke-width=\"2\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"15\" y2=\"15\"/>",
                at(a, row->low), at(a, row->high));
    if (!isnan(row->value))
        fprintf(out, "<circle class=\"mark\" cx=\"%.2f%%\" cy=\"15\" r=\"%d\"/>", at(a, row->value),
                row->strong ? 6 : 4);
    fputs("</svg></td>", out);
}

void page_forest(page *p, const char *caption, const char *heading, const forest_row *rows, size_t count, bool zero) {
    const axis a = find_axis(rows, count, zero);
    FILE *out = p->out;
    html_table(out, "forest", caption);
    fprintf(out,
            "<thead><tr><th scope=\"col\" class=\"t\">result</th><th scope=\"col\">%s</th>"
            "<th scope=\"col\" class=\"t\">with its interval</th></tr></thead>\n<tbody>\n",
            heading);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "<tr%s>", rows[i].strong ? " class=\"strong\"" : "");
        html_name_cell(out, rows[i].name, true);
        fputs("<td>", out);
        html_text(out, rows[i].text);
        fputs("</td>", out);
        draw(out, &a, &rows[i], zero);
        fputs("</tr>\n", out);
    }
    fputs("<tr class=\"axis\"><td></td><td></td><td class=\"plot\"><svg class=\"axis\" aria-hidden=\"true\">", out);
    for (double k = ceil(a.least / a.step); k * a.step <= a.most; k++) {
        const double place = at(&a, k * a.step);
        if (place < 3 || place > 97) continue; /* the number would be cut */
        fprintf(out, "<text class=\"soft\" x=\"%.2f%%\" y=\"15\" text-anchor=\"middle\">%s%g</text>", place,
                zero && k > 0 ? "+" : "", 100 * k * a.step + 0.0); /* no -0 */
    }
    fputs("</svg></td></tr>\n</tbody></table></div>\n", out);
}
