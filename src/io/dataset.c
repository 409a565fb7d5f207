/* The public data set: a handle over one packed block. */
#include "io/dataset.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BUILTIN "builtin:"
#define SHAPES "builtin:shapes"

struct adatom_dataset {
    adatom_context *ctx;
    char *name;
    ad_passed passed;
    ad_block block;
    char hash[17];
    int classes, size;
    size_t images;
    char background[7];
    size_t damaged;
    ad_listing *listing; /* the pictures are only listed; NULL: they are in the block, or are features */
    float *features;     /* [images][width] in place of pictures; NULL: pictures */
    size_t width;
    char model_hash[17];               /* of features */
    char *origin;                      /* of features, or NULL */
    const char **class_names, **paths; /* [classes], [images]: both point into the block */
    size_t *first;                     /* [classes + 1] */
};

adatom_status ad_block_make(adatom_context *ctx, int size, int classes, const char *const *names, const size_t *counts,
                            size_t images, const char *(*path)(const void *user, size_t image), const void *user,
                            ad_block *out) {
    size_t text_bytes = 0, pixel_bytes = 0;
    *out = (ad_block){0};
    for (int c = 0; c < classes; c++) text_bytes += strlen(names[c]) + 1;
    for (size_t i = 0; i < images; i++) text_bytes += ad_show_name(path(user, i), strlen(path(user, i)), NULL) + 1;
    size_t text_at = sizeof(ad_block_header) + (size_t)classes * sizeof(uint64_t);
    out->pixels_at = (text_at + text_bytes + 63) / 64 * 64;
    if (__builtin_mul_overflow(images, (size_t)size * (size_t)size * 3, &pixel_bytes) ||
        __builtin_add_overflow(pixel_bytes, out->pixels_at, &out->size))
        return ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "%zu pictures of %d x %d do not fit into memory", images, size, size);
    /* The memory is checked beforehand, since the system grants more than it has and ends the process when the memory
     * is used. */
    const uint64_t available = ad_available_bytes();
    if (available && out->size > available) {
        char needed[32], left[32];
        ad_bytes_text(out->size, needed);
        ad_bytes_text(available, left);
        return ad_fail(ctx, ADATOM_OUT_OF_MEMORY,
                       "%zu pictures of %d x %d need %s of memory, %s are available; choose a smaller picture size or "
                       "fewer pictures",
                       images, size, size, needed, left);
    }
    out->bytes = ad_malloc(ctx, out->size, 1);
    if (!out->bytes) return ADATOM_OUT_OF_MEMORY;
    ad_block_header header = {.version = AD_DATASET_VERSION,
                              .size = (uint32_t)size,
                              .images = images,
                              .text_bytes = text_bytes,
                              .classes = (uint64_t)classes};
    memcpy(header.magic, AD_DATASET_MAGIC, sizeof header.magic);
    memset(out->bytes, 0, out->pixels_at);
    memcpy(out->bytes, &header, sizeof header);
    char *at = out->bytes + sizeof header;
    for (int c = 0; c < classes; c++, at += sizeof(uint64_t)) memcpy(at, &(uint64_t){counts[c]}, sizeof(uint64_t));
    for (int c = 0; c < classes; c++) at = stpcpy(at, names[c]) + 1;
    for (size_t i = 0; i < images; i++) at += ad_show_name(path(user, i), strlen(path(user, i)), at) + 1;
    return ADATOM_OK;
}

static char *shown_copy(adatom_context *ctx, const char *name) {
    char *shown = ad_malloc(ctx, ad_show_name(name, strlen(name), NULL) + 1, 1);
    if (shown) ad_show_name(name, strlen(name), shown);
    return shown;
}

uint64_t ad_block_hash(ad_block *block) {
    ad_block_header *header = (ad_block_header *)(void *)block->bytes;
    const uint64_t found = block->is_hashed
                               ? header->pixels_hash
                               : ad_hash(block->bytes + block->pixels_at, block->size - block->pixels_at, header->size);
    if (!block->is_hashed) header->pixels_hash = found;
    block->is_hashed = true;
    return found;
}

