/* Half precision and matrix units: what a device has of them, and how they are enabled when it is opened. */
#ifndef AD_VK_MATRIX_UNITS_H
#define AD_VK_MATRIX_UNITS_H

#include "vk/core/coopmat.h"
#include "vk/core/physical.h"

typedef struct vk_arithmetic { /* what vkCreateDevice reads */
    VkPhysicalDeviceShaderFloat16Int8Features half;
    VkPhysicalDeviceVulkanMemoryModelFeatures model;
    VkPhysicalDeviceSubgroupSizeControlFeaturesEXT control;
    VkPhysicalDeviceCooperativeMatrixFeaturesNV nv;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR khr;
} vk_arithmetic;
enum { VK_ARITHMETIC_EXTENSIONS = 5 };

void ad_vk_arithmetic_find(const vk_instance *instance, const VkExtensionProperties *extensions, uint32_t count,
                           bool khr_kernels, vk_physical *out);
/* Adds to the extensions and returns the chain of features in *a; half: the kernels of reduced precision are wanted,
 * too. */
const void *ad_vk_arithmetic_enable(const vk_physical *physical, bool half, vk_arithmetic *a, const char **extensions,
                                    uint32_t *count);
#endif
