/* Data sets of pictures in memory. */
#include "io/dataset.h"
#include "io/row_order.h"

#include <string.h>

static adatom_status check(adatom_context *ctx, const adatom_picture_table *t) {
    if (!t->pixels || !t->widths || !t->heights || t->rows < 1 || t->rows > INT32_MAX)
        return ad_fail(ctx, ADATOM_USAGE, "%zu pictures%s: 1 to %d with pixels, widths and heights are possible",
                       t->rows, t->pixels && t->widths && t->heights ? "" : " without pixels or sizes", INT32_MAX);
    if (t->classes && (t->class_count == 0 || !t->labels))
        return ad_fail(ctx, ADATOM_USAGE, "there are names of %zu classes and %s labels", t->class_count,
                       t->labels ? "some" : "no");
    for (size_t i = 0; i < t->rows; i++) {
        if (!t->pixels[i]) return ad_fail(ctx, ADATOM_USAGE, "row %zu (counted from 0) has no pixels", i);
        if (t->channels && (t->channels[i] < 1 || t->channels[i] > 4))
            return ad_fail(ctx, ADATOM_USAGE, "row %zu (counted from 0) has %d channels; 1 to 4 are possible", i,
                           t->channels[i]);
    }
    return ADATOM_OK;
}

/* Scales the pictures into the block, in its order. */
static adatom_status scale(adatom_context *ctx, const adatom_picture_table *t, const ad_row_order *order,
                           const adatom_dataset_params *p, uint8_t *pixels) {
    enum { BATCH = 256 };
    const size_t stride = (size_t)p->image_size * (size_t)p->image_size * 3;
    ad_image_params how = {
        .size = p->image_size, .resize = p->resize, .interpolation = p->interpolation, .max_pixels = p->max_pixels};
    ad_parse_background(p->background, how.background);
    for (size_t first = 0; first < t->rows; first += BATCH) {
        const size_t end = AD_MIN(first + BATCH, t->rows);
        ad_image_error errors[BATCH];
        const adatom_status status = ad_interrupted(ctx);
        if (status != ADATOM_OK) return status;
#pragma omp parallel for num_threads(p->threads) schedule(dynamic)
        for (size_t i = first; i < end; i++) {
            const size_t row = order->rows[i];
            const ad_image_pixels one = {t->pixels[row], t->widths[row], t->heights[row],
                                         t->channels ? t->channels[row] : 3};
            ad_image_take(&one, &how, pixels + i * stride, &errors[i - first]);
        }
        for (size_t i = first; i < end; i++)
            if (*errors[i - first].text)
                return ad_fail(ctx, errors[i - first].status, "'%s': the picture of row %zu (counted from 0) %s",
                               order->of->name, order->rows[i], errors[i - first].text);
        ad_report(ctx, ADATOM_PHASE_DECODING, end, t->rows);
    }
    return ADATOM_OK;
}

adatom_status adatom_dataset_create(adatom_context *context, const adatom_picture_table *table,
                                    const adatom_dataset_params *params, adatom_dataset **out) {
    adatom_dataset_params p;
    adatom_picture_table t;
    ad_row_order order = {0};
    ad_block block = {0};
    *out = NULL;
    adatom_status status = AD_PARAMS(context, adatom_dataset_params, params, &p);
    const ad_call outer = ad_call_begin(context, p.progress, p.user);
    AD_TRY(status);
    AD_TRY(AD_PARAMS(context, adatom_picture_table, table, &t));
    const char *name = t.name ? t.name : "pictures";
    AD_TRY(ad_dataset_defaults(context, name, &p));
    AD_TRY(check(context, &t));
    const ad_row_labels labels = {.name = name,
                                  .rows = t.rows,
                                  .labels = t.labels,
                                  .classes = t.classes,
                                  .class_count = t.classes ? t.class_count : 0,
                                  .pictures = t.names};
    AD_TRY(ad_row_order_make(context, &labels, &order));
    AD_TRY(ad_block_make(context, p.image_size, order.classes, (const char *const *)order.names, order.counts, t.rows,
                         ad_row_order_path, &order, &block));
    AD_TRY(scale(context, &t, &order, &p, (uint8_t *)block.bytes + block.pixels_at));
    AD_TRY(ad_dataset_wrap(context, name, &block, NULL, out));
    ad_dataset_note(*out, p.background, 0);
done:
    ad_row_order_clear(&order);
    ad_free(block.bytes);
    return ad_call_end(context, &outer, status);
}