adatom_status ad_dataset_wrap(adatom_context *ctx, const char *name, ad_block *block, ad_passed *passed,
                              adatom_dataset **out) {
    const ad_block_header *header = (const ad_block_header *)(const void *)block->bytes;
    adatom_status status = ADATOM_OUT_OF_MEMORY;
    adatom_dataset *d = ad_calloc(ctx, 1, sizeof *d);
    if (!d) goto done;
    /* The hash leaves the paths out: the same pictures give the same hash as a folder and as an archive. */
    uint64_t hash = ad_block_hash(block);
    d->ctx = ctx;
    d->block = *block;
    *block = (ad_block){0};
    d->classes = (int)header->classes;
    d->size = (int)header->size;
    d->images = (size_t)header->images;
    if (passed) {
        d->passed = *passed;
        *passed = (ad_passed){0};
    }
    d->name = shown_copy(ctx, name);
    for (size_t kind = 0; kind < AD_PASSED_KINDS; kind++) {
        char **example = &d->passed.example[kind];
        if (!*example || ad_is_utf8(*example, strlen(*example))) continue;
        char *shown = shown_copy(ctx, *example);
        if (!shown) goto done;
        ad_free(*example);
        *example = shown;
    }
    d->class_names = ad_malloc(ctx, (size_t)d->classes, sizeof *d->class_names);
    d->paths = ad_malloc(ctx, d->images, sizeof *d->paths);
    d->first = ad_calloc(ctx, (size_t)d->classes + 1, sizeof *d->first);
    if (!d->name || !d->class_names || !d->paths || !d->first) goto done;
    const uint64_t *counts = (const uint64_t *)(const void *)(header + 1);
    const char *text = (const char *)(counts + d->classes);
    for (int c = 0; c < d->classes; c++, text += strlen(text) + 1) {
        d->class_names[c] = text;
        d->first[c + 1] = d->first[c] + (size_t)counts[c];
        hash = ad_hash(text, strlen(text) + 1, ad_hash(&counts[c], sizeof counts[c], hash));
    }
    for (size_t i = 0; i < d->images; i++, text += strlen(text) + 1) d->paths[i] = text;
    ad_hash_hex(hash, d->hash);
    *out = d;
    d = NULL;
    status = ADATOM_OK;
done:
    adatom_dataset_destroy(&d);
    ad_free(block->bytes);
    *block = (ad_block){0};
    return status;
}

adatom_status ad_dataset_of_listing(adatom_context *ctx, const char *name, ad_block *block, ad_passed *passed,
                                    ad_listing *listing, int image_size, adatom_dataset **out) {
    const adatom_status status = ad_dataset_wrap(ctx, name, block, passed, out);
    if (status != ADATOM_OK) {
        ad_listing_destroy(listing);
        return status;
    }
    (*out)->listing = listing;
    (*out)->size = image_size;
    (*out)->hash[0] = 0;
    return ADATOM_OK;
}

adatom_context *ad_dataset_context(const adatom_dataset *dataset) { return dataset->ctx; }
ad_listing *ad_dataset_listing(const adatom_dataset *dataset) { return dataset->listing; }

adatom_status ad_dataset_note_origin(adatom_dataset *dataset, const char *origin) {
    ad_free(dataset->origin);
    dataset->origin = ad_strdup(dataset->ctx, origin);
    return dataset->origin ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
}

adatom_status ad_dataset_of_features(adatom_context *ctx, ad_feature_set *set, adatom_dataset **out) {
    ad_block block = {0};
    adatom_status status;
    *out = NULL;
    AD_TRY(ad_block_make(ctx, 0, set->classes, set->names, set->counts, set->images, set->path, set->user, &block));
    ad_block_header *header = (ad_block_header *)(void *)block.bytes;
    header->pixels_hash =
        set->pixels_hash ? set->pixels_hash
                         : ad_hash(set->values, set->images * set->width * sizeof *set->values, (uint64_t)set->width);
    block.is_hashed = true;
    AD_TRY(ad_dataset_wrap(ctx, set->name, &block, NULL, out));
    adatom_dataset *d = *out;
    d->features = set->values;
    d->width = set->width;
    set->values = NULL;
    if (set->hash) snprintf(d->hash, sizeof d->hash, "%s", set->hash);
    if (set->model_hash) snprintf(d->model_hash, sizeof d->model_hash, "%s", set->model_hash);
    if (set->origin) AD_TRY(ad_dataset_note_origin(d, set->origin));
done:
    ad_free(set->values);
    set->values = NULL;
    ad_free(block.bytes);
    if (status != ADATOM_OK) adatom_dataset_destroy(out);
    return status;
}

