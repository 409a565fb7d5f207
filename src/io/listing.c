/* Data sets whose pictures are listed first and decoded while their features are computed, so that any number of them
 * takes little memory. */
#include "io/dataset.h"

#include <string.h>

struct ad_listing {
    adatom_context *ctx;
    adatom_dataset_params p; /* of its texts only the background is kept */
    char *background;
    bool drawn; /* the pictures are those of `shapes`; else of the places */
    ad_shapes shapes;
    ad_places places;
    ad_unreadable unreadable;
    ad_problems problems; /* what was taken though damaged, since the first picture was read */
};

void ad_listing_destroy(ad_listing *listing) {
    if (!listing) return;
    ad_places_close(&listing->places);
    ad_free(listing->background);
    ad_free(listing);
}

size_t ad_listing_damaged(const ad_listing *listing) {
    ad_warn_of_damaged(&listing->problems);
    return listing->problems.damaged_taken;
}

adatom_status ad_listing_read(ad_listing *l, size_t first, size_t count, uint8_t *pixels, uint8_t *bad) {
    const size_t stride = (size_t)l->p.image_size * (size_t)l->p.image_size * 3;
    adatom_status status = ADATOM_OK;
    memset(bad, 0, count);
    if (first == 0) l->problems.damaged_taken = 0;
    if (l->drawn) {
        AD_TRY(ad_interrupted(l->ctx));
        ad_shapes_draw(&l->shapes, first, count, l->p.image_size, l->p.threads, pixels);
        return ADATOM_OK;
    }
    for (size_t k = 0, at = 0; k < l->places.count && at < first + count; k++) {
        ad_place *place = &l->places.items[k];
        const size_t here = place->selection.count, begin = AD_MAX(at, first), end = AD_MIN(at + here, first + count);
        if (begin < end) {
            const ad_selection part = {.pictures = place->selection.pictures + (begin - at), .count = end - begin};
            AD_TRY(ad_place_load(&place->source, &part, l->places.paths + begin, &l->unreadable, &l->problems,
                                 pixels + (begin - first) * stride, bad + (begin - first)));
        }
        at += here;
    }
done:
    return status;
}

static const char *place_path(const void *user, size_t image) { return ((const ad_places *)user)->paths[image]; }
static const char *selected_path(const void *user, size_t image) {
    return ((const ad_selection *)user)->pictures[image].path;
}

/* A block of names without pixels, of pictures without classes. */
static adatom_status name_places(ad_listing *l, ad_block *block) {
    static const char *const name = "";
    return ad_block_make(l->ctx, 0, 1, &name, &l->places.pictures, l->places.pictures, place_path, &l->places, block);
}

/* A data set as adatom_dataset_open() takes it; or pictures without classes that lie in one folder or archive. */
static adatom_status list_set(ad_listing *l, const char *spec, ad_block *block, ad_passed *passed) {
    ad_csv csv = {0};
    ad_problems problems = {.ctx = l->ctx};
    adatom_status status;
    if (!(l->places.items = ad_calloc(l->ctx, 1, sizeof *l->places.items))) return ADATOM_OUT_OF_MEMORY;
    l->places.count = 1;
    ad_place *place = l->places.items;
    AD_TRY(ad_dataset_source(l->ctx, spec, &l->p, &place->source, &csv));
    AD_TRY(ad_source_scan(&place->source, AD_KEEP_BYTES));
    AD_TRY(ad_select_bare(&place->source, l->p.split, csv.rows ? &csv : NULL, &problems, &place->selection));
    AD_TRY(ad_places_name(l->ctx, &l->places));
    const ad_selection *s = &place->selection;
    if (s->classes == 0)
        AD_TRY(name_places(l, block));
    else
        AD_TRY(ad_block_make(l->ctx, 0, s->classes, (const char *const *)s->names, s->counts, s->count, selected_path,
                             s, block));
    if (s->classes > 0) l->p.unreadable = NULL; /* a data set is whole */
    *passed = place->source.passed;
    place->source.passed = (ad_passed){0};
done:
    for (size_t i = 0; i < place->selection.count; i++) place->selection.pictures[i].label = NULL; /* the list's */
    ad_csv_free(&csv);
    return status;
}

static adatom_status list_shapes(ad_listing *l, const char *spec, ad_block *block) {
    const char *split = NULL;
    adatom_status status = ad_dataset_builtin(l->ctx, spec, &l->p, &split);
    l->drawn = true;
    return status == ADATOM_OK ? ad_shapes_list(l->ctx, split, &l->p, block, &l->shapes) : status;
}

adatom_status adatom_dataset_list(adatom_context *context, const char *const *paths, size_t count, bool classes,
                                  const adatom_dataset_params *params, adatom_dataset **out) {
    adatom_dataset_params p;
    ad_listing *l = NULL;
    ad_block block = {0};
    ad_passed passed = {0};
    *out = NULL;
    adatom_status status = AD_PARAMS(context, adatom_dataset_params, params, &p);
    const ad_call outer = ad_call_begin(context, p.progress, p.user);
    AD_TRY(status);
    if (count == 0) AD_TRY(ad_fail(context, ADATOM_USAGE, "no pictures were named"));
    AD_TRY(ad_dataset_defaults(context, paths[0], &p));
    const bool alone = count == 1 && classes, builtin = alone && ad_dataset_is_builtin(paths[0]);
    const bool set = alone && !builtin && !ad_source_is_picture(paths[0]);
    if ((p.split || p.csv) && !set && !builtin)
        AD_TRY(ad_fail(context, ADATOM_USAGE,
                       "a split or list chooses from one data set with classes, not from single pictures"));
    if (!(l = ad_calloc(context, 1, sizeof *l))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    l->ctx = context;
    l->p = p;
    l->unreadable.params = &l->p;
    if (p.background && !(l->background = ad_strdup(context, p.background))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    l->p.background = l->background;
    if (builtin) {
        AD_TRY(list_shapes(l, paths[0], &block));
    } else if (set) {
        AD_TRY(list_set(l, paths[0], &block, &passed));
    } else {
        AD_TRY(ad_places_open(context, paths, count, &l->unreadable, &l->places));
        AD_TRY(name_places(l, &block));
    }
    l->p.split = l->p.csv = l->p.cache_dir = NULL;
    ad_listing *made = l;
    l = NULL;
    AD_TRY(
        ad_dataset_of_listing(context, count == 1 ? paths[0] : "pictures", &block, &passed, made, p.image_size, out));
    ad_dataset_note(*out, p.background, 0);
done:
    ad_listing_destroy(l);
    ad_free(block.bytes);
    ad_passed_free(&passed);
    return ad_call_end(context, &outer, status);
}
