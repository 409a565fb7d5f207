/* An open device: its functions, and which memory its buffers are made of. */
#ifndef AD_VK_LOGICAL_DEVICE_H
#define AD_VK_LOGICAL_DEVICE_H

#include "vk/core/physical.h"

typedef struct vk_device {
    adatom_context *ctx;
    const vk_instance *instance;
    vk_physical physical;
    VkDevice handle;
    vk_device_functions vk;
    uint32_t memory_type; /* of arenas and buffers (buffer.c) */
    bool mapped;          /* that memory is used through its mapping: no staging */
    size_t allocated_bytes;
} vk_device;

/* Opens *physical; half: for half precision. On failure, too, ad_vk_device_close() clears what is there. */
adatom_status ad_vk_device_open(const vk_instance *instance, const vk_physical *physical, bool half, vk_device *out);
void ad_vk_device_close(vk_device *device);
#endif