void ad_dataset_note(adatom_dataset *dataset, const char *background, size_t damaged) {
    uint8_t rgb[3] = {0};
    ad_parse_background(background, rgb);
    snprintf(dataset->background, sizeof dataset->background, "%02X%02X%02X", rgb[0], rgb[1], rgb[2]);
    dataset->damaged = damaged;
}

AD_CHOSEN(is_interpolation, ADATOM_INTERPOLATION_LIST)

adatom_status ad_dataset_defaults(adatom_context *ctx, const char *spec, adatom_dataset_params *out) {
    if (!spec || !*spec) return ad_fail(ctx, ADATOM_USAGE, "no data set was named");
    if (out->image_size == 0) out->image_size = 84;
    if (out->image_size < 1 || out->image_size > 4096)
        return ad_fail(ctx, ADATOM_USAGE, "pictures of %d x %d pixels: 1 to 4096 are possible", out->image_size,
                       out->image_size);
    if (out->resize == 0) out->resize = out->image_size;
    if (out->resize < out->image_size || out->resize > 4096)
        return ad_fail(ctx, ADATOM_USAGE, "pictures cannot be scaled to %d before %d x %d are cropped from them",
                       out->resize, out->image_size, out->image_size);
    if (!is_interpolation((int)out->interpolation))
        return ad_choice_refuse(ctx, "interpolation", (int)out->interpolation);
    if (out->interpolation == ADATOM_INTERPOLATION_DEFAULT) out->interpolation = ADATOM_INTERPOLATION_FAST_BILINEAR;
    if (out->threads < 0) return ad_fail(ctx, ADATOM_USAGE, "%d threads", out->threads);
    if (out->threads == 0) out->threads = omp_get_num_procs();
    if (out->max_pixels == 0) out->max_pixels = (uint64_t)64 << 20;
    if (out->decode_bytes == 0) {
        uint64_t quarter = ad_available_bytes() / 4, most = (uint64_t)768 << 20;
        out->decode_bytes = quarter > 0 ? AD_MIN(quarter, most) : most;
    }
    if (!ad_parse_background(out->background, (uint8_t[3]){0}))
        return ad_fail(ctx, ADATOM_USAGE,
                       "'%s' is no background: white, black, grey or six hexadecimal digits (RRGGBB) are",
                       out->background);
    if (out->cache_bytes == 0) out->cache_bytes = (uint64_t)16 << 30;
    if (out->builtin_per_class == 0) out->builtin_per_class = 60;
    if (out->builtin_per_class < 1 || out->builtin_per_class > 100000)
        return ad_fail(ctx, ADATOM_USAGE, "%d pictures a class: 1 to 100000 are possible", out->builtin_per_class);
    return ADATOM_OK;
}

static adatom_status read_csv(adatom_context *ctx, const char *path, ad_csv *out) {
    char *text = NULL;
    size_t size = 0;
    adatom_status status = ad_read_file(ctx, path, AD_CSV_MAX_BYTES, &text, &size);
    if (status == ADATOM_OK) status = ad_csv_parse(ctx, path, text, size, out);
    ad_free(text);
    return status;
}

/* Opens the folder that the list's rows are relative to: images/ beside the list, as for miniImageNet, or the list's
 * own folder, whichever lacks fewer of the pictures. */
static adatom_status open_beside_list(adatom_context *ctx, const char *list, const ad_csv *csv, ad_source *source) {
    adatom_status status = ADATOM_OK;
    ad_source beside = {0};
    struct stat info;
    const char *slash = strrchr(list, '/');
    const int parent = slash ? (int)AD_MAX(slash - list, 1) : 1;
    char *folder = ad_format(ctx, "%.*s", parent, slash ? list : ".");
    char *images = ad_format(ctx, "%.*s/images", parent, slash ? list : ".");
    size_t missing = 0, missing_beside = 0;
    if (!folder || !images) AD_TRY(ADATOM_OUT_OF_MEMORY);
    if (stat(images, &info) != 0 || !S_ISDIR(info.st_mode)) {
        status = ad_source_open(ctx, folder, source);
        goto done;
    }
    AD_TRY(ad_source_open(ctx, images, source));
    AD_TRY(ad_count_missing(source, csv, &missing));
    if (missing == 0) goto done;
    AD_TRY(ad_source_open(ctx, folder, &beside));
    AD_TRY(ad_count_missing(&beside, csv, &missing_beside));
    if (missing_beside < missing) {
        ad_source_close(source);
        *source = beside;
        beside = (ad_source){0};
    }
done:
    ad_source_close(&beside);
    ad_free(folder);
    ad_free(images);
    return status;
}

