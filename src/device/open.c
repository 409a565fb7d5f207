/* Opening a device, which for half precision asks the kernel check, and that check itself. */
#include "device/device.h"
#include "verify/check.h"

static adatom_status open_device(adatom_context *ctx, const adatom_device_params *params, adatom_device **out) {
    adatom_status status = ad_device_open(ctx, params, out);
    if (status != ADATOM_OK || params->precision != ADATOM_PRECISION_FP16) return status;
    adatom_device *device = *out;
    const int index = device->info.index;
    status = ad_check_half(device->engine, device->info.name);
    device->engine->api->describe(device->engine, &device->info); /* what is used now */
    device->info.index = index;
    if (status != ADATOM_OK) adatom_device_destroy(out);
    return status;
}

adatom_status adatom_device_open(adatom_context *ctx, const adatom_device_params *params, adatom_device **out) {
    adatom_device_params p;
    *out = NULL;
    const adatom_status status = AD_PARAMS(ctx, adatom_device_params, params, &p);
    const ad_call outer = ad_call_begin(ctx, p.progress, p.user);
    return ad_call_end(ctx, &outer, status == ADATOM_OK ? open_device(ctx, &p, out) : status);
}

adatom_status adatom_check_device(adatom_device *device, const adatom_check_params *params, int *checks,
                                  int *failures) {
    adatom_context *ctx = device->engine->ctx;
    adatom_check_params p;
    if (checks) *checks = 0;
    if (failures) *failures = 0;
    const adatom_status status = AD_PARAMS(ctx, adatom_check_params, params, &p);
    const ad_call outer = ad_call_begin(ctx, p.progress, p.user);
    return ad_call_end(ctx, &outer,
                       status == ADATOM_OK ? ad_check_engine(device->engine, &p, checks, failures) : status);
}
