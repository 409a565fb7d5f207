/* The Vulkan engine. Knows nothing of networks: it runs plans. */
#ifndef AD_VK_VK_H
#define AD_VK_VK_H

#include "nn/engine.h"

/* Vulkan devices in enumeration order (index 0..count-1). No loader or driver: count 0, OK.
 * info.usable and info.reason say which can be opened. */
adatom_status ad_vk_list(adatom_context *ctx, adatom_device_info *infos, size_t capacity, size_t *count);
/* Opens a device of that list: by its UUID, which the order of the next listing does not change. */
adatom_status ad_vk_engine_open(adatom_context *ctx, const adatom_device_params *params, const adatom_device_info *which, ad_engine **out);
/* The same by index alone, for tests. */
adatom_status ad_vk_engine_create(adatom_context *ctx, const adatom_device_params *params, int index, ad_engine **out);

/* Tests only. Runs kernel `kernel` (ad_vk_kernel) from other SPIR-V in this engine from now on; the words must outlive it. */
void ad_vk_test_replace_module(ad_engine *engine, int kernel, const uint32_t *words, size_t word_count);
/* Tests only. Acts as if the device had matrix units of this shape; for kernels that emulate them. False: it has no full subgroups or was
 * not opened for half precision. */
bool ad_vk_test_matrix(ad_engine *engine, int m, int n, int k);
/* Tests only. Leaves out the barriers of programs created from now on: the positive control of synchronization validation. */
void ad_vk_test_omit_barriers(ad_engine *engine, bool omit);
/* Tests only. Buffers made from now on are reached through the staging buffer, as on a GPU with memory of its own. */
void ad_vk_test_force_staging(ad_engine *engine);
/* Errors the validation layer has reported so far for this engine (params->validate). */
int ad_vk_validation_errors(const ad_engine *engine);
#endif
