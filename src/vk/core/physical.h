/* Devices as they are before one is opened. */
#ifndef AD_VK_PHYSICAL_H
#define AD_VK_PHYSICAL_H

#include "vk/core/caps.h"
#include "vk/core/instance.h"
#include <adatom/device.h>

/* What the kernels take for granted: a device with less is listed with its reason, and cannot be opened. */
typedef struct vk_needs {
    uint32_t bindings, push_bytes; /* storage or texel buffers of a kernel; bytes of push constants */
    bool matrix_khr;               /* kernels for VK_KHR_cooperative_matrix are there */
} vk_needs;

typedef struct vk_physical {
    VkPhysicalDevice handle;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    uint8_t uuid[VK_UUID_SIZE];
    uint32_t subgroup;
    size_t allocation_bytes; /* maxMemoryAllocationSize */
    uint32_t queue_family, timestamp_bits;
    bool software, shuffle, memory_budget, portability_subset;
    bool half;      /* shaderFloat16 */
    bool matrix_nv; /* VK_NV_cooperative_matrix: half-precision squares of AD_PROBE_MATRIX_SIZE with float32 sums */
    ad_vk_matrix matrix;
    uint32_t full_subgroup;  /* smallest size that full subgroups can be asked for in; 0: they can't */
    adatom_device_info info; /* without index */
} vk_physical;

/* All devices in enumeration order; info.usable says which can be opened. ad_free(*out). */
adatom_status ad_vk_physical_list(const vk_instance *instance, const vk_needs *needs, vk_physical **out, int *count);
#endif
