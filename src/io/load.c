/* Reads the selected pictures and decodes them in parallel. The result does not depend on the number of threads. */
#include "io/dataset.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

enum { BATCH_PICTURES = 512 };
#define BATCH_BYTES ((size_t)64 << 20)

typedef struct item {
    size_t picture; /* index in the selection */
    char *bytes;
    size_t size;
    ad_image_error error;
} item;

typedef struct batch {
    item items[BATCH_PICTURES];
    int count;
    size_t bytes;
} batch;

adatom_status ad_problem(ad_problems *problems, const char *format, ...) {
    char text[AD_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    ad_vprint(text, sizeof text, format, args);
    va_end(args);
    problems->count++;
    if (!problems->go_on) return ad_fail(problems->ctx, ADATOM_BAD_DATA, "%s", text);
    if (!problems->report) return ADATOM_OK;
    /* The report gets UTF-8: a path in the sentence may be in any encoding, or cut within a character. */
    char shown[3 * AD_MESSAGE_BYTES + 1];
    ad_show_name(text, strlen(text), shown);
    problems->report(problems->user, shown);
    return ADATOM_OK;
}

void ad_warn_of_damaged(const ad_problems *problems) {
    if (problems->damaged_taken == 0) return;
    ad_log(problems->ctx, ADATOM_LOG_WARNING, "%zu picture%s truncated or damaged and taken as far as %s: %s",
           problems->damaged_taken, problems->damaged_taken == 1 ? " is" : "s are",
           problems->damaged_taken == 1 ? "it goes" : "they go, for example", problems->damaged_example);
}

static void empty_batch(batch *b) {
    for (int i = 0; i < b->count; i++) ad_free(b->items[i].bytes);
    b->count = 0;
    b->bytes = 0;
}

static adatom_status decode_batch(batch *b, const ad_source *source, const ad_selection *selection,
                                  const adatom_dataset_params *params, const ad_image_params *picture,
                                  ad_problems *problems, uint8_t *pixels, uint8_t *scratch, uint64_t *hashes) {
    size_t stride = (size_t)params->image_size * (size_t)params->image_size * 3;
    adatom_status status = ADATOM_OK;
    ad_budget_set_aside(picture->budget, b->bytes);
#pragma omp parallel for num_threads(params->threads) schedule(dynamic)
    for (int i = 0; i < b->count; i++) {
        item *it = &b->items[i];
        uint8_t *out = pixels ? pixels + it->picture * stride : scratch + (size_t)omp_get_thread_num() * stride;
        ad_image_decode(it->bytes, it->size, picture, out, &it->error);
        if (hashes) hashes[it->picture] = ad_hash(it->bytes, it->size, 0);
    }
    for (int i = 0; i < b->count; i++) {
        const item *it = &b->items[i];
        if (!*it->error.text) continue;
        const char *path = selection->pictures[it->picture].path, *in = *source->root ? "' in '" : "";
        if (it->error.status == ADATOM_OK) {
            if (problems->damaged_taken++ == 0)
                snprintf(problems->damaged_example, sizeof problems->damaged_example, "'%s%s%s' %s", path, in,
                         source->root, it->error.text);
            continue;
        }
        if (it->error.status != ADATOM_BAD_DATA)
            AD_TRY(ad_fail(source->ctx, it->error.status, "'%s%s%s' %s", path, in, source->root, it->error.text));
        problems->picture = it->picture;
        AD_TRY(ad_problem(problems, "'%s%s%s' %s", path, in, source->root, it->error.text));
    }
done:
    empty_batch(b);
    return status;
}

adatom_status ad_load(ad_source *source, const ad_selection *selection, const adatom_dataset_params *params,
                      ad_problems *problems, uint8_t *pixels, uint64_t *hashes) {
    adatom_context *ctx = source->ctx;
    adatom_status status = ADATOM_OK;
    size_t done_count = 0, stride = (size_t)params->image_size * (size_t)params->image_size * 3;
    uint8_t *scratch = NULL;
    /* slots: the selected picture of each entry, so that pictures are read in the order of the source. */
    size_t *slots = ad_malloc(ctx, source->count, sizeof *slots);
    batch *b = ad_calloc(ctx, 1, sizeof *b);
    ad_image_params picture = {.size = params->image_size,
                               .resize = params->resize,
                               .max_pixels = params->max_pixels,
                               .allow_truncated = params->allow_truncated};
    if (!slots || !b) AD_TRY(ADATOM_OUT_OF_MEMORY);
    ad_parse_background(params->background, picture.background);
    AD_TRY(ad_budget_make(ctx, params->decode_bytes, &picture.budget));
    if (!pixels && !(scratch = ad_malloc(ctx, (size_t)params->threads, stride))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (size_t i = 0; i < source->count; i++) slots[i] = SIZE_MAX;
    for (size_t p = 0; p < selection->count; p++) slots[selection->pictures[p].entry] = p;
    for (size_t i = 0; i < source->count; i++) {
        if (slots[i] == SIZE_MAX) continue;
        item *it = &b->items[b->count];
        *it = (item){.picture = slots[i]};
        status = ad_source_read(source, i, &it->bytes, &it->size);
        if (status == ADATOM_BAD_DATA && !source->is_archive) {
            problems->picture = slots[i];
            status = ad_problem(problems, "%s", ctx->message);
        }
        if (status != ADATOM_OK) goto done;
        if (it->bytes) b->count++;
        b->bytes += it->size;
        done_count++;
        if (b->count < BATCH_PICTURES && b->bytes < BATCH_BYTES && done_count < selection->count) continue;
        AD_TRY(ad_interrupted(ctx));
        AD_TRY(decode_batch(b, source, selection, params, &picture, problems, pixels, scratch, hashes));
        ad_report(ctx, ADATOM_PHASE_DECODING, done_count, selection->count);
    }
done:
    if (b) empty_batch(b);
    ad_budget_destroy(picture.budget);
    ad_free(b);
    ad_free(slots);
    ad_free(scratch);
    return status;
}
