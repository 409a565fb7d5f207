/* Pictures without classes from several places: files, folders and archives, as one data set. */
#include "io/dataset.h"

#include <string.h>

typedef struct place {
    ad_source source;
    ad_selection selection;
} place;

typedef struct names {
    place *places;
    size_t count;
    char **paths; /* of every picture */
    size_t pictures;
} names;

static const char *picture_path(const void *user, size_t image) { return ((const names *)user)->paths[image]; }

/* A run of single pictures, or one folder or archive; *taken tells how many of the paths it is. */
static adatom_status open_place(adatom_context *ctx, const char *const *paths, size_t count, place *out, size_t *taken) {
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

adatom_status adatom_dataset_open_pictures(adatom_context *context, const char *const *paths, size_t count,
                                           const adatom_dataset_params *params, adatom_dataset **out) {
    static const char *const name = "";
    adatom_dataset_params p;
    ad_problems problems = {.ctx = context};
    ad_block block = {0};
    names n = {0};
    adatom_status status;
    *out = NULL;
    if (count == 0) return ad_fail(context, ADATOM_USAGE, "no pictures were named");
    AD_TRY(ad_dataset_defaults(context, "pictures", params, &p));
    if (!(n.places = ad_calloc(context, count, sizeof *n.places))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (size_t at = 0, taken; at < count; at += taken) AD_TRY(open_place(context, paths + at, count - at, &n.places[n.count++], &taken));
    AD_TRY(name_pictures(context, &n));
    AD_TRY(ad_block_make(context, p.size, 1, &name, &n.pictures, n.pictures, picture_path, &n, &block));
    uint8_t *pixels = (uint8_t *)block.bytes + block.pixels_at;
    for (size_t k = 0; k < n.count; k++) {
        AD_TRY(ad_load(&n.places[k].source, &n.places[k].selection, &p, &problems, pixels, NULL));
        pixels += n.places[k].selection.count * (size_t)p.size * (size_t)p.size * 3;
    }
    ad_warn_of_damaged(&problems);
    AD_TRY(ad_dataset_wrap(context, "pictures", &block, out));
    ad_dataset_note(*out, p.background, problems.damaged_taken);
done:
    for (size_t k = 0; k < n.count; k++) {
        ad_selection_free(&n.places[k].selection);
        ad_source_close(&n.places[k].source);
    }
    for (size_t i = 0; n.paths && i < n.pictures; i++) ad_free(n.paths[i]);
    ad_free(n.paths);
    ad_free(n.places);
    ad_free(block.bytes);
    return status;
}
