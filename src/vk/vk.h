/* The Vulkan engine. Knows nothing of networks: it runs plans. */
#ifndef AD_VK_VK_H
#define AD_VK_VK_H

#include "plan/engine.h"

/* Vulkan devices in enumeration order (index 0..count-1). No loader or driver: count 0, OK.
 * info.usable and info.reason say which can be opened. */
adatom_status ad_vk_list(adatom_context *ctx, adatom_device_info *infos, size_t capacity, size_t *count);
/* Whether there is a Vulkan loader, once devices were listed. */
bool ad_vk_loader(void);
/* Opens a device of that list: by its UUID, which the order of the next listing does not change. */
adatom_status ad_vk_engine_open(adatom_context *ctx, const adatom_device_params *params,
                                const adatom_device_info *which, ad_engine **out);
/* The same by index alone, for tests. */
adatom_status ad_vk_engine_create(adatom_context *ctx, const adatom_device_params *params, int index, ad_engine **out);

/* By how much an expected time was wrong, where between `least` and `most` seconds were taken: by as little as agrees
 * with both. */
double ad_vk_time_factor(double least, double most, double expected);
/* Errors the validation layer has reported so far for this engine (params->validate). */
int ad_vk_validation_errors(const ad_engine *engine);
#endif
