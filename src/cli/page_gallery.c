#include "page_gallery.h"
#include "gallery.h"
#include "html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- texts ---- */

/* As numbers of tables are (report.c): three digits below ten, else one after the point. */
static const char *number_text(double value, char out[32]) {
    snprintf(out, 32, value < 10 ? "%.3g" : "%.1f", value);
    return out;
}

static const char *ratio_text(double ratio, char out[32]) {
    snprintf(out, 32, ratio < 0.1 ? "%.2g&#160;&#215;" : ratio < 10 ? "%.2f&#160;&#215;" : "%.1f&#160;&#215;", ratio);
    return out;
}

static const char *percent_text(double part, char out[32]) {
    snprintf(out, 32, "%.1f&#160;%%", 100 * part);
    return out;
}

/* What the program calls a family; NULL: one that it does not know. */
static const char *family_words(const char *family, size_t length) {
    static const struct {
        const char *family, *words;
    } known[] = {{"peak", "Peaks of arithmetic, memory and launches"},
                 {"conv", "Convolutions"},
                 {"depthwise", "Depthwise convolutions"},
                 {"op", "Other operations of networks"},
                 {"head", "Heads and losses"},
                 {"optimiser", "Optimisers"},
                 {"adapt", "Whole adaptation to an episode"},
                 {"pretrain", "Whole training steps"},
                 {"infer", "Classifying"},
                 {"startup", "Start-up"}};
    for (size_t i = 0; i < COUNT(known); i++)
        if (strlen(known[i].family) == length && strncmp(known[i].family, family, length) == 0) return known[i].words;
    return NULL;
}

static void family_title(FILE *out, const char *family, size_t length) {
    const char *words = family_words(family, length);
    char name[256];
    if (words) {
        fputs(words, out);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), family);
    html_name(out, name);
}

/* ---- bars ---- */

typedef struct bar {
    const gallery_result *result;
    double value;
    bool reference;
    char text[64], ratio[64]; /* as HTML */
    const char *of;           /* the case it was measured in, or NULL */
} bar;

static int longest_first(const void *a, const void *b) {
    const bar *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? 1 : -1;
    return (x->result > y->result) - (x->result < y->result);
}

static int by_case(const void *a, const void *b) {
    const bar *x = a, *y = b;
    const int order = strcmp(x->of, y->of);
    return order ? order : longest_first(a, b);
}

/* A name beside a bar: the tables have all of it. */
static void short_name(FILE *out, const char *name) {
    enum { MOST = 80 };
    char cut[MOST + 8];
    const size_t length = report_cut(name, MOST);
    snprintf(cut, sizeof cut, "%.*s%s", (int)length, name, name[length] ? "…" : "");
    html_name(out, cut);
}

static void write_bar(FILE *out, const bar *b, double most) {
    fprintf(out, "<li%s><span class=\"who\">", b->reference ? " class=\"ref\"" : "");
    short_name(out, b->result->name);
    fputs(" <small>", out);
    short_name(out, b->result->driver);
    fputs(", <span class=\"date\">", out);
    html_name(out, b->result->date);
    fprintf(out,
            "</span></small></span><svg class=\"bar\" aria-hidden=\"true\"><rect class=\"ground\" width=\"100%%\" "
            "height=\"12\"/><rect class=\"%s\" width=\"%.2f%%\" height=\"12\"/></svg><span class=\"what\"><strong>%s"
            "</strong>",
            b->reference ? "other" : "good", 100 * b->value / most, b->text);
    if (*b->ratio) fprintf(out, " <span>%s</span>", b->ratio);
    if (b->of) {
        fputs(" <small>", out);
        html_name(out, b->of);
        fputs("</small>", out);
    }
    fputs("</span></li>\n", out);
}

static void write_bars(page *p, const bar *bars, int count) {
    fputs("<ul class=\"bars\">\n", p->out);
    for (int i = 0; i < count; i++) write_bar(p->out, &bars[i], bars[0].value);
    fputs("</ul>\n", p->out);
}

/* ---- what one tells others ---- */

