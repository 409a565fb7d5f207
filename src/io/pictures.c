/* Opens pictures without classes from several places (files, folders and archives) as one data set. */
#include "io/dataset.h"

#include <string.h>

static const char *picture_path(const void *user, size_t image) { return ((const ad_places *)user)->paths[image]; }

static void tell(adatom_context *ctx, ad_unreadable *u, const char *picture, const char *sentence) {
    char shown[3 * AD_MESSAGE_BYTES + 1], *name = ad_malloc(ctx, 3 * strlen(picture) + 1, 1);
    if (name) ad_show_name(picture, strlen(picture), name);
    ad_show_name(sentence, AD_MIN(strlen(sentence), AD_MESSAGE_BYTES), shown);
    u->params->unreadable(u->params->user, name ? name : "?", shown);
    ad_free(name);
    u->count++;
}

/* Opens the first place: a run of single pictures, or one folder or archive. *taken: how many of the paths it has. */
static adatom_status open_place(adatom_context *ctx, const char *const *paths, size_t count, ad_place *out,
                                size_t *taken) {
    adatom_status status = ADATOM_OK;
    for (*taken = 0; *taken < count && ad_source_is_picture(paths[*taken]);) ++*taken;
    if (*taken) {
        AD_TRY(ad_source_files(ctx, paths, *taken, &out->source));
    } else {
        *taken = 1;
        AD_TRY(ad_source_open(ctx, paths[0], &out->source));
        AD_TRY(ad_source_scan(&out->source, AD_KEEP_BYTES));
    }
    AD_TRY(ad_select_all(&out->source, &out->selection));
done:
    return status;
}

adatom_status ad_places_name(adatom_context *ctx, ad_places *places) {
    places->pictures = 0;
    for (size_t k = 0; k < places->count; k++) places->pictures += places->items[k].selection.count;
    if (!(places->paths = ad_calloc(ctx, places->pictures, sizeof *places->paths))) return ADATOM_OUT_OF_MEMORY;
    for (size_t k = 0, i = 0; k < places->count; k++)
        for (size_t p = 0; p < places->items[k].selection.count; p++, i++) {
            const char *root = places->items[k].source.root;
            places->paths[i] =
                ad_format(ctx, "%s%s%s", root, *root ? "/" : "", places->items[k].selection.pictures[p].path);
            if (!places->paths[i]) return ADATOM_OUT_OF_MEMORY;
        }
    return ADATOM_OK;
}

adatom_status ad_places_open(adatom_context *ctx, const char *const *paths, size_t count, ad_unreadable *unreadable,
                             ad_places *out) {
    adatom_status status = ADATOM_OK;
    *out = (ad_places){0};
    if (!(out->items = ad_calloc(ctx, count, sizeof *out->items))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (size_t at = 0, taken; at < count; at += taken) {
        ad_place *here = &out->items[out->count++];
        status = open_place(ctx, paths + at, count - at, here, &taken);
        if (status == ADATOM_BAD_DATA && unreadable->params->unreadable) {
            tell(ctx, unreadable, paths[at], adatom_context_message(ctx));
            ad_selection_free(&here->selection);
            ad_source_close(&here->source);
            out->count--;
            status = ADATOM_OK;
        }
        AD_TRY(status);
    }
    AD_TRY(ad_places_name(ctx, out));
    if (out->pictures == 0) AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "none of the pictures can be read"));
done:
    return status;
}

void ad_places_close(ad_places *places) {
    for (size_t k = 0; k < places->count; k++) {
        ad_selection_free(&places->items[k].selection);
        ad_source_close(&places->items[k].source);
    }
    for (size_t i = 0; places->paths && i < places->pictures; i++) ad_free(places->paths[i]);
    ad_free(places->paths);
    ad_free(places->items);
    *places = (ad_places){0};
}

/* The problems of ad_load(), by picture. */
typedef struct sentences {
    const ad_problems *problems;
    char **of; /* [picture of the selection] its sentence; NULL: it can be read */
    bool failed;
} sentences;

static void keep_sentence(void *user, const char *sentence) {
    sentences *s = user;
    char **kept = &s->of[s->problems->picture];
    if (!*kept) *kept = ad_strdup(s->problems->ctx, sentence);
    s->failed = s->failed || !*kept;
}

