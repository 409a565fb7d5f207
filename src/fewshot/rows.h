/* Rows of a table on the host (pictures or features) on a device, cut into chunks that respect the largest bindable
 * range: all that a run needs; or, where those don't fit, a part at a time (a block of batches, a group of tasks), with
 * room for two, so that the next one is on its way while the device computes on the present one. */
#ifndef AD_FEWSHOT_ROWS_H
#define AD_FEWSHOT_ROWS_H

#include "plan/engine.h"

#define AD_MAX_CHUNKS 40

typedef struct ad_rows {
    ad_engine *engine;
    const void *table; /* on the host */
    size_t row_bytes;
    int parts;     /* with room on the device: 1 or 2 */
    size_t part;   /* rows of a part at most */
    long there[2]; /* the number of the part in either room; -1: none */
    int chunk_count;
    int32_t chunks[AD_MAX_CHUNKS]; /* rows in each */
    ad_buffer *buffers[AD_MAX_CHUNKS];
} ad_rows;

/* The chunks, without memory; engine and row_bytes are set. FAILED if it needs more than AD_MAX_CHUNKS. */
adatom_status ad_rows_plan(ad_rows *rows, int parts, size_t part);
/* Memory for what was planned. */
adatom_status ad_rows_create(ad_rows *rows);
static inline size_t ad_rows_bytes(const ad_rows *rows) { return (size_t)rows->parts * rows->part * rows->row_bytes; }
/* On the device, the first row of a part. */
static inline size_t ad_rows_first(const ad_rows *rows, long number) {
    return (size_t)(number % rows->parts) * rows->part;
}
/* Begins to bring rows which[first .. first+count-1] of the table (which NULL: first .. first+count-1 themselves) to
 * the device as part `number`, unless it is there. What was there in its place must not be needed any more. */
adatom_status ad_rows_send(ad_rows *rows, long number, const int32_t *which, size_t first, size_t count);
/* Until all that was sent is there. */
adatom_status ad_rows_wait(ad_rows *rows);
/* All of which[count] to stay: plan, create, send, wait. */
adatom_status ad_rows_upload(ad_rows *rows, const int32_t *which, size_t count);
/* For whoever works through which[count] in order, a part (rows->part) after the other: those from `at` on are there,
 * the next ones on their way. index[rows->part] are their places on the device; past the end the last one is repeated.
 */
adatom_status ad_rows_next(ad_rows *rows, const int32_t *which, size_t count, size_t at, int32_t *index);
void ad_rows_clear(ad_rows *rows);
#endif
