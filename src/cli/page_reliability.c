#include "html.h"
#include "page.h"
#include "svg.h"

enum { SIDE = 300, LEFT = 46, TOP = 10, RIGHT = 12, BOTTOM = 42 };

/* Bars of the accuracy of each bin, and the line on which it would be the confidence. */
static void diagram(FILE *out, const reliability *r) {
    const svg_diagram d = {
        .left = LEFT, .right = LEFT + SIDE, .top = TOP, .bottom = TOP + SIDE, .x_most = 100, .y_most = 100};
    char label[160];
    snprintf(label, sizeof label, "Reliability diagram of %zu answers; the expected calibration error is %.1f %%",
             r->all, 100 * r->error);
    fputs("<figure>", out);
    svg_begin_inline(out, LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM, label);
    for (int k = 0; k <= 100; k += 20) svg_column(out, &d, k, k);
    svg_rows(out, &d);
    for (int b = 0; b < ANSWERS_BINS; b++) {
        if (r->count[b] == 0) continue;
        const double x = svg_x(&d, 100.0 * b / ANSWERS_BINS), y = svg_y(&d, 100 * r->accuracy[b]);
        const double width = (double)SIDE / ANSWERS_BINS;
        fprintf(out,
                "<rect class=\"good\" fill-opacity=\".75\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                x + 2, y, width - 4, d.bottom - y);
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" class=\"bad\"/>\n", svg_x(&d, 100 * r->confidence[b]), y);
    }
    fprintf(out, "<path class=\"zero\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", d.left, d.bottom, d.right, d.top);
    svg_titles(out, &d, "probability of the answer, %", "right, %");
    fputs("</svg>\n<figcaption>Bars: how often answers of that probability are right; points: their mean "
          "probability.<br>On the dashed line the two are the same.</figcaption></figure>\n",
          out);
}

void page_reliability_diagram(page *p, const answers *a, const char *title) {
    static const char *const columns[] = {"probability", "answers", "mean %", "right %", NULL};
    const reliability r = answers_reliability(a);
    fprintf(p->out, "<h3>%s</h3>\n", title);
    page_note(p,
              "The expected calibration error is %.1f %%: so far the probability of an answer lies from how often such "
              "answers are right, on average over the %zu answers.",
              100 * r.error, r.all);
    fputs("<div class=\"plots\">", p->out);
    diagram(p->out, &r);
    fputs("<div>", p->out);
    html_head(p->out, "The same in numbers", columns, 0);
    for (int b = 0; b < ANSWERS_BINS; b++) {
        if (r.count[b] == 0) continue;
        fprintf(p->out, "<tr><th scope=\"row\">%d to %d %%</th>", 100 * b / ANSWERS_BINS, 100 * (b + 1) / ANSWERS_BINS);
        html_number_cell(p->out, "%zu", r.count[b]);
        html_number_cell(p->out, "%.1f", 100 * r.confidence[b]);
        html_number_cell(p->out, "%.1f", 100 * r.accuracy[b]);
        fputs("</tr>\n", p->out);
    }
    fputs("</tbody></table></div></div></div>\n", p->out);
}

void page_reliability(page *p, const answers *a, bool calibrated) {
    if (answers_reliability(a).all == 0) return;
    page_section(p, "How far its probabilities can be trusted");
    page_reliability_diagram(p, a, calibrated ? "Calibrated" : "As they are");
    page_section_end(p);
}
