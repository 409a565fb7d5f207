/* Names of objects and labels in command buffers, for validation messages and tools that capture frames. Nothing is
 * done where the loader lacks VK_EXT_debug_utils. */
#ifndef AD_VK_DEBUG_NAMES_H
#define AD_VK_DEBUG_NAMES_H

#include "vk/core/logical_device.h"

void ad_vk_name_buffer(const vk_device *d, VkBuffer buffer, const char *name);
void ad_vk_name_pipeline(const vk_device *d, VkPipeline pipeline, const char *name);
void ad_vk_label_begin(const vk_device *d, VkCommandBuffer commands, const char *name);
void ad_vk_label_end(const vk_device *d, VkCommandBuffer commands);
#endif
