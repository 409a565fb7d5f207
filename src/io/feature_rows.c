#include "io/feature_rows.h"

#include "io/dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WIDTH = 1 << 20, LOOK_EVERY = 4096 };

adatom_status ad_feature_rows_check(adatom_context *ctx, const char *name, const ad_file_tensor *t) {
    char shape[AD_FILE_RANK * 21 + 1] = "";
    for (int i = 0, at = 0; i < t->rank; i++)
        at += snprintf(shape + at, sizeof shape - (size_t)at, "%s%lld", i ? ", " : "", (long long)t->shape[i]);
    if (!ad_file_tensor_is_float(t))
        return ad_fail(ctx, ADATOM_BAD_DATA,
                       "'%s' holds whole numbers; features are float16, float32 or float64, [pictures, numbers]", name);
    if (t->rank != 2 || t->shape[0] < 1 || t->shape[1] < 1)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has features of the shape [%s]; [pictures, numbers] was expected",
                       name, shape);
    if (t->shape[0] > INT32_MAX || t->shape[1] > MOST_WIDTH)
        return ad_fail(ctx, ADATOM_BAD_DATA,
                       "'%s' has features of the shape [%s]; up to %d pictures of up to %d numbers are read", name,
                       shape, INT32_MAX, MOST_WIDTH);
    return ADATOM_OK;
}

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

/* The data set in the making. */
typedef struct making {
    adatom_context *ctx;
    const ad_feature_rows *from;
    labelled *order; /* [rows] the rows in the order of the data set */
    char **names;    /* [classes] */
    size_t *counts;
    int classes;
    char path[32];
} making;

static adatom_status check_labels(const making *m) {
    const ad_feature_rows *f = m->from;
    const size_t rows = (size_t)f->numbers.shape[0];
    for (size_t i = 0; i < rows && f->labels; i++) {
        const long long label = (long long)f->labels[i];
        if (label < 0)
            return ad_fail(m->ctx, ADATOM_BAD_DATA,
                           "'%s': row %zu (counted from 0) has the label %lld; none is negative", f->name, i, label);
        if (f->class_count && (uint64_t)label >= f->class_count)
            return ad_fail(m->ctx, ADATOM_BAD_DATA,
                           "'%s': row %zu (counted from 0) has the label %lld, and there are names of only %zu classes",
                           f->name, i, label, f->class_count);
    }
    return ADATOM_OK;
}

static adatom_status sort_rows(making *m) {
    const ad_feature_rows *f = m->from;
    const size_t rows = (size_t)f->numbers.shape[0];
    if (!(m->order = ad_calloc(m->ctx, rows, sizeof *m->order))) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < rows; i++)
        m->order[i] =
            (labelled){.text = f->texts ? f->texts[i] : NULL, .number = f->labels ? f->labels[i] : 0, .row = i};
    qsort(m->order, rows, sizeof *m->order, by_label_and_row);
    for (size_t i = 0; i < rows; i++) m->classes += i == 0 || by_label(&m->order[i - 1], &m->order[i]) != 0;
    return ADATOM_OK;
}