adatom_status ad_place_load(ad_source *source, const ad_selection *selection, char *const *paths,
                            ad_unreadable *unreadable, ad_problems *problems, uint8_t *pixels, uint8_t *bad) {
    adatom_context *ctx = source->ctx;
    sentences told = {.problems = problems, .of = ad_calloc(ctx, selection->count, sizeof *told.of)};
    if (!told.of) return ADATOM_OUT_OF_MEMORY;
    problems->ctx = ctx;
    problems->go_on = unreadable->params->unreadable != NULL;
    problems->report = keep_sentence;
    problems->user = &told;
    adatom_status status = ad_load(source, selection, unreadable->params, problems, pixels, NULL);
    if (status == ADATOM_OK && told.failed) status = ADATOM_OUT_OF_MEMORY;
    for (size_t p = 0; p < selection->count; p++) {
        if (!told.of[p]) continue;
        bad[p] = 1;
        if (status == ADATOM_OK) tell(ctx, unreadable, paths[p], told.of[p]);
        ad_free(told.of[p]);
    }
    ad_free(told.of);
    return status;
}

/* Replaces the block by one without the pictures that are marked in bad. */
static adatom_status keep_good(adatom_context *ctx, ad_places *n, const uint8_t *bad, int size, ad_block *block) {
    static const char *const name = "";
    const size_t stride = (size_t)size * (size_t)size * 3;
    const uint8_t *pixels = (const uint8_t *)block->bytes + block->pixels_at;
    ad_block good = {0};
    size_t kept = 0;
    for (size_t i = 0; i < n->pictures; i++) {
        if (bad[i]) continue;
        char *path = n->paths[kept];
        n->paths[kept++] = n->paths[i];
        n->paths[i] = path;
    }
    adatom_status status = ad_block_make(ctx, size, 1, &name, &kept, kept, picture_path, n, &good);
    if (status != ADATOM_OK) return status;
    for (size_t i = 0, to = 0; i < n->pictures; i++)
        if (!bad[i]) memcpy(good.bytes + good.pixels_at + stride * to++, pixels + stride * i, stride);
    ad_free(block->bytes);
    *block = good;
    return ADATOM_OK;
}

adatom_status adatom_dataset_open_pictures(adatom_context *context, const char *const *paths, size_t count,
                                           const adatom_dataset_params *params, adatom_dataset **out) {
    static const char *const name = "";
    adatom_dataset_params p;
    ad_unreadable unreadable = {.params = &p};
    ad_block block = {0};
    ad_places n = {0};
    uint8_t *bad = NULL;
    size_t damaged = 0;
    adatom_status status;
    *out = NULL;
    status = AD_PARAMS(context, adatom_dataset_params, params, &p);
    const ad_call outer = ad_call_begin(context, p.progress, p.user);
    AD_TRY(status);
    if (count == 0) AD_TRY(ad_fail(context, ADATOM_USAGE, "no pictures were named"));
    AD_TRY(ad_dataset_defaults(context, "pictures", &p));
    AD_TRY(ad_places_open(context, paths, count, &unreadable, &n));
    if (!(bad = ad_calloc(context, n.pictures, 1))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(ad_block_make(context, p.image_size, 1, &name, &n.pictures, n.pictures, picture_path, &n, &block));
    const size_t before = unreadable.count;
    for (size_t k = 0, at = 0; k < n.count; k++) {
        ad_problems problems = {0};
        uint8_t *pixels =
            (uint8_t *)block.bytes + block.pixels_at + at * (size_t)p.image_size * (size_t)p.image_size * 3;
        status = ad_place_load(&n.items[k].source, &n.items[k].selection, n.paths + at, &unreadable, &problems, pixels,
                               bad + at);
        ad_warn_of_damaged(&problems);
        AD_TRY(status);
        damaged += problems.damaged_taken;
        at += n.items[k].selection.count;
    }
    if (unreadable.count - before == n.pictures)
        AD_TRY(ad_fail(context, ADATOM_BAD_DATA, "none of the pictures can be read"));
    if (unreadable.count > before) AD_TRY(keep_good(context, &n, bad, p.image_size, &block));
    AD_TRY(ad_dataset_wrap(context, "pictures", &block, NULL, out));
    ad_dataset_note(*out, p.background, damaged);
done:
    ad_places_close(&n);
    ad_free(block.bytes);
    ad_free(bad);
    return ad_call_end(context, &outer, status);
}
