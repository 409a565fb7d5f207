/* The `filename,label` parser: any bytes give rows or a sentence. */
#include "io/dataset.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    adatom_context *ctx = NULL;
    ad_csv csv;
    if (adatom_context_create(NULL, &ctx) != ADATOM_OK) return 0;
    adatom_status status = ad_csv_parse(ctx, "fuzzed.csv", (const char *)bytes, size, &csv);
    if (status == ADATOM_OK) {
        size_t before = 0;
        for (size_t i = 0; i < csv.count; i++) {
            const ad_csv_row *row = &csv.rows[i];
            if (!*row->file || !*row->label || strlen(row->file) + strlen(row->label) > size || row->line <= before)
                abort();
            before = row->line;
        }
        if (csv.count == 0) abort();
        ad_csv_free(&csv);
    } else if (status != ADATOM_BAD_DATA || !*adatom_context_message(ctx) || csv.rows || csv.text) {
        abort();
    }
    adatom_context_destroy(&ctx);
    return 0;
}
