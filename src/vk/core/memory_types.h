/* Which of a device's memory types buffers are made of: decided by their flags and sizes alone. */
#ifndef AD_VK_MEMORY_TYPES_H
#define AD_VK_MEMORY_TYPES_H

#include "base/base.h"

#include <volk.h>

typedef struct vk_memory_choice {
    uint32_t type;
    bool direct; /* the host reads and writes it through a mapping, without a staging buffer */
} vk_memory_choice;

/* The best type of each heap, the heap to be tried first in front; returns how many. types: those that the buffers may
 * have (VkMemoryRequirements.memoryTypeBits).
 *
 * Memory of the device comes before the host's, the larger heap before the smaller. But where device and host share
 * their memory, the part that is called the device's may be a small one (256 MiB, often) and no faster: there the
 * larger heap is first; and so it is where the device's is no larger than that. Protected, lazily allocated and
 * device-coherent or uncached (AMD) types, and those for other devices' access (NVIDIA), are never taken. */
int ad_vk_memory_choices(const VkPhysicalDeviceMemoryProperties *memory, uint32_t types, VkPhysicalDeviceType device,
                         vk_memory_choice out[VK_MAX_MEMORY_HEAPS]);
/* The type of staging buffers: mapped, coherent, and cached if there is such a one; -1: none. */
int ad_vk_memory_staging(const VkPhysicalDeviceMemoryProperties *memory, uint32_t types);
#endif