static const struct {
    const char *title, *unit, *missing;
    bool same_case; /* whether ratios mean something only between equal cases */
} figures[FIGURES] = {
    {"Adapted episodes a second", "episodes/s", "No result has a whole adaptation to an episode.", true},
    {"Convolution in float32", "TFLOP/s", "No result has a convolution in float32.", false},
    {"Convolution in half precision", "TFLOP/s",
     "No result has a convolution with operands in half precision (--precision fp16 on a Vulkan device).", false}};

/* The ratio of a figure to the reference's; NaN: there is none that means something. */
static double figure_ratio(const gallery *g, int result, int f) {
    const gallery_result *r = &g->results[result], *reference = &g->results[g->reference];
    const char *a = r->figure_case[f], *b = reference->figure_case[f];
    if (figures[f].same_case && !(a && b && strcmp(a, b) == 0)) return NAN;
    return r->figure[f] / reference->figure[f];
}

/* The bars of a figure, those of the same case together where only these compare. */
static int figure_bars(const gallery *g, int f, bar *bars) {
    int count = 0;
    char number[32];
    for (int i = 0; i < g->count; i++) {
        const gallery_result *r = &g->results[i];
        const double ratio = figure_ratio(g, i, f);
        if (isnan(r->figure[f])) continue;
        bar *b = &bars[count++];
        *b = (bar){.result = r, .value = r->figure[f], .reference = i == g->reference, .of = r->figure_case[f]};
        snprintf(b->text, sizeof b->text, "%s %s", number_text(r->figure[f], number), figures[f].unit);
        if (!isnan(ratio) && i != g->reference) snprintf(b->ratio, sizeof b->ratio, "%s", ratio_text(ratio, number));
    }
    qsort(bars, (size_t)count, sizeof *bars, figures[f].same_case ? by_case : longest_first);
    return count;
}

static void headlines(page *p, const gallery *g, bar *bars) {
    page_section(p, "The numbers that one tells others");
    page_note(p, "The best of each result's cases, each checked against double precision before it was timed. Episodes "
                 "are only comparable in the same case, so each case has its own scale.");
    for (int f = 0; f < FIGURES; f++) {
        const int count = figure_bars(g, f, bars);
        fprintf(p->out, "<h3>%s</h3>\n", figures[f].title);
        for (int first = 0, end; first < count; first = end) {
            for (end = first + 1; end < count && !(figures[f].same_case && strcmp(bars[first].of, bars[end].of) != 0);)
                end++;
            write_bars(p, bars + first, end - first);
        }
        if (!count) page_note(p, "%s", figures[f].missing);
    }
    page_section_end(p);
}

/* ---- families ---- */

/* The first case from `from` on whose family none before it has; count: there is none. */
static size_t next_family(const gallery *g, size_t from) {
    const size_t count = json_array_size(g->cases);
    for (; from < count; from++) {
        const char *name = json_string_value(json_array_get(g->cases, from));
        const size_t length = gallery_family(name);
        size_t k = 0;
        for (; k < from; k++) {
            const char *other = json_string_value(json_array_get(g->cases, k));
            if (gallery_family(other) == length && strncmp(other, name, length) == 0) break;
        }
        if (k == from) break;
    }
    return from;
}

static void families(page *p, const gallery *g, bar *bars) {
    const size_t count = json_array_size(g->cases);
    page_section(p, "By family of cases");
    page_note(p, "How many times as fast as %s: the geometric mean over the cases that both have measured.",
              g->results[g->reference].name);
    fputs("<div class=\"columns\">\n", p->out);
    for (size_t at = next_family(g, 0); at < count; at = next_family(g, at + 1)) {
        const char *name = json_string_value(json_array_get(g->cases, at));
        const size_t length = gallery_family(name);
        int shown = 0;
        char number[32];
        for (int i = 0; i < g->count; i++) {
            int cases;
            const double mean = gallery_mean(g, i, name, length, &cases);
            if (isnan(mean)) continue;
            bar *b = &bars[shown++];
            *b = (bar){.result = &g->results[i], .value = mean, .reference = i == g->reference};
            snprintf(b->text, sizeof b->text, "%s", ratio_text(mean, number));
            snprintf(b->ratio, sizeof b->ratio, "<small>%d case%s</small>", cases, cases == 1 ? "" : "s");
        }
        fputs("<div><h3>", p->out);
        family_title(p->out, name, length);
        fputs("</h3>\n", p->out);
        qsort(bars, (size_t)shown, sizeof *bars, longest_first);
        if (shown)
            write_bars(p, bars, shown);
        else
            page_note(p, "The result that ratios are to has none of them.");
        fputs("</div>\n", p->out);
    }
    fputs("</div>\n", p->out);
    page_section_end(p);
}