adatom_status ad_dataset_source(adatom_context *ctx, const char *spec, const adatom_dataset_params *params,
                                ad_source *source, ad_csv *csv) {
    *source = (ad_source){0};
    *csv = (ad_csv){0};
    adatom_status status = ADATOM_OK;
    struct stat info;
    size_t length = strlen(spec);
    bool is_csv = length > 4 && ad_same_letters(spec + length - 4, ".csv", SIZE_MAX) && stat(spec, &info) == 0 &&
                  S_ISREG(info.st_mode);
    if (!is_csv) {
        if (params->csv) AD_TRY(read_csv(ctx, params->csv, csv));
        AD_TRY(ad_source_open(ctx, spec, source));
    } else {
        if (params->csv)
            AD_TRY(ad_fail(ctx, ADATOM_USAGE, "'%s' is a CSV list itself: '%s' can't be applied to it", spec,
                           params->csv));
        AD_TRY(read_csv(ctx, spec, csv));
        AD_TRY(open_beside_list(ctx, spec, csv, source));
    }
done:
    return status;
}

static const char *selected_path(const void *user, size_t image) {
    return ((const ad_selection *)user)->pictures[image].path;
}

/* Reads and hashes the selected pictures whose content hash is not known yet. */
static adatom_status hash_contents(ad_source *source, const ad_selection *selection) {
    adatom_status status = ADATOM_OK;
    uint8_t *wanted = ad_calloc(source->ctx, source->count, 1);
    if (!wanted) return ADATOM_OUT_OF_MEMORY;
    for (size_t p = 0; p < selection->count; p++) wanted[selection->pictures[p].entry] = 1;
    for (size_t i = 0; i < source->count; i++) {
        char *bytes = NULL;
        size_t size = 0;
        if (!wanted[i] || source->entries[i].hash) continue;
        if (i % 64 == 0) AD_TRY(ad_interrupted(source->ctx));
        AD_TRY(ad_source_read(source, i, &bytes, &size));
        source->entries[i].hash = ad_hash(bytes, size, 0);
        ad_free(bytes);
    }
done:
    ad_free(wanted);
    return status;
}

/* Finds the block of these very pictures in the cache; block->bytes stays NULL where there is none. */
static adatom_status find_block(ad_source *source, const ad_selection *selection, const adatom_dataset_params *params,
                                uint64_t name, ad_block *block) {
    /* Where no block can match, the pictures are not read here, since decoding reads them anyway. */
    if (!ad_cache_has(source->ctx, params->cache_dir, name)) return ADATOM_OK;
    adatom_status status = hash_contents(source, selection);
    if (status == ADATOM_BAD_DATA) return ADATOM_OK; /* decoding then reports which picture cannot be read */
    if (status != ADATOM_OK) return status;
    const ad_cache_key key = {name, ad_cache_content(source, selection, name)};
    return ad_cache_load(source->ctx, params->cache_dir, key, block);
}

