/* What a device tells of itself beyond what kernels are chosen by: one line of it is shown with every benchmark. */
#ifndef AD_VK_CAPABILITIES_H
#define AD_VK_CAPABILITIES_H

#include "vk/core/physical.h"

/* What Vulkan 1.0 tells; after properties and memory are known. */
void ad_vk_capabilities_begin(vk_physical *out);
/* The rest, of a device with Vulkan 1.1 that lists these extensions; after its queue was found. */
void ad_vk_capabilities_find(const vk_instance *instance, const VkExtensionProperties *extensions, uint32_t count,
                             vk_physical *out);
#endif
