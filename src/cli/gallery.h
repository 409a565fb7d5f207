/* What a page of benchmark results is made of: files that were found whole, and how their numbers relate. */
#ifndef CLI_GALLERY_H
#define CLI_GALLERY_H

#include "bench_files.h"

/* The numbers that one tells others, as bench_headline() finds them. */
typedef enum gallery_figure { FIGURE_EPISODES, FIGURE_FP32, FIGURE_FP16, FIGURES } gallery_figure;

typedef struct gallery_result {
    const char *file;
    json_t *document, *index; /* owned; index: its rows by name */
    const char *name;         /* texts of the document, or "?" */
    char driver[600], date[16], conditions[256];
    double figure[FIGURES]; /* NaN: not measured */
    const char *figure_case[FIGURES];
} gallery_result;

typedef struct gallery {
    gallery_result *results;
    int count;
    int reference; /* whom ratios are to */
    json_t *cases; /* names, as they first appear */
} gallery;

/* Reads the files; gallery_clear(out) in any case. BAD_DATA names a file that is not whole, USAGE an `against` that
 * fits none. */
adatom_status gallery_load(struct cli *cli, const arg_texts *files, const char *against, gallery *out);
void gallery_clear(gallery *g);
/* The result's row of a case; NULL: it was not measured there. */
json_t *gallery_row(const gallery *g, int result, const char *name);
/* How many times as fast the result is as the reference in a case, by their medians; NaN: one of them has none. */
double gallery_ratio(const gallery *g, int result, const char *name);
/* How many bytes of a case's name are its family. */
size_t gallery_family(const char *name);
/* The geometric mean of the ratios of a family's cases, and of how many; NaN: of none. */
double gallery_mean(const gallery *g, int result, const char *family, size_t length, int *count);
/* A number of a row, finite and above 0; else NaN. */
double gallery_number(json_t *row, const char *member);
#endif