static adatom_status decode(ad_source *source, const ad_selection *selection, const adatom_dataset_params *params,
                            uint64_t name, ad_block *block, size_t *damaged) {
    ad_problems problems = {.ctx = source->ctx};
    adatom_status status = ADATOM_OK;
    uint64_t *hashes = params->cache_dir ? ad_calloc(source->ctx, selection->count, sizeof *hashes) : NULL;
    if (params->cache_dir && !hashes) return ADATOM_OUT_OF_MEMORY;
    AD_TRY(ad_block_make(source->ctx, params->image_size, selection->classes, (const char *const *)selection->names,
                         selection->counts, selection->count, selected_path, selection, block));
    AD_TRY(ad_load(source, selection, params, &problems, (uint8_t *)block->bytes + block->pixels_at, hashes));
    ad_warn_of_damaged(&problems);
    *damaged = problems.damaged_taken;
    if (!hashes || problems.damaged_taken > 0) goto done; /* not kept in the cache, so that the next run warns, too */
    /* These are hashes of the bytes that were decoded: a file may have changed since it was listed. */
    for (size_t p = 0; p < selection->count; p++) source->entries[selection->pictures[p].entry].hash = hashes[p];
    const ad_cache_key key = {name, ad_cache_content(source, selection, name)};
    ad_cache_store(source->ctx, params->cache_dir, key, params->cache_bytes, block);
done:
    ad_free(hashes);
    return status;
}

static adatom_status open_pictures(adatom_context *ctx, const char *spec, const adatom_dataset_params *params,
                                   ad_block *block, ad_passed *passed, size_t *damaged) {
    ad_source source = {0};
    ad_csv csv = {0};
    ad_selection selection = {0};
    ad_problems problems = {.ctx = ctx, .refuse_splits = params->refuse_splits};
    adatom_status status = ADATOM_OK;
    AD_TRY(ad_dataset_source(ctx, spec, params, &source, &csv));
    if (params->cache_dir) AD_TRY(ad_seen_load(&source, params->cache_dir));
    AD_TRY(ad_source_scan(&source, AD_KEEP_BYTES));
    if (source.passed.count[AD_PASSED_EMPTY] && params->refuse_empty)
        AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "the folder '%s' in '%s' holds no pictures; fill or remove it",
                       source.passed.example[AD_PASSED_EMPTY], spec));
    AD_TRY(ad_select(&source, params->split, csv.rows ? &csv : NULL, &problems, &selection));
    const uint64_t name = ad_cache_name(&selection, params);
    if (params->cache_dir) AD_TRY(find_block(&source, &selection, params, name, block));
    if (!block->bytes) AD_TRY(decode(&source, &selection, params, name, block, damaged));
    if (params->cache_dir) ad_seen_store(&source, params->cache_dir);
    *passed = source.passed;
    source.passed = (ad_passed){0};
done:
    ad_selection_free(&selection);
    ad_csv_free(&csv);
    ad_source_close(&source);
    return status;
}

bool ad_dataset_is_builtin(const char *spec) { return strncmp(spec, BUILTIN, strlen(BUILTIN)) == 0; }

adatom_status ad_dataset_builtin(adatom_context *ctx, const char *spec, const adatom_dataset_params *params,
                                 const char **split) {
    const char *slash = strchr(spec, '/');
    size_t length = slash ? (size_t)(slash - spec) : strlen(spec);
    *split = params->split;
    if (length != strlen(SHAPES) || strncmp(spec, SHAPES, length))
        return ad_fail(ctx, ADATOM_BAD_DATA, "there is no data set '%s': the built-in one is " SHAPES, spec);
    if (slash && *split && strcmp(slash + 1, *split))
        return ad_fail(ctx, ADATOM_USAGE, "'%s' and the split '%s' contradict each other", spec, *split);
    if (slash) *split = slash + 1;
    return ADATOM_OK;
}

static adatom_status open_builtin(adatom_context *ctx, const char *spec, const adatom_dataset_params *params,
                                  ad_block *block) {
    const char *split = NULL;
    adatom_status status = ad_dataset_builtin(ctx, spec, params, &split);
    if (status != ADATOM_OK) return status;
    const ad_cache_key key = {ad_hash(SHAPES, strlen(SHAPES), 0), ad_shapes_key(split, params)};
    status = ad_cache_load(ctx, params->cache_dir, key, block);
    if (status != ADATOM_OK || block->bytes) return status;
    status = ad_shapes_open(ctx, split, params, block);
    if (status == ADATOM_OK) ad_cache_store(ctx, params->cache_dir, key, params->cache_bytes, block);
    return status;
}

