#ifndef AD_DEVICE_DEVICE_H
#define AD_DEVICE_DEVICE_H

#include "nn/engine.h"

struct adatom_device {
    adatom_context *ctx;
    ad_engine *engine; /* owned */
    adatom_device_info info;
    char reason[512];
};
#endif
