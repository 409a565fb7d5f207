#include "fewshot/feature_cache.h"
#include "fewshot/method.h"

#include <string.h>

struct ad_feature_cache {
    uint64_t model;
    char dataset[17];
    bool mirror;
    size_t images, width;
    int views;     /* for which there is room */
    uint64_t seed; /* of the views */
    float *values; /* [(1 + views)*images][width], by ad_view_number */
    bool *present; /* [(1 + views)*images] */
};

static void destroy_cache(ad_feature_cache *cache) {
    if (!cache) return;
    ad_free(cache->values);
    ad_free(cache->present);
    ad_free(cache);
}

/* The device's cache if it is for this model and data, else an empty one put in its place. NULL: out of memory. */
static ad_feature_cache *find_cache(adatom_device *device, const adatom_model *model, const adatom_dataset_info *info,
                                    bool mirror) {
    ad_feature_cache *cache = device->feature_cache;
    const bool same = cache && cache->model == model->hash && cache->mirror == mirror;
    if (same && strcmp(cache->dataset, info->hash) == 0) return cache;
    destroy_cache(cache);
    device->feature_cache = NULL;
    cache = ad_calloc(device->ctx, 1, sizeof *cache);
    if (!cache) return NULL;
    cache->model = model->hash;
    memcpy(cache->dataset, info->hash, sizeof cache->dataset);
    cache->mirror = mirror;
    cache->images = info->images;
    cache->width = (size_t)model->net.features;
    cache->values = ad_malloc(device->ctx, cache->images, cache->width * sizeof(float));
    cache->present = ad_calloc(device->ctx, cache->images, sizeof(bool));
    if (!cache->values || !cache->present) {
        destroy_cache(cache);
        return NULL;
    }
    device->feature_cache = cache;
    device->destroy_feature_cache = destroy_cache;
    return cache;
}

/* Room for so many views of this seed. */
static adatom_status make_views(adatom_context *ctx, ad_feature_cache *cache, int views, uint64_t seed) {
    const size_t there = (size_t)(1 + cache->views) * cache->images, wanted = (size_t)(1 + views) * cache->images;
    if (cache->views && cache->seed != seed)
        memset(cache->present + cache->images, 0, (there - cache->images) * sizeof *cache->present);
    cache->seed = seed;
    if (views <= cache->views) return ADATOM_OK;
    if (wanted > INT32_MAX)
        return ad_fail(ctx, ADATOM_USAGE, "%d views of %zu pictures are too many", views, cache->images);
    float *values = ad_realloc(ctx, cache->values, there, wanted, cache->width * sizeof *values);
    if (!values) return ADATOM_OUT_OF_MEMORY;
    cache->values = values;
    bool *present = ad_realloc(ctx, cache->present, there, wanted, sizeof *present);
    if (!present) return ADATOM_OUT_OF_MEMORY;
    memset(present + there, 0, (wanted - there) * sizeof *present);
    cache->present = present;
    cache->views = views;
    return ADATOM_OK;
}

/* Where computed features go. */
typedef struct missing_features {
    ad_feature_cache *cache;
    const int32_t *images;
    size_t before; /* numbers of the views before this one */
} missing_features;

static void keep_features(void *user, size_t first, size_t n, const float *features, size_t stride) {
    const missing_features *m = user;
    (void)stride;
    for (size_t i = 0; i < n; i++) {
        const size_t number = m->before + (size_t)m->images[first + i], width = m->cache->width;
        memcpy(m->cache->values + number * width, features + i * width, width * sizeof *features);
        m->cache->present[number] = true;
    }
}

adatom_status ad_feature_cache_table(const ad_session *session, const adatom_dataset *dataset,
                                     const ad_cached_wanted *wanted, const float **table) {
    adatom_device *device = session->device;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(dataset, &info);
    adatom_status status = ADATOM_OK;
    if (info.features) { /* they are there already */
        *table = adatom_dataset_features(dataset, 0);
        return ADATOM_OK;
    }
    ad_feature_cache *cache = find_cache(device, session->model, &info, wanted->mirror);
    int32_t *missing = ad_malloc(device->ctx, wanted->count, sizeof *missing);
    if (!cache || !missing) AD_TRY(ADATOM_OUT_OF_MEMORY);
    if (wanted->views) AD_TRY(make_views(device->ctx, cache, wanted->views, wanted->seed));
    for (int view = 0; view <= wanted->views; view++) {
        const size_t before = (size_t)view * info.images;
        size_t count = 0;
        for (size_t i = 0; i < wanted->count; i++) {
            const size_t number = wanted->numbers ? (size_t)wanted->numbers[i] : i;
            if (number >= before && number < before + info.images && !cache->present[number])
                missing[count++] = (int32_t)(number - before);
        }
        if (!count) continue;
        const ad_features_wanted features = {.device = device,
                                             .model = session->model,
                                             .pixels = adatom_dataset_pixels(dataset, 0),
                                             .size = info.image_size,
                                             .images = missing,
                                             .count = count,
                                             .view = view,
                                             .all = info.images,
                                             .seed = wanted->seed,
                                             .mirror = wanted->mirror,
                                             .memory_bytes = wanted->memory_bytes};
        AD_TRY(ad_features_compute(&features, keep_features, &(missing_features){cache, missing, before}));
    }
    *table = cache->values;
done:
    ad_free(missing);
    return status;
}
