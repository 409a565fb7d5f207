#include "fewshot/rows.h"

adatom_status ad_rows_plan(ad_engine *engine, size_t rows, size_t row_bytes, ad_rows *out) {
    *out = (ad_rows){.engine = engine, .row_bytes = row_bytes, .rows = rows};
    ad_limits limits;
    engine->api->limits(engine, &limits);
    size_t most = AD_MIN(limits.tensor_bytes, limits.arena_bytes) / row_bytes;
    most = AD_MIN(most, (size_t)INT32_MAX / row_bytes); /* shaders index with 32 bits */
    if (most == 0 || (rows + most - 1) / most > AD_MAX_CHUNKS)
        return ad_fail(engine->ctx, ADATOM_FAILED, "%zu rows of %zu bytes do not fit this device's buffers", rows, row_bytes);
    for (size_t at = 0; at < rows; at += most) out->chunks[out->chunk_count++] = (int32_t)AD_MIN(most, rows - at);
    return ADATOM_OK;
}

adatom_status ad_rows_create(ad_engine *engine, size_t rows, size_t row_bytes, ad_rows *out) {
    adatom_status status;
    AD_TRY(ad_rows_plan(engine, rows, row_bytes, out));
    for (int k = 0; k < out->chunk_count; k++)
        AD_TRY(engine->api->buffer_create(engine, (size_t)out->chunks[k] * row_bytes, &out->buffers[k]));
done:
    if (status != ADATOM_OK) ad_rows_clear(out);
    return status;
}

/* Rows first .. first+count-1 to or from the device, piece by piece. */
static adatom_status move(ad_rows *rows, size_t first, size_t count, const char *from, char *to) {
    const ad_engine_api *api = rows->engine->api;
    adatom_status status = ADATOM_OK;
    for (int k = 0; k < rows->chunk_count && count && status == ADATOM_OK; k++) {
        const size_t here = (size_t)rows->chunks[k];
        if (first >= here) {
            first -= here;
            continue;
        }
        const size_t n = AD_MIN(count, here - first), at = first * rows->row_bytes, bytes = n * rows->row_bytes;
        if (from)
            status = api->buffer_write(rows->engine, rows->buffers[k], at, from, bytes), from += bytes;
        else
            status = api->buffer_read(rows->engine, rows->buffers[k], at, to, bytes), to += bytes;
        count -= n;
        first = 0;
    }
    return status;
}

adatom_status ad_rows_write(ad_rows *rows, size_t first, size_t count, const void *data) { return move(rows, first, count, data, NULL); }
adatom_status ad_rows_read(ad_rows *rows, size_t first, size_t count, void *data) { return move(rows, first, count, NULL, data); }

void ad_rows_clear(ad_rows *rows) {
    for (int k = 0; k < rows->chunk_count; k++)
        if (rows->buffers[k]) rows->engine->api->buffer_destroy(rows->engine, &rows->buffers[k]);
    rows->chunk_count = 0;
}
