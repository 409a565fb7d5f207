#include "fewshot/feature_cache.h"

#include <string.h>

struct ad_feature_cache {
    uint64_t model;
    char dataset[17];
    size_t images, width;
    float *values; /* [images][width] */
    bool *present; /* [images] */
};

static void destroy_cache(ad_feature_cache *cache) {
    if (!cache) return;
    ad_free(cache->values);
    ad_free(cache->present);
    ad_free(cache);
}

/* The device's cache if it is for this model and data, else an empty one put in its place. NULL: out of memory. */
static ad_feature_cache *find_cache(adatom_device *device, const adatom_model *model, const adatom_dataset_info *info) {
    ad_feature_cache *cache = device->feature_cache;
    if (cache && cache->model == model->hash && strcmp(cache->dataset, info->hash) == 0) return cache;
    destroy_cache(cache);
    device->feature_cache = NULL;
    cache = ad_calloc(device->ctx, 1, sizeof *cache);
    if (!cache) return NULL;
    cache->model = model->hash;
    memcpy(cache->dataset, info->hash, sizeof cache->dataset);
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

/* Where computed features go. */
typedef struct missing_features {
    ad_feature_cache *cache;
    const int32_t *images;
} missing_features;

static void keep_features(void *user, size_t first, size_t n, const float *features, size_t stride) {
    const missing_features *m = user;
    (void)stride;
    for (size_t i = 0; i < n; i++) {
        const size_t image = (size_t)m->images[first + i], width = m->cache->width;
        memcpy(m->cache->values + image * width, features + i * width, width * sizeof *features);
        m->cache->present[image] = true;
    }
}

adatom_status ad_feature_cache_table(const ad_session *session, const adatom_dataset *dataset, const int32_t *images,
                                     size_t count, size_t memory_bytes, const float **table) {
    adatom_device *device = session->device;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(dataset, &info);
    adatom_status status = ADATOM_OK;
    if (info.features) { /* they are there already */
        *table = adatom_dataset_features(dataset, 0);
        return ADATOM_OK;
    }
    ad_feature_cache *cache = find_cache(device, session->model, &info);
    int32_t *missing = ad_malloc(device->ctx, count, sizeof *missing);
    size_t missing_count = 0;
    if (!cache || !missing) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (size_t i = 0; i < count; i++) {
        const int32_t image = images ? images[i] : (int32_t)i;
        if (!cache->present[image]) missing[missing_count++] = image;
    }
    if (missing_count) {
        const ad_features_wanted wanted = {.device = device,
                                           .model = session->model,
                                           .pixels = adatom_dataset_pixels(dataset, 0),
                                           .size = info.image_size,
                                           .images = missing,
                                           .count = missing_count,
                                           .memory_bytes = memory_bytes};
        AD_TRY(ad_features_compute(&wanted, keep_features, &(missing_features){cache, missing}));
    }
    *table = cache->values;
done:
    ad_free(missing);
    return status;
}
