#ifndef AD_DEVICE_DEVICE_H
#define AD_DEVICE_DEVICE_H

#include "nn/engine.h"

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

/* Runs the kernel check of the engine's variants of reduced precision that have no verdict yet, and tells it the verdicts. Whoever opens a
 * device needs this judge, but the check is a matter of a room above: it is defined in bench/half.c. UNSUPPORTED: the engine offers no
 * such variant; CHECK_FAILED: none passes. device: its name, for messages. */
adatom_status ad_device_check_half(ad_engine *engine, const char *device);

/* The rules of adatom_device_params.select over a list of devices; *index is into infos. */
adatom_status ad_device_select(adatom_context *ctx, const adatom_device_info *infos, int count, const char *select, int *index,
                               char *reason, size_t reason_size);
#endif
