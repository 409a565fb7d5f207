/* Submissions. */
#ifndef AD_VK_QUEUE_H
#define AD_VK_QUEUE_H

#include "vk/core/upload.h"

typedef struct vk_queue {
    vk_device *device;
    VkQueue handle;
    VkCommandPool pool; /* of copies */
    VkCommandBuffer copy_commands;
    VkFence fence;
    vk_uploads uploads;
    vk_buffer staging;
    double seconds; /* of the latest submission */
    bool
        hidden; /* the device had ended it before the host had done its own work beside it: it took at most `seconds` */
} vk_queue;

adatom_status ad_vk_queue_open(vk_device *d, vk_queue *out);
void ad_vk_queue_close(vk_queue *q);
/* Submits command buffers and waits for them. */
adatom_status ad_vk_submit(vk_queue *q, const VkCommandBuffer *commands, uint32_t count);
#endif
