#include "io/row_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row and its label: a text, or, where there is none, a number. */
typedef struct labelled {
    const char *text;
    int64_t number;
    size_t row;
} labelled;

static int by_label(const labelled *x, const labelled *y) {
    if (x->text && y->text) return strcmp(x->text, y->text);
    return x->number < y->number ? -1 : x->number > y->number;
}

static int by_label_and_row(const void *a, const void *b) {
    const labelled *x = a, *y = b;
    const int order = by_label(x, y);
    return order ? order : x->row < y->row ? -1 : x->row > y->row;
}

static adatom_status check_labels(adatom_context *ctx, const ad_row_labels *f) {
    for (size_t i = 0; i < f->rows && f->labels; i++) {
        const long long label = (long long)f->labels[i];
        if (label < 0)
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': row %zu (counted from 0) has the label %lld; none is negative",
                           f->name, i, label);
        if (f->class_count && (uint64_t)label >= f->class_count)
            return ad_fail(ctx, ADATOM_BAD_DATA,
                           "'%s': row %zu (counted from 0) has the label %lld, and there are names of only %zu classes",
                           f->name, i, label, f->class_count);
    }
    return ADATOM_OK;
}

/* sorted: [rows]. */
static adatom_status sort_rows(adatom_context *ctx, ad_row_order *o, labelled *sorted) {
    const ad_row_labels *f = o->of;
    if (!(o->rows = ad_malloc(ctx, f->rows, sizeof *o->rows))) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < f->rows; i++)
        sorted[i] = (labelled){.text = f->texts ? f->texts[i] : NULL, .number = f->labels ? f->labels[i] : 0, .row = i};
    qsort(sorted, f->rows, sizeof *sorted, by_label_and_row);
    for (size_t i = 0; i < f->rows; i++) {
        o->rows[i] = sorted[i].row;
        o->classes += i == 0 || by_label(&sorted[i - 1], &sorted[i]) != 0;
    }
    return ADATOM_OK;
}

static adatom_status name_classes(adatom_context *ctx, ad_row_order *o, const labelled *sorted) {
    const ad_row_labels *f = o->of;
    o->names = ad_calloc(ctx, (size_t)o->classes, sizeof *o->names);
    o->counts = ad_calloc(ctx, (size_t)o->classes, sizeof *o->counts);
    if (!o->names || !o->counts) return ADATOM_OUT_OF_MEMORY;
    int c = -1;
    for (size_t i = 0; i < f->rows; i++) {
        const labelled *l = &sorted[i];
        if (i == 0 || by_label(l - 1, l) != 0) {
            o->names[++c] = l->text          ? ad_strdup(ctx, l->text)
                            : !f->labels     ? ad_strdup(ctx, "")
                            : f->class_count ? ad_strdup(ctx, f->classes[l->number])
                                             : ad_format(ctx, "%lld", (long long)l->number);
            if (!o->names[c]) return ADATOM_OUT_OF_MEMORY;
        }
        o->counts[c]++;
    }
    return ADATOM_OK;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Every class has a name, and no other class has it. */
static adatom_status check_names(adatom_context *ctx, const ad_row_order *o) {
    const size_t classes = (size_t)o->classes;
    adatom_status status = ADATOM_OK;
    if (!o->of->labels && !o->of->texts) return ADATOM_OK;
    char **sorted = ad_calloc(ctx, classes, sizeof *sorted);
    if (!sorted) return ADATOM_OUT_OF_MEMORY;
    memcpy(sorted, o->names, classes * sizeof *sorted);
    qsort(sorted, classes, sizeof *sorted, by_text);
    if (!*sorted[0]) status = ad_fail(ctx, ADATOM_BAD_DATA, "'%s': a class has an empty name", o->of->name);
    for (size_t c = 1; c < classes && status == ADATOM_OK; c++)
        if (strcmp(sorted[c - 1], sorted[c]) == 0)
            status = ad_fail(ctx, ADATOM_BAD_DATA, "'%s': two classes have the name '%s'", o->of->name, sorted[c]);
    ad_free(sorted);
    return status;
}

adatom_status ad_row_order_make(adatom_context *ctx, const ad_row_labels *labels, ad_row_order *out) {
    adatom_status status = ADATOM_OK;
    labelled *sorted = NULL;
    *out = (ad_row_order){.of = labels};
    AD_TRY(check_labels(ctx, labels));
    if (!(sorted = ad_malloc(ctx, labels->rows, sizeof *sorted))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(sort_rows(ctx, out, sorted));
    AD_TRY(name_classes(ctx, out, sorted));
    AD_TRY(check_names(ctx, out));
done:
    ad_free(sorted);
    return status;
}

void ad_row_order_clear(ad_row_order *order) {
    for (int c = 0; c < order->classes && order->names; c++) ad_free(order->names[c]);
    ad_free(order->names);
    ad_free(order->counts);
    ad_free(order->rows);
    *order = (ad_row_order){0};
}

const char *ad_row_order_path(const void *order, size_t image) {
    ad_row_order *o = (ad_row_order *)(uintptr_t)order;
    const size_t row = o->rows[image];
    if (o->of->pictures) return o->of->pictures[row];
    snprintf(o->path, sizeof o->path, "row %zu", row);
    return o->path;
}