adatom_status adatom_dataset_open(adatom_context *context, const char *spec, const adatom_dataset_params *params,
                                  adatom_dataset **out) {
    adatom_dataset_params p;
    ad_block block = {0};
    ad_passed passed = {0};
    *out = NULL;
    adatom_status status = AD_PARAMS(context, adatom_dataset_params, params, &p);
    const ad_call outer = ad_call_begin(context, p.progress, p.user);
    if (status == ADATOM_OK) status = ad_dataset_defaults(context, spec, &p);
    size_t damaged = 0;
    if (status == ADATOM_OK && p.cache_dir && !ad_cache_folder(context, p.cache_dir)) p.cache_dir = NULL;
    if (status == ADATOM_OK)
        status = ad_dataset_is_builtin(spec) ? open_builtin(context, spec, &p, &block)
                                             : open_pictures(context, spec, &p, &block, &passed, &damaged);
    if (status == ADATOM_OK) status = ad_dataset_wrap(context, spec, &block, &passed, out);
    if (status == ADATOM_OK) ad_dataset_note(*out, p.background, damaged);
    ad_free(block.bytes);
    ad_passed_free(&passed);
    return ad_call_end(context, &outer, status);
}

void adatom_dataset_destroy(adatom_dataset **dataset) {
    if (!dataset || !*dataset) return;
    adatom_dataset *d = *dataset;
    ad_listing_destroy(d->listing);
    ad_free(d->features);
    ad_free(d->origin);
    ad_free(d->name);
    ad_passed_free(&d->passed);
    ad_free(d->block.bytes);
    ad_free(d->class_names);
    ad_free(d->paths);
    ad_free(d->first);
    ad_free(d);
    *dataset = NULL;
}

adatom_status adatom_dataset_describe(const adatom_dataset *dataset, adatom_dataset_info *out) {
    adatom_dataset_info info = {.name = dataset->name,
                                .classes = dataset->classes,
                                .image_size = dataset->size,
                                .images = dataset->images,
                                .damaged = dataset->damaged,
                                .origin = dataset->origin,
                                .features = (int)dataset->width,
                                .listed = dataset->listing != NULL};
    memcpy(info.model_hash, dataset->model_hash, sizeof info.model_hash);
    memcpy(info.background, dataset->background, sizeof info.background);
    memcpy(info.hash, dataset->hash, sizeof info.hash);
    for (size_t kind = 0; kind < AD_PASSED_KINDS; kind++) {
        info.passed_kinds += dataset->passed.count[kind] > 0;
        info.passed_over += dataset->passed.count[kind];
    }
    return AD_INFO(dataset->ctx, adatom_dataset_info, &info, out);
}

adatom_status adatom_dataset_passed_over(const adatom_dataset *dataset, int k, const char **what, size_t *count,
                                         const char **example) {
    const ad_passed *p = &dataset->passed;
    for (size_t kind = 0; kind < AD_PASSED_KINDS && k >= 0; kind++) {
        if (p->count[kind] == 0 || k-- > 0) continue;
        *what = ad_passed_text((ad_passed_kind)kind, p->count[kind]);
        *count = p->count[kind];
        *example = p->example[kind];
        return ADATOM_OK;
    }
    return ad_fail(dataset->ctx, ADATOM_USAGE, "there is no such kind of what was passed over in '%s'", dataset->name);
}

adatom_status adatom_dataset_class(const adatom_dataset *dataset, int c, const char **name, size_t *first,
                                   size_t *count) {
    if (c < 0 || c >= dataset->classes)
        return ad_fail(dataset->ctx, ADATOM_USAGE, "there is no class %d in '%s', which has %d", c, dataset->name,
                       dataset->classes);
    *name = dataset->class_names[c];
    *first = dataset->first[c];
    *count = dataset->first[c + 1] - dataset->first[c];
    return ADATOM_OK;
}

const uint8_t *adatom_dataset_pixels(const adatom_dataset *dataset, size_t image) {
    if (image >= dataset->images || dataset->features || dataset->listing) return NULL;
    return (const uint8_t *)dataset->block.bytes + dataset->block.pixels_at +
           image * (size_t)dataset->size * (size_t)dataset->size * 3;
}

const float *adatom_dataset_features(const adatom_dataset *dataset, size_t image) {
    return image < dataset->images && dataset->features ? dataset->features + image * dataset->width : NULL;
}

const char *adatom_dataset_path(const adatom_dataset *dataset, size_t image) {
    return image < dataset->images ? dataset->paths[image] : NULL;
}