/* ---- tables ---- */

static void figure_cells(page *p, const gallery *g, int result) {
    char text[32];
    for (int f = 0; f < FIGURES; f++) {
        const double value = g->results[result].figure[f];
        page_sort_number(p, value, number_text(value, text));
    }
}

static void number_cell(page *p, json_t *row, const char *member) {
    char text[32];
    const double value = gallery_number(row, member);
    page_sort_number(p, value, number_text(value, text));
}

/* A row a result: what was measured, with what, and its figures. */
static void results(page *p, const gallery *g) {
    static const char *const columns[] = {"device",       "episodes/s",    "float32 TFLOP/s",
                                          "half TFLOP/s", "share of peak", "peak GFLOP/s",
                                          "memory GB/s",  "driver",        "date",
                                          "conditions",   "file",          NULL};
    char text[32];
    page_section(p, "Results");
    page_sort_head(p, "What was measured, and with what; the share of peak is that of the convolution before it",
                   columns, 1u << 7 | 1u << 8 | 1u << 9 | 1u << 10);
    for (int i = 0; i < g->count; i++) {
        const gallery_result *r = &g->results[i];
        const int f = isnan(r->figure[FIGURE_FP16]) ? FIGURE_FP32 : FIGURE_FP16;
        json_t *best = r->figure_case[f] ? gallery_row(g, i, r->figure_case[f]) : NULL;
        const double share = gallery_number(best, "share_of_peak");
        fputs(i == g->reference ? "<tr class=\"strong\">" : "<tr>", p->out);
        html_name_cell(p->out, r->name, true);
        figure_cells(p, g, i);
        page_sort_number(p, share, percent_text(share, text));
        number_cell(p, gallery_row(g, i, "peak/fp32"), "value");
        number_cell(p, gallery_row(g, i, "peak/read"), "value");
        html_name_cell(p->out, r->driver, false);
        html_name_cell(p->out, r->date, false);
        html_name_cell(p->out, r->conditions, false);
        html_name_cell(p->out, r->file, false);
        fputs("</tr>\n", p->out);
    }
    fputs("</tbody></table></div>\n", p->out);
    for (int i = 0; i < g->count; i++) {
        const char *line = json_string_value(report_get(g->results[i].document, "device.capabilities.line"));
        if (line) page_note(p, "%s: %s", g->results[i].name, line);
    }
    page_section_end(p);
}

static void case_row(page *p, const gallery *g, int result, const char *name, json_t *row) {
    const gallery_result *r = &g->results[result];
    const double share = gallery_number(row, "share_of_peak"), ratio = gallery_ratio(g, result, name);
    const char *verified = json_string_value(json_object_get(row, "verified"));
    char text[32];
    fputs(result == g->reference ? "<tr class=\"strong\">" : "<tr>", p->out);
    html_name_cell(p->out, name, true);
    html_name_cell(p->out, r->name, false);
    number_cell(p, row, "value");
    html_name_cell(p->out, json_string_value(json_object_get(row, "unit")), false);
    page_sort_number(p, ratio, ratio_text(ratio, text));
    page_sort_number(p, share, percent_text(share, text));
    html_name_cell(p->out, verified && *verified ? verified : "computes nothing", false);
    html_name_cell(p->out, r->driver, false);
    html_name_cell(p->out, r->date, false);
    html_name_cell(p->out, r->conditions, false);
    fputs("</tr>\n", p->out);
}

