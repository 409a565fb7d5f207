#include "io/feature_rows.h"

#include "io/dataset.h"

#include <math.h>
#include <stdio.h>
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

/* Rows with a number that is not finite are counted and refused. */
static adatom_status read_values(adatom_context *ctx, const ad_feature_rows *from, const ad_row_order *order,
                                 float *values) {
    const ad_file_tensor *t = &from->numbers;
    const size_t rows = (size_t)t->shape[0], width = (size_t)t->shape[1];
    size_t bad = 0, first_row = SIZE_MAX, first_column = 0;
    for (size_t i = 0; i < rows; i++) {
        const size_t row = order->rows[i];
        float *to = values + i * width;
        size_t column = 0;
        ad_file_tensor_floats(t, row * width, width, to);
        while (column < width && isfinite(to[column])) column++;
        if (i % LOOK_EVERY == LOOK_EVERY - 1 && ad_interrupted(ctx) != ADATOM_OK) return ADATOM_INTERRUPTED;
        if (column == width) continue;
        bad++;
        if (row > first_row) continue;
        first_row = row;
        first_column = column;
    }
    if (bad == 0) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_BAD_DATA,
                   "'%s': %zu of %zu rows hold numbers that are not finite as float32; the first is row %zu (counted "
                   "from 0), in column %zu",
                   from->by.name, bad, rows, first_row, first_column);
}

adatom_status ad_feature_rows_wrap(adatom_context *ctx, ad_feature_rows *rows, adatom_dataset **out) {
    ad_row_order order = {0};
    float *values = NULL;
    adatom_status status = ad_feature_rows_check(ctx, rows->by.name, &rows->numbers);
    *out = NULL;
    AD_TRY(status);
    const size_t images = rows->by.rows = (size_t)rows->numbers.shape[0], width = (size_t)rows->numbers.shape[1];
    AD_TRY(ad_row_order_make(ctx, &rows->by, &order));
    if (!(values = ad_malloc(ctx, images, width * sizeof *values))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(read_values(ctx, rows, &order, values));
    ad_feature_set set = {.name = rows->by.name,
                          .classes = order.classes,
                          .names = (const char *const *)order.names,
                          .counts = order.counts,
                          .images = images,
                          .path = ad_row_order_path,
                          .user = &order,
                          .values = values,
                          .width = width,
                          .hash = rows->hash,
                          .model_hash = rows->model_hash,
                          .origin = rows->origin};
    values = NULL;
    AD_TRY(ad_dataset_of_features(ctx, &set, out));
done:
    ad_row_order_clear(&order);
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
    ad_feature_rows rows = {.by = {.name = t.name ? t.name : "features",
                                   .labels = t.labels,
                                   .classes = t.classes,
                                   .class_count = t.classes ? t.class_count : 0,
                                   .pictures = t.names},
                            .numbers = {.type = AD_NUMBER_F32,
                                        .rank = 2,
                                        .shape = {(int64_t)t.rows, (int64_t)t.width},
                                        .elements = t.rows * t.width,
                                        .data = (const unsigned char *)t.values}};
    ad_file_tensor_pack(&rows.numbers);
    AD_TRY(ad_feature_rows_wrap(context, &rows, out));
done:
    return ad_call_end(context, &outer, status);
}
