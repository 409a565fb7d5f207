/* Checkpoints of pretraining, as they are and with the checksum set right, so that what comes after it is reached. What
 * is accepted is a state that the run can have come to. */
#include "fewshot/formats/checkpoint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLOATS = 8, STEPS = 12, EPOCH = 4, BATCH = 2 };

static void accepted(const ad_checkpoint *c) {
    if (c->step < 0 || c->step > STEPS || c->seen < 0 || c->seen > EPOCH * BATCH || c->seen % BATCH) abort();
    if (c->step % EPOCH * BATCH != c->seen % (EPOCH * BATCH)) abort();
    for (long i = 0; i < ad_checkpoint_told(c); i++)
        if (!(c->epochs[i].accuracy >= 0 && c->epochs[i].accuracy <= 1) || !isfinite(c->epochs[i].loss)) abort();
    if (!(c->right >= 0 && c->right <= (double)c->seen) || !isfinite(c->loss) || !(c->seconds >= 0) || !(c->best <= 1))
        abort();
    for (int i = 0; i < 4; i++)
        for (size_t e = 0; e < c->counts[i]; e++)
            if (!isfinite(c->arrays[i][e])) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static float arrays[4][FLOATS];
    static ad_epoch epochs[STEPS / EPOCH];
    adatom_context *ctx = NULL;
    if (adatom_context_create(NULL, &ctx) != ADATOM_OK) return 0;
    for (int sealed = 0; sealed < 2; sealed++) {
        ad_checkpoint c = {
            .config = "0123456789abcdef", .steps = STEPS, .steps_per_epoch = EPOCH, .batch = BATCH, .epochs = epochs};
        for (int i = 0; i < 4; i++) {
            c.arrays[i] = arrays[i];
            c.counts[i] = i == AD_CHECKPOINT_SECOND ? 0 : FLOATS;
        }
        unsigned char *bytes = malloc(size + 1);
        if (!bytes) abort();
        memcpy(bytes, data, size);
        bytes[size] = 0;
        if (sealed) ad_checkpoint_seal(bytes, size);
        const adatom_status status = ad_checkpoint_parse(ctx, "fuzz.checkpoint", bytes, size, &c);
        if (status == ADATOM_OK) accepted(&c);
        if (status != ADATOM_OK && (status != ADATOM_BAD_DATA || !*adatom_context_message(ctx))) abort();
        free(bytes);
    }
    adatom_context_destroy(&ctx);
    return 0;
}
