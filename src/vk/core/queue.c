#include "vk/core/queue.h"

adatom_status ad_vk_queue_open(vk_device *d, vk_queue *out) {
    adatom_context *ctx = d->ctx;
    adatom_status status = ADATOM_OK;
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                          .queueFamilyIndex = d->physical.queue_family};
    *out = (vk_queue){.device = d};
    d->vk.vkGetDeviceQueue(d->handle, d->physical.queue_family, 0, &out->handle);
    VK(d->vk.vkCreateCommandPool(d->handle, &pool, NULL, &out->pool));
    out->uploads.pool = out->pool;
    const VkCommandBufferAllocateInfo commands = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                  .commandPool = out->pool,
                                                  .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                                  .commandBufferCount = 1};
    VK(d->vk.vkAllocateCommandBuffers(d->handle, &commands, &out->copy_commands));
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VK(d->vk.vkCreateFence(d->handle, &fence, NULL, &out->fence));
done:
    return status;
}

void ad_vk_queue_close(vk_queue *q) {
    vk_device *d = q->device;
    if (!d) return;
    ad_vk_upload_clear(d, &q->uploads);
    ad_vk_buffer_clear(d, &q->staging);
    d->vk.vkDestroyCommandPool(d->handle, q->pool, NULL);
    d->vk.vkDestroyFence(d->handle, q->fence, NULL);
    *q = (vk_queue){0};
}

adatom_status ad_vk_submit(vk_queue *q, const VkCommandBuffer *commands, uint32_t count) {
    const vk_device *d = q->device;
    adatom_context *ctx = d->ctx;
    adatom_status status = ADATOM_OK;
    const double began = ad_seconds();
    const VkCommandBuffer sent =
        ad_vk_upload_take(&q->uploads); /* before the others, which begin with a barrier against copies */
    const VkSubmitInfo submits[2] = {
        {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &sent},
        {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = count, .pCommandBuffers = commands}};
    VK(d->vk.vkQueueSubmit(q->handle, sent ? 2 : 1, sent ? submits : submits + 1, q->fence));
    const bool busy = ad_vk_upload_waiting(&q->uploads);
    const adatom_status next = ad_vk_upload_piece(q->device, &q->uploads); /* while the device computes */
    VkResult waited = busy ? d->vk.vkWaitForFences(d->handle, 1, &q->fence, VK_TRUE, 0) : VK_TIMEOUT;
    q->hidden = waited == VK_SUCCESS;
    if (waited == VK_TIMEOUT) waited = d->vk.vkWaitForFences(d->handle, 1, &q->fence, VK_TRUE, UINT64_MAX);
    if (waited < 0) {
        d->vk.vkDeviceWaitIdle(d->handle); /* who ends now frees memory that the device may still be using */
        status = ad_vk_fail(ctx, waited, "vkWaitForFences", __FILE__, __LINE__);
        goto done;
    }
    q->seconds = ad_seconds() - began;
    VK(d->vk.vkResetFences(d->handle, 1, &q->fence));
    status = next;
done:
    return status;
}
