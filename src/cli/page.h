/* The page that --report writes: one HTML file that needs nothing else, of what a command found. The parts are in
 * page_*.c, one subject each; which of them a command's page has says the command's own page_NAME.c. */
#ifndef CLI_PAGE_H
#define CLI_PAGE_H

#include "answers.h"
#include "cli.h"
#include <adatom/adapter.h>
#include <jansson.h>
#include <stdio.h>

/* The row of a command's table of options; member `report` of its struct. */
#define PAGE_OPTION(holder)                                                                                            \
    {                                                                                                                  \
        .name = "report", .type = ARG_TEXT, .offset = offsetof(holder, report), .value = "FILE.html",                  \
        .help = "write what came out, with pictures and everything that decided it, as one HTML page"                  \
    }

/* How the command was called: its arguments after its name. */
typedef struct page_call {
    int argc;
    char **argv;
} page_call;

typedef struct page {
    struct cli *cli;
    const char *path;
    json_t *document;   /* the command's result, as in JSON; the caller's */
    const char *script; /* NULL: nothing runs in it */
    FILE *out;
    char *text;
    size_t size;
} page;

/* ---- page.c: the frame ---- */

/* Begins the page with its title, which is `title` and what the command worked on (a name from outside, or NULL). */
adatom_status page_begin(page *p, struct cli *cli, const char *path, json_t *document, const char *title,
                         const char *on);
/* The same of a page with a script of the program's own, which stands at its end: the page allows that one by its hash
 * ("sha256-...", as policies of content take it), and no other. The page must be whole without it. */
adatom_status page_begin_scripted(page *p, struct cli *cli, const char *path, json_t *document, const char *title,
                                  const char *script, const char *hash);
/* The result in one sentence, below the title, and what it was found with; after page_begin. */
void page_lead(page *p, const char *format, ...) ADATOM_PRINTF(2, 3);
/* A section's beginning, and its end. Titles are the program's own words. */
void page_section(page *p, const char *title);
void page_section_end(page *p);
/* A paragraph of explanation; names in it are escaped. */
void page_note(page *p, const char *format, ...) ADATOM_PRINTF(2, 3);
/* The command as a section, with a remark of the program's own words. */
void page_command(page *p, const page_call *call, const char *remark);
/* Writes the page if `status` is OK, and clears it in any case; returns as page_end(), which does more. */
adatom_status page_close(page *p, adatom_status status);
/* The command to repeat it, device and data; writes the page if `status` is OK, and clears it in any case. Returns
 * status, or what went wrong in writing. Where the run itself ended early, its sentence is the one that counts: a page
 * that cannot be written is a warning then, and OK is returned. */
adatom_status page_end(page *p, const page_call *call, adatom_status status);

/* ---- page_settings.c: what decided the result ---- */

/* The members of a configuration as a table. */
void page_settings(page *p, json_t *config);
/* Those of several results: what they have in common, and a table of what differs. rows: each with `config`. */
void page_settings_of(page *p, json_t *rows);
/* "atoms, 5-shot, steps=10": what tells a result from the others of its command. */
void page_result_name(json_t *rows, json_t *row, char *out, size_t capacity);

/* ---- page_forest.c: values with their intervals ---- */

typedef struct forest_row {
    char name[320];
    double value, low, high; /* parts of 1; low and high NaN: there is no interval */
    char text[64];           /* the value as it is shown */
    bool strong;             /* the one that counts */
} forest_row;
/* zero: values are differences, and zero is marked. */
void page_forest(page *p, const char *caption, const char *heading, const forest_row *rows, size_t count, bool zero);

/* ---- page_classes.c: answers by class ---- */

/* A table of classes, and which were taken for which. */
adatom_status page_classes(page *p, const answers *a);

/* ---- page_reliability.c ---- */

/* How often answers of a probability are right, as a section. Nothing, where no probabilities are known. */
void page_reliability(page *p, const answers *a, bool calibrated);
/* The diagram and its numbers alone, below a title. */
void page_reliability_diagram(page *p, const answers *a, const char *title);

/* ---- page_pictures.c ---- */

enum { PAGE_PICTURES = 60 };
/* Thumbnails of `shown` of the answers, PAGE_PICTURES at most, with what they were taken for. order: which[count].
 * truths: the true classes are known, and are told, too. Without pixels (features) only names are shown. */
adatom_status page_pictures(page *p, const adatom_dataset *dataset, const answers *a, const size_t *which, size_t count,
                            bool truths);
/* The wrong answers, as a section: where a picture was asked about more than once, it is shown once. */
adatom_status page_wrong(page *p, const adatom_dataset *dataset, const answers *a);

/* ---- page_atoms.c ---- */

/* What an adapter moved, and its atoms before and after. */
adatom_status page_moved(page *p, const adatom_adapter *adapter, const adatom_model *model);

/* ---- page_sort.c: tables that are sorted by a click on a heading ---- */

/* The script, for tables of class "sort", and its hash. */
extern const char *const page_sort_script, *const page_sort_hash;
/* The beginning of such a table, as html_head() of html.h. */
void page_sort_head(page *p, const char *caption, const char *const *columns, unsigned texts);
/* A cell with a number, which it is sorted by, and its text, of digits and the program's own words; what is no number
 * (NaN) becomes "-", and is sorted last. */
void page_sort_number(page *p, double value, const char *text);

/* ---- the style sheet ---- */

extern const char *const page_style;
#endif
