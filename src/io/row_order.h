/* Rows with labels, as they come from memory or a file, in any order: their classes, and their order in a data set. */
#ifndef AD_IO_ROW_ORDER_H
#define AD_IO_ROW_ORDER_H

#include "base/base.h"

typedef struct ad_row_labels {
    const char *name; /* for messages, and of the data set */
    size_t rows;
    /* One label a row, as numbers (with names of the first class_count, or none) or as texts; both NULL: no classes. */
    const int64_t *labels;
    const char *const *texts;
    const char *const *classes;
    size_t class_count;
    const char *const *pictures; /* NULL: they are named by their row */
} ad_row_labels;

typedef struct ad_row_order {
    const ad_row_labels *of;
    size_t *rows;   /* [of->rows] their numbers in the order of the data set: by class, then as they came */
    char **names;   /* [classes] */
    size_t *counts; /* [classes] */
    int classes;
    char path[32];
} ad_row_order;

/* Classes are the labels that occur, in their order; without labels one with the name "". BAD_DATA: a label is negative
 * or has no name, or a class has an empty name or that of another. labels must outlive *out. Clear also on failure. */
adatom_status ad_row_order_make(adatom_context *ctx, const ad_row_labels *labels, ad_row_order *out);
void ad_row_order_clear(ad_row_order *order);
/* The name of a picture in that order, as ad_block_make() asks for it; order: an ad_row_order, whose text it may be
 * until the next call. */
const char *ad_row_order_path(const void *order, size_t image);
#endif
