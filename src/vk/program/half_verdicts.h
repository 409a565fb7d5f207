/* Variants and tensors of reduced precision are used only after they have passed the kernel check on this device. The
 * check itself is a matter of the rooms above; its verdicts are kept here, and in the cache for this device, driver and
 * SPIR-V. */
#ifndef AD_VK_HALF_VERDICTS_H
#define AD_VK_HALF_VERDICTS_H

#include "vk/program/engine.h"

adatom_status ad_vk_half_load(vk_engine *e);
bool ad_vk_half_usable(const vk_engine *e, int kind, int variant);     /* true for all others */
void ad_vk_half_describe(const vk_engine *e, adatom_device_info *out); /* precision and features */
/* ad_engine_api */
void ad_vk_variant_judge(ad_engine *engine, int kind, int variant, bool passed);
ad_verdict ad_vk_half_storage(const ad_engine *engine);
void ad_vk_half_storage_judge(ad_engine *engine, bool passed);
#endif
