/* The Vulkan functions that are called, each fetched from its own instance or device: nothing of them is shared by the
 * process. */
#ifndef AD_VK_FUNCTIONS_H
#define AD_VK_FUNCTIONS_H

#include "vk/core/coopmat.h"

#include <volk.h>

/* clang-format off */
#define AD_VK_INSTANCE_FUNCTIONS(F) \
    F(vkDestroyInstance) F(vkEnumeratePhysicalDevices) F(vkGetPhysicalDeviceQueueFamilyProperties) \
    F(vkGetPhysicalDeviceProperties) F(vkGetPhysicalDeviceProperties2) F(vkGetPhysicalDeviceFeatures2) \
    F(vkGetPhysicalDeviceMemoryProperties) F(vkGetPhysicalDeviceMemoryProperties2) \
    F(vkEnumerateDeviceExtensionProperties) F(vkCreateDevice) F(vkGetDeviceProcAddr)

/* Of extensions: NULL where the instance lacks them. */
#define AD_VK_INSTANCE_EXTENSION_FUNCTIONS(F) \
    F(vkCreateDebugUtilsMessengerEXT) F(vkDestroyDebugUtilsMessengerEXT) F(vkSetDebugUtilsObjectNameEXT) \
    F(vkCmdBeginDebugUtilsLabelEXT) F(vkCmdEndDebugUtilsLabelEXT) \
    F(vkGetPhysicalDeviceCooperativeMatrixPropertiesNV) F(vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)

#define AD_VK_DEVICE_FUNCTIONS(F) \
    F(vkDestroyDevice) F(vkDeviceWaitIdle) F(vkGetDeviceQueue) F(vkQueueSubmit) \
    F(vkAllocateMemory) F(vkFreeMemory) F(vkMapMemory) F(vkBindBufferMemory) F(vkGetBufferMemoryRequirements) \
    F(vkCreateBuffer) F(vkDestroyBuffer) F(vkCreateBufferView) F(vkDestroyBufferView) \
    F(vkCreateFence) F(vkDestroyFence) F(vkWaitForFences) F(vkGetFenceStatus) F(vkResetFences) \
    F(vkCreateCommandPool) F(vkDestroyCommandPool) F(vkAllocateCommandBuffers) F(vkFreeCommandBuffers) \
    F(vkBeginCommandBuffer) F(vkEndCommandBuffer) F(vkCmdPipelineBarrier) F(vkCmdCopyBuffer) F(vkCmdFillBuffer) \
    F(vkCmdBindPipeline) F(vkCmdBindDescriptorSets) F(vkCmdPushConstants) F(vkCmdDispatch) F(vkCmdDispatchBase) \
    F(vkCreateQueryPool) F(vkDestroyQueryPool) F(vkCmdResetQueryPool) F(vkCmdWriteTimestamp) F(vkGetQueryPoolResults) \
    F(vkCreateDescriptorPool) F(vkDestroyDescriptorPool) F(vkAllocateDescriptorSets) F(vkUpdateDescriptorSets) \
    F(vkCreateDescriptorSetLayout) F(vkDestroyDescriptorSetLayout) \
    F(vkCreatePipelineLayout) F(vkDestroyPipelineLayout) \
    F(vkCreatePipelineCache) F(vkDestroyPipelineCache) F(vkGetPipelineCacheData) \
    F(vkCreateShaderModule) F(vkDestroyShaderModule) F(vkCreateComputePipelines) F(vkDestroyPipeline)
/* clang-format on */

#define AD_VK_FUNCTION(name) PFN_##name name;
typedef struct vk_instance_functions {
    AD_VK_INSTANCE_FUNCTIONS(AD_VK_FUNCTION)
    AD_VK_INSTANCE_EXTENSION_FUNCTIONS(AD_VK_FUNCTION)
} vk_instance_functions;

typedef struct vk_device_functions {
    AD_VK_DEVICE_FUNCTIONS(AD_VK_FUNCTION)
} vk_device_functions;
#undef AD_VK_FUNCTION
#endif
