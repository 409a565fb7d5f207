/* Opening a device, which for half precision asks the kernel check, and that check itself. */
#include "device/device.h"
#include "verify/check.h"

#include <string.h>

adatom_status adatom_device_open(adatom_context *ctx, const adatom_device_params *params, adatom_device **out) {
    adatom_status status = ad_device_open(ctx, params, out);
    if (status != ADATOM_OK || !params || !params->precision || strcmp(params->precision, "fp16") != 0)
        return ad_leave(ctx, status);
    adatom_device *device = *out;
    const int index = device->info.index;
    status = ad_check_half(device->engine, device->info.name);
    device->engine->api->describe(device->engine, &device->info); /* what is used now */
    device->info.index = index;
    if (status != ADATOM_OK) adatom_device_destroy(out);
    return ad_leave(ctx, status);
}

adatom_status adatom_check_device(adatom_device *device, const adatom_check_params *params, int *checks,
                                  int *failures) {
    return ad_leave(device->engine->ctx, ad_check_engine(device->engine, params, checks, failures));
}
