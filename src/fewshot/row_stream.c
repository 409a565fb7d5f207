#include "fewshot/row_stream.h"

bool ad_row_stream_lay_out(ad_row_stream *rows, int parts, size_t part) {
    const size_t count = (size_t)parts * part;
    ad_limits limits;
    ad_row_stream_clear(rows);
    rows->engine->api->limits(rows->engine, &limits);
    size_t most = AD_MIN(limits.tensor_bytes, limits.arena_bytes) / rows->row_bytes;
    most = AD_MIN(most, (size_t)INT32_MAX / rows->row_bytes); /* shaders index with 32 bits */
    if (most == 0 || (count + most - 1) / most > AD_MAX_CHUNKS) return false;
    rows->parts = parts;
    rows->part = part;
    rows->there[0] = rows->there[1] = -1;
    for (size_t at = 0; at < count; at += most) rows->chunks[rows->chunk_count++] = (int32_t)AD_MIN(most, count - at);
    return true;
}

adatom_status ad_row_stream_too_large(const ad_row_stream *rows, size_t count) {
    return ad_fail(rows->engine->ctx, ADATOM_FAILED, "%zu rows of %zu bytes do not fit this device's buffers", count,
                   rows->row_bytes);
}

adatom_status ad_row_stream_create(ad_row_stream *rows) {
    adatom_status status = ADATOM_OK;
    for (int k = 0; k < rows->chunk_count; k++)
        if (!rows->buffers[k])
            AD_TRY(rows->engine->api->buffer_create(rows->engine, (size_t)rows->chunks[k] * rows->row_bytes,
                                                    &rows->buffers[k]));
done:
    if (status != ADATOM_OK) ad_row_stream_clear(rows);
    return status;
}

/* Sends neighbours in the table that are neighbours on the device too, chunk by chunk. */
static adatom_status send_neighbours(ad_row_stream *rows, size_t to, size_t from, size_t count) {
    adatom_status status = ADATOM_OK;
    for (int k = 0; k < rows->chunk_count && count && status == ADATOM_OK; k++) {
        const size_t here = (size_t)rows->chunks[k];
        if (to >= here) {
            to -= here;
            continue;
        }
        const size_t n = AD_MIN(count, here - to);
        status =
            rows->engine->api->buffer_send(rows->engine, rows->buffers[k], to * rows->row_bytes,
                                           (const char *)rows->table + from * rows->row_bytes, n * rows->row_bytes);
        from += n;
        count -= n;
        to = 0;
    }
    return status;
}

adatom_status ad_row_stream_send(ad_row_stream *rows, long number, const int32_t *which, size_t first, size_t count) {
    const size_t to = ad_row_stream_first(rows, number);
    adatom_status status = ADATOM_OK;
    if (rows->there[number % rows->parts] == number) return ADATOM_OK;
    if (which) which += first;
    for (size_t i = 0, run; i < count && status == ADATOM_OK; i += run) {
        run = which ? 1 : count;
        while (which && i + run < count && which[i + run] == which[i] + (int32_t)run) run++;
        status = send_neighbours(rows, to + i, which ? (size_t)which[i] : first, run);
    }
    rows->there[number % rows->parts] = status == ADATOM_OK ? number : -1;
    return status;
}

adatom_status ad_row_stream_wait(ad_row_stream *rows) { return rows->engine->api->buffer_wait(rows->engine); }

adatom_status ad_row_stream_upload(ad_row_stream *rows, size_t count) {
    adatom_status status;
    if (!ad_row_stream_lay_out(rows, 1, count)) return ad_row_stream_too_large(rows, count);
    AD_TRY(ad_row_stream_create(rows));
    AD_TRY(ad_row_stream_send(rows, 0, NULL, 0, count));
    AD_TRY(ad_row_stream_wait(rows));
done:
    if (status != ADATOM_OK) ad_row_stream_clear(rows);
    return status;
}

adatom_status ad_row_stream_next(ad_row_stream *rows, const int32_t *which, size_t count, size_t at, int32_t *index) {
    const long number = (long)(at / rows->part);
    const size_t n = AD_MIN(rows->part, count - at), next = at + n;
    adatom_status status;
    AD_TRY(ad_row_stream_send(rows, number, which, at, n));
    AD_TRY(ad_row_stream_wait(rows));
    if (next < count) AD_TRY(ad_row_stream_send(rows, number + 1, which, next, AD_MIN(rows->part, count - next)));
    for (size_t i = 0; i < rows->part; i++) index[i] = (int32_t)(ad_row_stream_first(rows, number) + AD_MIN(i, n - 1));
done:
    return status;
}

void ad_row_stream_clear(ad_row_stream *rows) {
    if (rows->chunk_count && rows->buffers[0])
        ad_row_stream_wait(rows); /* what is on its way must not arrive where no memory is */
    for (int k = 0; k < rows->chunk_count; k++)
        if (rows->buffers[k]) rows->engine->api->buffer_destroy(rows->engine, &rows->buffers[k]);
    rows->chunk_count = 0;
}