/* A row a case and result, family by family, since all together are some hundreds. */
static void cases(page *p, const gallery *g) {
    static const char *const columns[] = {
        "case",   "device", "value",      "unit", "ratio", "share of peak", "checked against",
        "driver", "date",   "conditions", NULL};
    const size_t count = json_array_size(g->cases);
    page_section(p, "Every case");
    page_note(p,
              "Ratio: how many times as fast as %s. Share of peak: of the device's own peak, measured in the same "
              "run.",
              g->results[g->reference].name);
    for (size_t at = next_family(g, 0); at < count; at = next_family(g, at + 1)) {
        const char *first = json_string_value(json_array_get(g->cases, at));
        const size_t length = gallery_family(first);
        json_t *name;
        size_t k;
        fputs("<details><summary>", p->out);
        family_title(p->out, first, length);
        fputs("</summary>\n", p->out);
        page_sort_head(p, "Each case on each device that has it", columns,
                       1u << 1 | 1u << 3 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 9);
        json_array_foreach(g->cases, k, name) {
            const char *text = json_string_value(name);
            if (gallery_family(text) != length || strncmp(text, first, length) != 0) continue;
            for (int i = 0; i < g->count; i++) {
                json_t *row = gallery_row(g, i, text);
                if (row) case_row(p, g, i, text, row);
            }
        }
        fputs("</tbody></table></div>\n</details>\n", p->out);
    }
    page_section_end(p);
}

/* ---- the page ---- */

static int count_devices(const gallery *g) {
    int different = 0;
    for (int i = 0; i < g->count; i++) {
        int k = 0;
        while (k < i && strcmp(g->results[k].name, g->results[i].name) != 0) k++;
        different += k == i;
    }
    return different;
}

static void fact(FILE *out, const char *what, const char *text, const char *more) {
    fprintf(out, "<li><span>%s</span>", what);
    html_name(out, text);
    if (*more) fputs(", ", out);
    html_text(out, more);
    fputs("</li>\n", out);
}

/* What is shown, and what ratios are to. chosen: by --against. */
static void lead(page *p, const gallery *g, bool chosen) {
    const gallery_result *r = &g->results[g->reference], *first = r, *last = r;
    const int devices = count_devices(g);
    char span[64];
    for (int i = 0; i < g->count; i++) {
        if (strcmp(g->results[i].date, first->date) < 0) first = &g->results[i];
        if (strcmp(g->results[i].date, last->date) > 0) last = &g->results[i];
    }
    snprintf(span, sizeof span, "%s%s%s", first->date, strcmp(first->date, last->date) ? " to " : "",
             strcmp(first->date, last->date) ? last->date : "");
    fprintf(p->out, "<p class=\"lead\">%d result%s of %d device%s side by side. Ratios are to ", g->count,
            g->count == 1 ? "" : "s", devices, devices == 1 ? "" : "s");
    html_name(p->out, r->name);
    fprintf(p->out, "%s.</p>\n<ul class=\"facts\">\n",
            chosen ? "" : ", the first of the files; <code>--against</code> chooses another");
    fact(p->out, "Ratios are to", r->name, r->driver);
    fact(p->out, "Its file", r->file, "");
    fact(p->out, "Measured", span, "");
    fact(p->out, "Page written", json_string_value(json_object_get(p->document, "test_time")), "");
    fputs("</ul>\n</header>\n<main>\n", p->out);
}

adatom_status page_gallery(struct cli *cli, const char *path, const arg_texts *files, const char *against,
                           const page_call *call) {
    gallery g;
    page p = {.out = NULL};
    json_t *document = report_document("bench");
    adatom_status status = gallery_load(cli, files, against, &g);
    bar *bars = status == ADATOM_OK ? calloc((size_t)g.count, sizeof *bars) : NULL;
    if (status == ADATOM_OK && (!bars || !document))
        status = cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path);
    if (status == ADATOM_OK)
        status = page_begin_scripted(&p, cli, path, document, "Benchmark results", page_sort_script, page_sort_hash);
    if (status == ADATOM_OK) {
        lead(&p, &g, against != NULL);
        headlines(&p, &g, bars);
        families(&p, &g, bars);
        results(&p, &g);
        cases(&p, &g);
        page_command(&p, call, "Each file was found whole ('adatom bench --verify-file').");
        status = page_close(&p, status);
    }
    free(bars);
    json_decref(document);
    gallery_clear(&g);
    return status;
}
