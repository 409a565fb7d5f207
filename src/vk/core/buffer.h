/* Device memory. Buffers are few and large (arenas, data sets, parameters), so each has its own allocation. */
#ifndef AD_VK_BUFFER_H
#define AD_VK_BUFFER_H

#include "plan/plan.h"
#include "vk/core/logical_device.h"

typedef struct vk_buffer {
    VkBuffer handle;
    VkDeviceMemory memory;
    size_t bytes; /* a multiple of AD_TENSOR_ALIGN_BYTES */
    char *mapped; /* NULL: through the staging buffer */
    uint32_t heap;
} vk_buffer;

/* Finds the memory that buffers are made of. */
adatom_status ad_vk_memory_init(vk_device *d);
/* What may be had now of the memory that is tried first, and the largest buffer it takes. */
size_t ad_vk_memory_free_bytes(const vk_device *d);
size_t ad_vk_memory_largest_buffer(const vk_device *d);
adatom_status ad_vk_buffer_init(vk_device *d, size_t bytes, vk_buffer *out);
/* For copies only, mapped. */
adatom_status ad_vk_staging_init(vk_device *d, size_t bytes, vk_buffer *out);
void ad_vk_buffer_clear(vk_device *d, vk_buffer *buffer);
/* USAGE: these bytes are not inside. */
adatom_status ad_vk_buffer_check(const vk_device *d, const vk_buffer *buffer, size_t offset, size_t bytes);
#endif
