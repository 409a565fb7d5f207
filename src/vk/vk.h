/* The Vulkan engine. Knows nothing of networks: it runs plans. */
#ifndef AD_VK_VK_H
#define AD_VK_VK_H

#include "plan/engine.h"

/* Vulkan devices in enumeration order (index 0..count-1). No loader or driver: count 0, OK.
 * info.usable and info.reason say which can be opened. */
adatom_status ad_vk_list(adatom_context *ctx, adatom_device_info *infos, size_t capacity, size_t *count);
/* Opens a device of that list: by its UUID, which the order of the next listing does not change. */
adatom_status ad_vk_engine_open(adatom_context *ctx, const adatom_device_params *params,
                                const adatom_device_info *which, ad_engine **out);
/* The same by index alone, for tests. */
adatom_status ad_vk_engine_create(adatom_context *ctx, const adatom_device_params *params, int index, ad_engine **out);

/* By how much an expected time was wrong. What was hidden behind the host's own work took at most that long: it is no
 * reason to expect more of the device. */
double ad_vk_time_factor(double took, double expected, bool hidden);
/* Errors the validation layer has reported so far for this engine (params->validate). */
int ad_vk_validation_errors(const ad_engine *engine);
#endif
