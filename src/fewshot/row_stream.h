/* The rows of a table on the host (pictures, or features) that a run needs on the device, cut into chunks that respect
 * the device's largest bindable range. Either all of them stay there, or they pass through in parts (a block of
 * batches, a group of tasks): there is room for two parts, so that the next one is on its way while the device computes
 * on the present one. */
#ifndef AD_FEWSHOT_ROW_STREAM_H
#define AD_FEWSHOT_ROW_STREAM_H

#include "plan/engine.h"

#define AD_MAX_CHUNKS 40

typedef struct ad_row_stream {
    ad_engine *engine;
    const void *table; /* on the host; the device's rows are sent from here */
    size_t row_bytes;
    int parts;     /* with room on the device: 1 (all rows stay) or 2 (they pass through) */
    size_t part;   /* rows of a part at most */
    long there[2]; /* the number of the part in either room; -1: none */
    int chunk_count;
    int32_t chunks[AD_MAX_CHUNKS]; /* rows in each */
    ad_buffer *buffers[AD_MAX_CHUNKS];
} ad_row_stream;

/* Lays out the chunks for that many parts; memory is taken by ad_row_stream_create. False (and no layout) where the
 * device's limits would need more than AD_MAX_CHUNKS of them. */
bool ad_row_stream_lay_out(ad_row_stream *rows, int parts, size_t part);
/* The failure to report where ad_row_stream_lay_out said false and nothing else can be done. */
adatom_status ad_row_stream_too_large(const ad_row_stream *rows, size_t count);
/* Takes the memory that was laid out, unless it is there already. */
adatom_status ad_row_stream_create(ad_row_stream *rows);
static inline size_t ad_row_stream_bytes(const ad_row_stream *rows) {
    return (size_t)rows->parts * rows->part * rows->row_bytes;
}
/* Where on the device a part begins. */
static inline size_t ad_row_stream_first(const ad_row_stream *rows, long number) {
    return (size_t)(number % rows->parts) * rows->part;
}
/* Begins to bring rows which[first .. first+count-1] of the table (which NULL: first .. first+count-1 themselves) to
 * the device as part `number`, unless it is there. Nobody may need what was there in its place any more. */
adatom_status ad_row_stream_send(ad_row_stream *rows, long number, const int32_t *which, size_t first, size_t count);
/* Waits until all that was sent is there. */
adatom_status ad_row_stream_wait(ad_row_stream *rows);
/* Rows 0 .. count-1 of the table, to stay: lays out, creates, sends and waits. */
adatom_status ad_row_stream_upload(ad_row_stream *rows, size_t count);
/* The table holds other rows from now on. */
static inline void ad_row_stream_forget(ad_row_stream *rows) { rows->there[0] = rows->there[1] = -1; }
/* For whoever works through which[count] in order, a part (rows->part) after the other: waits until the rows from `at`
 * on are there and begins to send those after them. index[rows->part] are their places on the device; past the end the
 * last one is repeated. */
adatom_status ad_row_stream_next(ad_row_stream *rows, const int32_t *which, size_t count, size_t at, int32_t *index);
void ad_row_stream_clear(ad_row_stream *rows);
#endif
