#include "vk/core/debug_names.h"

static void name_object(const vk_device *d, VkObjectType type, uint64_t handle, const char *name) {
    const VkDebugUtilsObjectNameInfoEXT info = {.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
                                                .objectType = type,
                                                .objectHandle = handle,
                                                .pObjectName = name};
    /* A name that cannot be kept is no failure. */
    if (d->instance->vk.vkSetDebugUtilsObjectNameEXT) d->instance->vk.vkSetDebugUtilsObjectNameEXT(d->handle, &info);
}

void ad_vk_name_buffer(const vk_device *d, VkBuffer buffer, const char *name) {
    name_object(d, VK_OBJECT_TYPE_BUFFER, (uint64_t)buffer, name);
}

void ad_vk_name_pipeline(const vk_device *d, VkPipeline pipeline, const char *name) {
    name_object(d, VK_OBJECT_TYPE_PIPELINE, (uint64_t)pipeline, name);
}

void ad_vk_label_begin(const vk_device *d, VkCommandBuffer commands, const char *name) {
    const VkDebugUtilsLabelEXT label = {.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT, .pLabelName = name};
    if (d->instance->vk.vkCmdBeginDebugUtilsLabelEXT) d->instance->vk.vkCmdBeginDebugUtilsLabelEXT(commands, &label);
}

void ad_vk_label_end(const vk_device *d, VkCommandBuffer commands) {
    if (d->instance->vk.vkCmdEndDebugUtilsLabelEXT) d->instance->vk.vkCmdEndDebugUtilsLabelEXT(commands);
}
