/* Opens pictures without classes from several places (files, folders and archives) as one data set. */
#include "io/dataset.h"

#include <string.h>

typedef struct place {
    ad_source source;
    ad_selection selection;
} place;

typedef struct names {
    place *places;
    size_t count;
    char **paths; /* [pictures] the full path of each */
    size_t pictures;
} names;

static const char *picture_path(const void *user, size_t image) { return ((const names *)user)->paths[image]; }

/* Pictures that cannot be read. They are told one by one if the caller wants that; else the first one fails. */
typedef struct failures {
    const adatom_dataset_params *params;
    size_t count, damaged; /* count: not readable; damaged: damaged, but taken */
} failures;

static void tell(adatom_context *ctx, failures *f, const char *picture, const char *sentence) {
    char shown[3 * AD_MESSAGE_BYTES + 1], *name = ad_malloc(ctx, 3 * strlen(picture) + 1, 1);
    if (name) ad_show_name(picture, strlen(picture), name);
    ad_show_name(sentence, AD_MIN(strlen(sentence), AD_MESSAGE_BYTES), shown);
    f->params->unreadable(f->params->user, name ? name : "?", shown);
    ad_free(name);
    f->count++;
}

/* Opens the first place: a run of single pictures, or one folder or archive. *taken: how many of the paths it has. */
static adatom_status open_place(adatom_context *ctx, const char *const *paths, size_t count, place *out,
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

static adatom_status name_pictures(adatom_context *ctx, names *n) {
    for (size_t k = 0; k < n->count; k++) n->pictures += n->places[k].selection.count;
    if (!(n->paths = ad_calloc(ctx, n->pictures, sizeof *n->paths))) return ADATOM_OUT_OF_MEMORY;
    for (size_t k = 0, i = 0; k < n->count; k++)
        for (size_t p = 0; p < n->places[k].selection.count; p++, i++) {
            const char *root = n->places[k].source.root;
            n->paths[i] = ad_format(ctx, "%s%s%s", root, *root ? "/" : "", n->places[k].selection.pictures[p].path);
            if (!n->paths[i]) return ADATOM_OUT_OF_MEMORY;
        }
    return ADATOM_OK;
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

/* Decodes the pictures of a place. Those that cannot be decoded are told and marked in bad. */
static adatom_status load_place(adatom_context *ctx, place *at, char *const *paths, failures *f, uint8_t *pixels,
                                uint8_t *bad) {
    ad_problems problems = {.ctx = ctx, .go_on = f->params->unreadable != NULL, .report = keep_sentence};
    sentences told = {.problems = &problems, .of = ad_calloc(ctx, at->selection.count, sizeof *told.of)};
    if (!told.of) return ADATOM_OUT_OF_MEMORY;
    problems.user = &told;
    adatom_status status = ad_load(&at->source, &at->selection, f->params, &problems, pixels, NULL);
    if (status == ADATOM_OK && told.failed) status = ADATOM_OUT_OF_MEMORY;
    ad_warn_of_damaged(&problems);
    f->damaged += problems.damaged_taken;
    for (size_t p = 0; p < at->selection.count; p++) {
        if (!told.of[p]) continue;
        bad[p] = 1;
        if (status == ADATOM_OK) tell(ctx, f, paths[p], told.of[p]);
        ad_free(told.of[p]);
    }
    ad_free(told.of);
    return status;
}

/* Replaces the block by one without the pictures that are marked in bad. */
static adatom_status keep_good(adatom_context *ctx, names *n, const uint8_t *bad, int size, ad_block *block) {
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
    failures f = {.params = &p};
    ad_block block = {0};
    names n = {0};
    uint8_t *bad = NULL;
    adatom_status status;
    *out = NULL;
    status = AD_PARAMS(context, adatom_dataset_params, params, &p);
    const ad_call outer = ad_call_begin(context, p.progress, p.user);
    AD_TRY(status);
    if (count == 0) AD_TRY(ad_fail(context, ADATOM_USAGE, "no pictures were named"));
    AD_TRY(ad_dataset_defaults(context, "pictures", &p));
    if (!(n.places = ad_calloc(context, count, sizeof *n.places))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (size_t at = 0, taken; at < count; at += taken) {
        place *here = &n.places[n.count++];
        status = open_place(context, paths + at, count - at, here, &taken);
        if (status == ADATOM_BAD_DATA && p.unreadable) {
            tell(context, &f, paths[at], adatom_context_message(context));
            ad_selection_free(&here->selection);
            ad_source_close(&here->source);
            n.count--;
            status = ADATOM_OK;
        }
        AD_TRY(status);
    }
    AD_TRY(name_pictures(context, &n));
    if (n.pictures == 0) AD_TRY(ad_fail(context, ADATOM_BAD_DATA, "none of the pictures can be read"));
    if (!(bad = ad_calloc(context, n.pictures, 1))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(ad_block_make(context, p.image_size, 1, &name, &n.pictures, n.pictures, picture_path, &n, &block));
    const size_t before = f.count;
    for (size_t k = 0, at = 0; k < n.count; k++) {
        uint8_t *pixels =
            (uint8_t *)block.bytes + block.pixels_at + at * (size_t)p.image_size * (size_t)p.image_size * 3;
        AD_TRY(load_place(context, &n.places[k], n.paths + at, &f, pixels, bad + at));
        at += n.places[k].selection.count;
    }
    if (f.count - before == n.pictures) AD_TRY(ad_fail(context, ADATOM_BAD_DATA, "none of the pictures can be read"));
    if (f.count > before) AD_TRY(keep_good(context, &n, bad, p.image_size, &block));
    AD_TRY(ad_dataset_wrap(context, "pictures", &block, NULL, out));
    ad_dataset_note(*out, p.background, f.damaged);
done:
    for (size_t k = 0; k < n.count; k++) {
        ad_selection_free(&n.places[k].selection);
        ad_source_close(&n.places[k].source);
    }
    for (size_t i = 0; n.paths && i < n.pictures; i++) ad_free(n.paths[i]);
    ad_free(n.paths);
    ad_free(n.places);
    ad_free(block.bytes);
    ad_free(bad);
    return ad_call_end(context, &outer, status);
}
