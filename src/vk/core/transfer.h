/* Bytes between the host and buffers: through their mapping, or through a staging buffer and the queue. */
#ifndef AD_VK_TRANSFER_H
#define AD_VK_TRANSFER_H

#include "vk/core/queue.h"

adatom_status ad_vk_buffer_write(vk_queue *q, vk_buffer *buffer, size_t offset, const void *data, size_t bytes);
adatom_status ad_vk_buffer_read(vk_queue *q, vk_buffer *buffer, size_t offset, void *data, size_t bytes);
/* Waits until everything is there that ad_vk_upload_add() was given. */
adatom_status ad_vk_upload_wait(vk_queue *q);
#endif