static adatom_status name_classes(making *m) {
    const ad_feature_rows *f = m->from;
    const size_t rows = (size_t)f->numbers.shape[0];
    m->names = ad_calloc(m->ctx, (size_t)m->classes, sizeof *m->names);
    m->counts = ad_calloc(m->ctx, (size_t)m->classes, sizeof *m->counts);
    if (!m->names || !m->counts) return ADATOM_OUT_OF_MEMORY;
    int c = -1;
    for (size_t i = 0; i < rows; i++) {
        const labelled *l = &m->order[i];
        if (i == 0 || by_label(l - 1, l) != 0) {
            m->names[++c] = l->text          ? ad_strdup(m->ctx, l->text)
                            : !f->labels     ? ad_strdup(m->ctx, "")
                            : f->class_count ? ad_strdup(m->ctx, f->classes[l->number])
                                             : ad_format(m->ctx, "%lld", (long long)l->number);
            if (!m->names[c]) return ADATOM_OUT_OF_MEMORY;
        }
        m->counts[c]++;
    }
    return ADATOM_OK;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Every class has a name, and no other class has it. */
static adatom_status check_names(const making *m) {
    const size_t classes = (size_t)m->classes;
    adatom_status status = ADATOM_OK;
    if (!m->from->labels && !m->from->texts) return ADATOM_OK;
    char **sorted = ad_calloc(m->ctx, classes, sizeof *sorted);
    if (!sorted) return ADATOM_OUT_OF_MEMORY;
    memcpy(sorted, m->names, classes * sizeof *sorted);
    qsort(sorted, classes, sizeof *sorted, by_text);
    if (!*sorted[0]) status = ad_fail(m->ctx, ADATOM_BAD_DATA, "'%s': a class has an empty name", m->from->name);
    for (size_t c = 1; c < classes && status == ADATOM_OK; c++)
        if (strcmp(sorted[c - 1], sorted[c]) == 0)
            status = ad_fail(m->ctx, ADATOM_BAD_DATA, "'%s': two classes have the name '%s'", m->from->name, sorted[c]);
    ad_free(sorted);
    return status;
}

static const char *row_name(const void *user, size_t image) {
    making *m = (making *)(uintptr_t)user;
    const size_t row = m->order[image].row;
    if (m->from->pictures) return m->from->pictures[row];
    snprintf(m->path, sizeof m->path, "row %zu", row);
    return m->path;
}

/* Rows with a number that is not finite are counted and refused. */
static adatom_status read_values(const making *m, float *values) {
    const ad_file_tensor *t = &m->from->numbers;
    const size_t rows = (size_t)t->shape[0], width = (size_t)t->shape[1];
    size_t bad = 0, first_row = SIZE_MAX, first_column = 0;
    for (size_t i = 0; i < rows; i++) {
        const size_t row = m->order[i].row;
        float *to = values + i * width;
        size_t column = 0;
        ad_file_tensor_floats(t, row * width, width, to);
        while (column < width && isfinite(to[column])) column++;
        if (i % LOOK_EVERY == LOOK_EVERY - 1 && ad_interrupted(m->ctx) != ADATOM_OK) return ADATOM_INTERRUPTED;
        if (column == width) continue;
        bad++;
        if (row > first_row) continue;
        first_row = row;
        first_column = column;
    }
    if (bad == 0) return ADATOM_OK;
    return ad_fail(m->ctx, ADATOM_BAD_DATA,
                   "'%s': %zu of %zu rows hold numbers that are not finite as float32; the first is row %zu (counted "
                   "from 0), in column %zu",
                   m->from->name, bad, rows, first_row, first_column);
}

adatom_status ad_feature_rows_wrap(adatom_context *ctx, const ad_feature_rows *rows, adatom_dataset **out) {
    making m = {.ctx = ctx, .from = rows};
    float *values = NULL;
    adatom_status status = ad_feature_rows_check(ctx, rows->name, &rows->numbers);
    *out = NULL;
    AD_TRY(status);
    AD_TRY(check_labels(&m));
    AD_TRY(sort_rows(&m));
    AD_TRY(name_classes(&m));
    AD_TRY(check_names(&m));
    const size_t images = (size_t)rows->numbers.shape[0], width = (size_t)rows->numbers.shape[1];
    if (!(values = ad_malloc(ctx, images, width * sizeof *values))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(read_values(&m, values));
    ad_feature_set set = {.name = rows->name,
                          .classes = m.classes,
                          .names = (const char *const *)m.names,
                          .counts = m.counts,
                          .images = images,
                          .path = row_name,
                          .user = &m,
                          .values = values,
                          .width = width,
                          .hash = rows->hash,
                          .model_hash = rows->model_hash,
                          .origin = rows->origin};
    values = NULL;
    AD_TRY(ad_dataset_of_features(ctx, &set, out));
done:
    for (int c = 0; c < m.classes && m.names; c++) ad_free(m.names[c]);
    ad_free(m.names);
    ad_free(m.counts);
    ad_free(m.order);
    ad_free(values);
    return status;
}

adatom_status adatom_features_create(adatom_context *context, const adatom_feature_table *table, adatom_dataset **out) {
    adatom_feature_table t;
    const ad_call outer = ad_call_begin(context, NULL, NULL);
    *out = NULL;
    adatom_status status = AD_PARAMS(context, adatom_feature_table, table, &t);
    AD_TRY(status);
    if (!t.values || t.rows < 1 || t.rows > INT32_MAX || t.width < 1 || t.width > MOST_WIDTH)
        AD_TRY(ad_fail(context, ADATOM_USAGE,
                       "features of %zu pictures of %zu numbers: 1 to %d pictures of 1 to %d numbers are possible",
                       t.values ? t.rows : 0, t.width, INT32_MAX, MOST_WIDTH));
    if (t.classes && (t.class_count == 0 || !t.labels))
        AD_TRY(ad_fail(context, ADATOM_USAGE, "there are names of %zu classes and %s labels", t.class_count,
                       t.labels ? "some" : "no"));
    ad_feature_rows rows = {.name = t.name ? t.name : "features",
                            .numbers = {.type = AD_NUMBER_F32,
                                        .rank = 2,
                                        .shape = {(int64_t)t.rows, (int64_t)t.width},
                                        .elements = t.rows * t.width,
                                        .data = (const unsigned char *)t.values},
                            .labels = t.labels,
                            .classes = t.classes,
                            .class_count = t.classes ? t.class_count : 0,
                            .pictures = t.names};
    ad_file_tensor_pack(&rows.numbers);
    AD_TRY(ad_feature_rows_wrap(context, &rows, out));
done:
    return ad_call_end(context, &outer, status);
}
