/* Data sets: the public handle over one packed block. */
#include "io/dataset.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define BUILTIN "builtin:"
#define SHAPES "builtin:shapes"

struct adatom_dataset {
    char *name;
    ad_block block;
    char hash[17];
    int classes, size;
    size_t images;
    const char **class_names, **paths; /* in the block */
    size_t *first;                     /* [classes + 1] */
};

adatom_status ad_block_make(adatom_context *ctx, int size, int classes, const char *const *names, const size_t *counts, size_t images,
                            const char *(*path)(const void *user, size_t image), const void *user, ad_block *out) {
    size_t text_bytes = 0, pixel_bytes = 0;
    *out = (ad_block){0};
    for (int c = 0; c < classes; c++) text_bytes += strlen(names[c]) + 1;
    for (size_t i = 0; i < images; i++) text_bytes += strlen(path(user, i)) + 1;
    size_t text_at = sizeof(ad_block_header) + (size_t)classes * sizeof(uint64_t);
    out->pixels_at = (text_at + text_bytes + 63) / 64 * 64;
    if (__builtin_mul_overflow(images, (size_t)size * (size_t)size * 3, &pixel_bytes) ||
        __builtin_add_overflow(pixel_bytes, out->pixels_at, &out->size))
        return ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "%zu pictures of %d x %d do not fit into memory", images, size, size);
    /* The system promises more than it has, and ends the process when that is asked for. */
    const uint64_t available = ad_available_bytes();
    if (available && out->size > available) {
        char needed[32], left[32];
        ad_bytes_text(out->size, needed);
        ad_bytes_text(available, left);
        return ad_fail(ctx, ADATOM_OUT_OF_MEMORY,
                       "%zu pictures of %d x %d need %s of memory, %s are available; choose a smaller picture size or fewer pictures",
                       images, size, size, needed, left);
    }
    out->bytes = ad_malloc(ctx, out->size, 1);
    if (!out->bytes) return ADATOM_OUT_OF_MEMORY;
    ad_block_header header = {
        .version = AD_DATASET_VERSION, .size = (uint32_t)size, .images = images, .text_bytes = text_bytes, .classes = (uint64_t)classes};
    memcpy(header.magic, AD_DATASET_MAGIC, sizeof header.magic);
    memset(out->bytes, 0, out->pixels_at);
    memcpy(out->bytes, &header, sizeof header);
    char *at = out->bytes + sizeof header;
    for (int c = 0; c < classes; c++, at += sizeof(uint64_t)) memcpy(at, &(uint64_t){counts[c]}, sizeof(uint64_t));
    for (int c = 0; c < classes; c++) at = stpcpy(at, names[c]) + 1;
    for (size_t i = 0; i < images; i++) at = stpcpy(at, path(user, i)) + 1;
    return ADATOM_OK;
}

adatom_status ad_dataset_wrap(adatom_context *ctx, const char *name, ad_block *block, adatom_dataset **out) {
    const ad_block_header *header = (const ad_block_header *)(const void *)block->bytes;
    adatom_status status = ADATOM_OUT_OF_MEMORY;
    adatom_dataset *d = ad_calloc(ctx, 1, sizeof *d);
    if (!d) goto done;
    d->block = *block;
    *block = (ad_block){0};
    d->classes = (int)header->classes;
    d->size = (int)header->size;
    d->images = (size_t)header->images;
    d->name = ad_strdup(ctx, name);
    d->class_names = ad_malloc(ctx, (size_t)d->classes, sizeof *d->class_names);
    d->paths = ad_malloc(ctx, d->images, sizeof *d->paths);
    d->first = ad_calloc(ctx, (size_t)d->classes + 1, sizeof *d->first);
    if (!d->name || !d->class_names || !d->paths || !d->first) goto done;
    const uint64_t *counts = (const uint64_t *)(const void *)(header + 1);
    const char *text = (const char *)(counts + d->classes);
    /* Not over the paths: the same pictures give the same hash as a folder and as an archive. */
    uint64_t hash = ad_hash(d->block.bytes + d->block.pixels_at, d->block.size - d->block.pixels_at, header->size);
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

adatom_status ad_dataset_defaults(adatom_context *ctx, const char *spec, const adatom_dataset_params *params, adatom_dataset_params *out) {
    *out = params ? *params : (adatom_dataset_params){0};
    if (!spec || !*spec) return ad_fail(ctx, ADATOM_USAGE, "no data set was named");
    if (out->size == 0) out->size = 84;
    if (out->size < 1 || out->size > 4096)
        return ad_fail(ctx, ADATOM_USAGE, "pictures of %d x %d pixels: 1 to 4096 are possible", out->size, out->size);
    if (out->resize == 0) out->resize = out->size;
    if (out->resize < out->size || out->resize > 4096)
        return ad_fail(ctx, ADATOM_USAGE, "pictures cannot be scaled to %d before %d x %d are cropped from them", out->resize, out->size,
                       out->size);
    if (out->threads < 0) return ad_fail(ctx, ADATOM_USAGE, "%d threads", out->threads);
    if (out->threads == 0) out->threads = omp_get_num_procs();
    if (out->max_pixels == 0) out->max_pixels = (uint64_t)64 << 20;
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

adatom_status ad_dataset_source(adatom_context *ctx, const char *spec, const adatom_dataset_params *params, ad_source *source,
                                ad_csv *csv) {
    *source = (ad_source){0};
    *csv = (ad_csv){0};
    adatom_status status = ADATOM_OK;
    char *folder = NULL;
    struct stat info;
    size_t length = strlen(spec);
    bool is_csv = length > 4 && !strcasecmp(spec + length - 4, ".csv") && stat(spec, &info) == 0 && S_ISREG(info.st_mode);
    if (!is_csv) {
        if (params->csv) AD_TRY(read_csv(ctx, params->csv, csv));
        AD_TRY(ad_source_open(ctx, spec, source));
    } else {
        if (params->csv) AD_TRY(ad_fail(ctx, ADATOM_USAGE, "'%s' is a CSV list itself: '%s' can't be applied to it", spec, params->csv));
        AD_TRY(read_csv(ctx, spec, csv));
        const char *slash = strrchr(spec, '/');
        int parent = slash ? (int)(slash - spec) : 1;
        folder = ad_format(ctx, "%.*s/images", parent, slash ? spec : ".");
        if (!folder) AD_TRY(ADATOM_OUT_OF_MEMORY);
        if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode)) folder[strlen(folder) - strlen("images")] = 0;
        AD_TRY(ad_source_open(ctx, folder, source));
    }
done:
    ad_free(folder);
    return status;
}

