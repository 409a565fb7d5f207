#include "html.h"
#include "page.h"

#include <stdlib.h>

enum { CLASSES_SHOWN = 40, PAIRS_SHOWN = 40 };

/* ---- by class ---- */

typedef struct placed {
    int number;
    double part;
} placed;

/* The worst first, those that nothing was asked about last. */
static int by_part(const void *a, const void *b) {
    const placed *x = a, *y = b;
    return x->part != y->part ? (x->part > y->part) - (x->part < y->part)
                              : (x->number > y->number) - (x->number < y->number);
}

static void class_row(FILE *out, const answers *a, int c, const class_tally *t) {
    const double part = t->asked ? (double)t->right / (double)t->asked : 0;
    fputs("<tr>", out);
    html_name_cell(out, a->names[c], true);
    html_number_cell(out, "%zu", t->asked);
    html_number_cell(out, "%zu", t->right);
    if (t->asked)
        fprintf(out,
                "<td>%.1f</td><td class=\"b\"><svg class=\"bar\" aria-hidden=\"true\"><rect class=\"ground\" "
                "width=\"100%%\" "
                "height=\"12\"/><rect class=\"good\" width=\"%.1f%%\" height=\"12\"/></svg></td>",
                100 * part, 100 * part);
    else
        fputs("<td>-</td><td class=\"b\"></td>", out);
    fputs("<td class=\"t\">", out);
    if (t->taken >= 0) {
        html_name(out, a->names[t->taken]);
        fprintf(out, " <span class=\"note\">&#215;%zu</span>", t->taken_count);
    }
    fputs("</td></tr>\n", out);
}

static void class_rows(page *p, const char *caption, const answers *a, const class_tally *tally, const placed *order,
                       int first, int end) {
    static const char *const columns[] = {"class", "asked", "right", "%", "", "most often taken for", NULL};
    html_head(p->out, caption, columns, 1u << 5);
    for (int i = first; i < end; i++) class_row(p->out, a, order[i].number, &tally[order[i].number]);
    fputs("</tbody></table></div>\n", p->out);
}

static adatom_status by_class(page *p, const answers *a) {
    class_tally *tally = answers_by_class(a);
    placed *order = malloc(((size_t)a->classes + 1) * sizeof *order);
    adatom_status status = ADATOM_OK;
    if (!tally || !order) TRY(cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path));
    const int shown = a->classes <= CLASSES_SHOWN + 10 ? a->classes : CLASSES_SHOWN;
    for (int c = 0; c < a->classes; c++)
        order[c] = (placed){c, tally[c].asked ? (double)tally[c].right / (double)tally[c].asked : 2};
    qsort(order, (size_t)a->classes, sizeof *order, by_part);
    page_section(p, "By class");
    class_rows(p, shown < a->classes ? "The classes that do worst" : "All classes, those that do worst first", a, tally,
               order, 0, shown);
    if (shown < a->classes) {
        fprintf(p->out, "<details><summary>The other %d classes</summary>\n", a->classes - shown);
        class_rows(p, "The other classes", a, tally, order, shown, a->classes);
        fputs("</details>\n", p->out);
    }
    page_section_end(p);
done:
    free(tally);
    free(order);
    return status;
}

/* ---- by pair ---- */

/* count of met, as a cell whose ground is the stronger the larger the part; counts stay dark on light, and light on
 * dark, since the ground never hides more than two thirds of the paper. */
static void matrix_cell(FILE *out, const answers *a, int truth, int taken, size_t count, size_t met) {
    if (count == 0) {
        fputs(met ? "<td></td>" : "<td class=\"soft\">&#183;</td>", out);
        return;
    }
    const double part = met ? (double)count / (double)met : 0;
    fprintf(out, "<td style=\"background:rgba(var(--%s),%.2f)\" title=\"", truth == taken ? "right" : "wrong",
            0.06 + 0.59 * part);
    html_text(out, a->names[truth]);
    fputs(truth == taken ? ": right, " : " taken for ", out);
    if (truth != taken) html_text(out, a->names[taken]);
    fprintf(out, "%s%zu of %zu\">", truth == taken ? "" : ", ", count, met);
    if (a->met)
        fprintf(out, "%.0f</td>", 100 * part);
    else
        fprintf(out, "%zu</td>", count);
}

