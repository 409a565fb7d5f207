/* An open device: its functions, and which memory its buffers are made of. */
#ifndef AD_VK_LOGICAL_DEVICE_H
#define AD_VK_LOGICAL_DEVICE_H

#include "vk/core/memory_types.h"
#include "vk/core/physical.h"

enum { VK_FLIGHTS = 2 }; /* submissions that may be in flight (queue.h) */

typedef struct vk_device {
    adatom_context *ctx;
    const vk_instance *instance;
    vk_physical physical;
    VkDevice handle;
    vk_device_functions vk;
    vk_memory_choice memory[VK_MAX_MEMORY_HEAPS]; /* what buffers are made of, to be tried one after the other */
    int memory_count;
    bool mapped; /* buffers are used through their mapping, where their memory is chosen so: no staging */
    size_t allocated_bytes[VK_MAX_MEMORY_HEAPS];
    bool abandoned; /* it has not answered in time: nothing is asked of it any more, and what it may be using stays */
} vk_device;

/* Opens *physical; half: for half precision. On failure, too, ad_vk_device_close() clears what is there. */
adatom_status ad_vk_device_open(const vk_instance *instance, const vk_physical *physical, bool half, vk_device *out);
void ad_vk_device_close(vk_device *device);
#endif
