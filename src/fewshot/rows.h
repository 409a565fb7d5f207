/* A table of equal rows (pictures or features) on a device, cut into chunks that respect the largest bindable range. */
#ifndef AD_FEWSHOT_ROWS_H
#define AD_FEWSHOT_ROWS_H

#include "nn/engine.h"

#define AD_MAX_CHUNKS 40

typedef struct ad_rows {
    ad_engine *engine;
    size_t row_bytes, rows;
    int chunk_count;
    int32_t chunks[AD_MAX_CHUNKS]; /* rows in each */
    ad_buffer *buffers[AD_MAX_CHUNKS];
} ad_rows;

/* The chunks of such a table, without memory. FAILED if it needs more than AD_MAX_CHUNKS. */
adatom_status ad_rows_plan(ad_engine *engine, size_t rows, size_t row_bytes, ad_rows *out);
adatom_status ad_rows_create(ad_engine *engine, size_t rows, size_t row_bytes, ad_rows *out);
adatom_status ad_rows_write(ad_rows *rows, size_t first, size_t count, const void *data);
adatom_status ad_rows_read(ad_rows *rows, size_t first, size_t count, void *data);
void ad_rows_clear(ad_rows *rows);
#endif