static void matrix_head(FILE *out, const answers *a, const char *caption) {
    html_table(out, "matrix", caption);
    fputs("<thead><tr><td></td>", out);
    for (int c = 0; c < a->classes; c++) {
        fputs("<th scope=\"col\" title=\"", out);
        html_text(out, a->names[c]);
        fputs("\"><span>", out);
        html_name(out, a->names[c]);
        fputs("</span></th>", out);
    }
    fputs("</tr></thead>\n<tbody>\n", out);
}

static adatom_status matrix(page *p, const answers *a) {
    const size_t n = (size_t)a->classes;
    uint32_t *count = calloc(n * n + n, sizeof *count);
    if (!count) return cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path);
    uint32_t *asked = count + n * n;
    bool lost = false;
    for (size_t i = 0; i < a->count; i++) {
        const answer *one = &a->items[i];
        asked[one->truth]++;
        lost = lost || one->taken < 0;
        if (one->taken >= 0) count[(size_t)one->truth * n + (size_t)one->taken]++;
    }
    matrix_head(p->out, a,
                a->met ? "Rows are true classes, columns answers. Per cent of the queries in episodes in which "
                         "both classes were; a dot: they never met"
                       : "Rows are true classes, columns answers; numbers of pictures");
    for (size_t r = 0; r < n; r++) {
        fputs("<tr><th scope=\"row\" title=\"", p->out);
        html_text(p->out, a->names[r]);
        fputs("\">", p->out);
        html_name(p->out, a->names[r]);
        fputs("</th>", p->out);
        for (size_t c = 0; c < n; c++)
            matrix_cell(p->out, a, (int)r, (int)c, count[r * n + c], a->met ? a->met[r * n + c] : asked[r]);
        fputs("</tr>\n", p->out);
    }
    fputs("</tbody></table></div>\n", p->out);
    if (lost) page_note(p, "Pictures without an answer, whose task diverged, are in no column.");
    free(count);
    return ADATOM_OK;
}

static adatom_status pairs(page *p, const answers *a) {
    static const char *const columns[] = {"true class", "taken for", "times", "% of the class", NULL};
    size_t count = 0;
    class_pair *all = answers_pairs(a, &count);
    class_tally *tally = answers_by_class(a);
    adatom_status status = ADATOM_OK;
    if (!all || !tally) TRY(cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path));
    const size_t shown = count < PAIRS_SHOWN ? count : PAIRS_SHOWN;
    page_note(p,
              "A table of all %d classes against each other could not be read: these are the %zu most frequent of %zu "
              "mistakes.",
              a->classes, shown, count);
    html_head(p->out, "Which class was taken for which, the most frequent first", columns, 1u << 1);
    for (size_t i = 0; i < shown; i++) {
        fputs("<tr>", p->out);
        html_name_cell(p->out, a->names[all[i].truth], true);
        html_name_cell(p->out, a->names[all[i].taken], false);
        html_number_cell(p->out, "%zu", all[i].count);
        html_number_cell(p->out, "%.1f", 100 * (double)all[i].count / (double)tally[all[i].truth].asked);
        fputs("</tr>\n", p->out);
    }
    fputs("</tbody></table></div>\n", p->out);
done:
    free(all);
    free(tally);
    return status;
}

adatom_status page_classes(page *p, const answers *a) {
    if (a->count == 0) return ADATOM_OK;
    adatom_status status = by_class(p, a);
    if (status != ADATOM_OK) return status;
    page_section(p, "What was taken for what");
    if (a->right == a->count)
        page_note(p, "Nothing was taken for anything else.");
    else
        status = a->classes <= ANSWERS_MATRIX ? matrix(p, a) : pairs(p, a);
    if (a->left_out)
        page_note(p, "These are the first %zu answers; %zu more are not in these tables.", a->count, a->left_out);
    page_section_end(p);
    return status;
}
