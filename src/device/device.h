#ifndef AD_DEVICE_DEVICE_H
#define AD_DEVICE_DEVICE_H

#include "plan/engine.h"

/* Features of frozen backbones, computed once for a device. The type and its content belong to fewshot
 * (fewshot/feature_cache.c), which lies above this room: the device only holds the cache, so that both end together. */
typedef struct ad_feature_cache ad_feature_cache;

struct adatom_device {
    adatom_context *ctx;
    ad_engine *engine; /* owned */
    adatom_device_info info;
    char reason[512];
    ad_feature_cache *feature_cache; /* NULL: none yet */
    void (*destroy_feature_cache)(ad_feature_cache *);
};

/* As adatom_device_open (device/open.c), without the check that half precision asks for. */
adatom_status ad_device_open(adatom_context *ctx, const adatom_device_params *params, adatom_device **out);

/* The rules of adatom_device_params.select over a list of devices; *index is into infos. */
adatom_status ad_device_select(adatom_context *ctx, const adatom_device_info *infos, int count, const char *select,
                               int *index, char *reason, size_t reason_size);
#endif
