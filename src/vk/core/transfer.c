#include "vk/core/transfer.h"

#include <string.h>

enum { STAGING_BYTES = 16 << 20 };

static adatom_status copy(vk_queue *q, VkBuffer from, VkDeviceSize from_offset, VkBuffer to, VkDeviceSize to_offset,
                          VkDeviceSize bytes) {
    adatom_context *ctx = q->device->ctx;
    adatom_status status = ADATOM_OK;
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    const VkMemoryBarrier before = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                    .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                                    .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT};
    const VkMemoryBarrier after = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                   .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                                   .dstAccessMask = VK_ACCESS_HOST_READ_BIT};
    const VkBufferCopy region = {.srcOffset = from_offset, .dstOffset = to_offset, .size = bytes};
    VK(q->device->vk.vkBeginCommandBuffer(q->copy_commands, &begin));
    q->device->vk.vkCmdPipelineBarrier(q->copy_commands,
                                       VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                                       VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &before, 0, NULL, 0, NULL);
    q->device->vk.vkCmdCopyBuffer(q->copy_commands, from, to, 1, &region);
    q->device->vk.vkCmdPipelineBarrier(q->copy_commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0,
                                       1, &after, 0, NULL, 0, NULL);
    VK(q->device->vk.vkEndCommandBuffer(q->copy_commands));
    AD_TRY(ad_vk_submit(q, &q->copy_commands, 1, "a copy"));
done:
    return status;
}

adatom_status ad_vk_buffer_write(vk_queue *q, vk_buffer *buffer, size_t offset, const void *data, size_t bytes) {
    adatom_status status = ADATOM_OK;
    AD_TRY(ad_vk_buffer_check(q->device, buffer, offset, bytes));
    if (buffer->mapped) {
        if (bytes) memcpy(buffer->mapped + offset, data, bytes);
        goto done;
    }
    if (!q->staging.handle)
        AD_TRY(ad_vk_staging_init(q->device, AD_MIN((size_t)STAGING_BYTES, q->device->physical.allocation_bytes),
                                  &q->staging));
    for (size_t at = 0; at < bytes; at += q->staging.bytes) {
        const size_t n = AD_MIN(bytes - at, q->staging.bytes);
        memcpy(q->staging.mapped, (const char *)data + at, n);
        AD_TRY(copy(q, q->staging.handle, 0, buffer->handle, offset + at, n));
    }
done:
    return status;
}

adatom_status ad_vk_buffer_read(vk_queue *q, vk_buffer *buffer, size_t offset, void *data, size_t bytes) {
    adatom_status status = ADATOM_OK;
    AD_TRY(ad_vk_buffer_check(q->device, buffer, offset, bytes));
    if (buffer->mapped) {
        if (bytes) memcpy(data, buffer->mapped + offset, bytes);
        goto done;
    }
    if (!q->staging.handle)
        AD_TRY(ad_vk_staging_init(q->device, AD_MIN((size_t)STAGING_BYTES, q->device->physical.allocation_bytes),
                                  &q->staging));
    for (size_t at = 0; at < bytes; at += q->staging.bytes) {
        const size_t n = AD_MIN(bytes - at, q->staging.bytes);
        AD_TRY(copy(q, buffer->handle, offset + at, q->staging.handle, 0, n));
        memcpy((char *)data + at, q->staging.mapped, n);
    }
done:
    return status;
}

adatom_status ad_vk_upload_wait(vk_queue *q) {
    adatom_status status = ADATOM_OK;
    vk_uploads *u = &q->uploads;
    while (status == ADATOM_OK && (ad_vk_upload_waiting(u) || u->filled))
        status = u->filled ? ad_vk_submit(q, NULL, 0, "a copy") : ad_vk_upload_piece(q->device, u);
    ad_vk_upload_drop(u);
    return status;
}
