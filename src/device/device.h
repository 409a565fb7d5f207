#ifndef AD_DEVICE_DEVICE_H
#define AD_DEVICE_DEVICE_H

#include "plan/engine.h"

struct adatom_device {
    adatom_context *ctx;
    ad_engine *engine; /* owned */
    adatom_device_info info;
    char reason[512];
    struct {
        void *data; /* what a room above keeps with the device (fewshot/features.c); freed with it */
        void (*free)(void *);
    } kept;
};

/* As adatom_device_open (device/open.c), without the check that half precision asks for. */
adatom_status ad_device_open(adatom_context *ctx, const adatom_device_params *params, adatom_device **out);

/* The rules of adatom_device_params.select over a list of devices; *index is into infos. */
adatom_status ad_device_select(adatom_context *ctx, const adatom_device_info *infos, int count, const char *select,
                               int *index, char *reason, size_t reason_size);
#endif