static const char *selected_path(const void *user, size_t image) { return ((const ad_selection *)user)->pictures[image].path; }

static adatom_status open_pictures(adatom_context *ctx, const char *spec, const adatom_dataset_params *params, ad_block *block) {
    ad_source source = {0};
    ad_csv csv = {0};
    ad_selection selection = {0};
    ad_problems problems = {.ctx = ctx};
    adatom_status status = ADATOM_OK;
    AD_TRY(ad_dataset_source(ctx, spec, params, &source, &csv));
    if (source.empty && params->refuse_empty)
        AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "the folder '%s' in '%s' holds no pictures; fill or remove it", source.empty, spec));
    uint64_t key = ad_cache_key(&source, &csv, params);
    AD_TRY(ad_cache_load(ctx, params->cache_dir, key, block));
    if (block->bytes) goto done;
    AD_TRY(ad_source_scan(&source, AD_KEEP_BYTES));
    AD_TRY(ad_select(&source, params->split, csv.rows ? &csv : NULL, &problems, &selection));
    AD_TRY(ad_block_make(ctx, params->size, selection.classes, (const char *const *)selection.names, selection.counts, selection.count,
                         selected_path, &selection, block));
    AD_TRY(ad_load(&source, &selection, params, &problems, (uint8_t *)block->bytes + block->pixels_at, NULL));
    ad_cache_store(ctx, params->cache_dir, key, block);
done:
    ad_selection_free(&selection);
    ad_csv_free(&csv);
    ad_source_close(&source);
    return status;
}

static adatom_status open_builtin(adatom_context *ctx, const char *spec, const adatom_dataset_params *params, ad_block *block) {
    const char *slash = strchr(spec, '/'), *split = params->split;
    size_t length = slash ? (size_t)(slash - spec) : strlen(spec);
    if (length != strlen(SHAPES) || strncmp(spec, SHAPES, length))
        return ad_fail(ctx, ADATOM_BAD_DATA, "there is no data set '%s': the built-in one is " SHAPES, spec);
    if (slash && split && strcmp(slash + 1, split))
        return ad_fail(ctx, ADATOM_USAGE, "'%s' and the split '%s' contradict each other", spec, split);
    if (slash) split = slash + 1;
    uint64_t key = ad_shapes_key(split, params);
    adatom_status status = ad_cache_load(ctx, params->cache_dir, key, block);
    if (status != ADATOM_OK || block->bytes) return status;
    status = ad_shapes_open(ctx, split, params, block);
    if (status == ADATOM_OK) ad_cache_store(ctx, params->cache_dir, key, block);
    return status;
}

adatom_status adatom_dataset_open(adatom_context *context, const char *spec, const adatom_dataset_params *params, adatom_dataset **out) {
    adatom_dataset_params p;
    ad_block block = {0};
    *out = NULL;
    adatom_status status = ad_dataset_defaults(context, spec, params, &p);
    if (status == ADATOM_OK)
        status =
            strncmp(spec, BUILTIN, strlen(BUILTIN)) ? open_pictures(context, spec, &p, &block) : open_builtin(context, spec, &p, &block);
    if (status == ADATOM_OK) return ad_dataset_wrap(context, spec, &block, out);
    ad_free(block.bytes);
    return status;
}

void adatom_dataset_destroy(adatom_dataset **dataset) {
    if (!dataset || !*dataset) return;
    adatom_dataset *d = *dataset;
    ad_free(d->name);
    ad_free(d->block.bytes);
    ad_free(d->class_names);
    ad_free(d->paths);
    ad_free(d->first);
    ad_free(d);
    *dataset = NULL;
}

void adatom_dataset_describe(const adatom_dataset *dataset, adatom_dataset_info *out) {
    *out = (adatom_dataset_info){.name = dataset->name, .classes = dataset->classes, .size = dataset->size, .images = dataset->images};
    memcpy(out->hash, dataset->hash, sizeof out->hash);
}

adatom_status adatom_dataset_class(const adatom_dataset *dataset, int c, const char **name, size_t *first, size_t *count) {
    if (c < 0 || c >= dataset->classes) return ADATOM_USAGE;
    *name = dataset->class_names[c];
    *first = dataset->first[c];
    *count = dataset->first[c + 1] - dataset->first[c];
    return ADATOM_OK;
}

const uint8_t *adatom_dataset_pixels(const adatom_dataset *dataset, size_t image) {
    if (image >= dataset->images) return NULL;
    return (const uint8_t *)dataset->block.bytes + dataset->block.pixels_at + image * (size_t)dataset->size * (size_t)dataset->size * 3;
}

const char *adatom_dataset_path(const adatom_dataset *dataset, size_t image) {
    return image < dataset->images ? dataset->paths[image] : NULL;
}
