#include "vk/core/queue.h"

#include <stdio.h>

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
    for (int i = 0; i < VK_FLIGHTS; i++) VK(d->vk.vkCreateFence(d->handle, &fence, NULL, &out->flights[i].fence));
done:
    return status;
}

void ad_vk_queue_close(vk_queue *q) {
    vk_device *d = q->device;
    if (!d) return;
    ad_vk_upload_clear(d, &q->uploads);
    ad_vk_buffer_clear(d, &q->staging);
    if (!d->abandoned) {
        d->vk.vkDestroyCommandPool(d->handle, q->pool, NULL);
        for (int i = 0; i < VK_FLIGHTS; i++) d->vk.vkDestroyFence(d->handle, q->flights[i].fence, NULL);
    }
    *q = (vk_queue){0};
}

/* A device that has not answered for so long, and so many times what was expected, never will. */
enum { PATIENCE_SECONDS = 60, PATIENCE_FACTOR = 100, MOST_PATIENCE_SECONDS = 3600 };

static int patience(const vk_flight *f) {
    const double seconds = PATIENCE_SECONDS + PATIENCE_FACTOR * f->expected;
    return seconds < MOST_PATIENCE_SECONDS ? (int)seconds : MOST_PATIENCE_SECONDS;
}

/* In slices of a second, which are counted: a process that was stopped meanwhile loses one of them at most. */
static VkResult wait_for_fence(const vk_queue *q, const vk_flight *f) {
    const vk_device *d = q->device;
    VkResult result = VK_TIMEOUT;
    for (int left = patience(f); result == VK_TIMEOUT && left > 0; left--)
        result = d->vk.vkWaitForFences(d->handle, 1, &f->fence, VK_TRUE, 1000000000);
    return result;
}

adatom_status ad_vk_queue_submit(vk_queue *q, const VkCommandBuffer *commands, uint32_t count, double expected,
                                 const char *what) {
    const vk_device *d = q->device;
    adatom_context *ctx = d->ctx;
    adatom_status status = ADATOM_OK;
    vk_flight *f = &q->flights[(q->first + q->count) % VK_FLIGHTS];
    if (d->abandoned)
        return ad_fail(ctx, ADATOM_DEVICE_LOST,
                       "%s has not answered before; nothing more can run on it in this process", d->physical.info.name);
    const VkFence fence = f->fence;
    *f = (vk_flight){.fence = fence, .expected = expected, .began = ad_seconds()};
    snprintf(f->what, sizeof f->what, "%s", what);
    const VkCommandBuffer sent = ad_vk_upload_take(&q->uploads); /* before the others, which begin with a barrier */
    const VkSubmitInfo submits[2] = {
        {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &sent},
        {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = count, .pCommandBuffers = commands}};
    VK(d->vk.vkQueueSubmit(q->handle, sent ? 2 : 1, sent ? submits : submits + 1, f->fence));
    q->count++;
    /* Some drivers run what is submitted before they return. */
    f->last_seen = ad_seconds();
    f->done = d->vk.vkGetFenceStatus(d->handle, f->fence) == VK_SUCCESS;
    f->ended = (vk_span){f->last_seen, f->last_seen};
    AD_TRY(ad_vk_upload_piece(q->device, &q->uploads)); /* while the device computes */
done:
    return status;
}

/* When the flight ended, as well as the host can tell: between two looks, or when its wait returned. */
static VkResult find_end(const vk_queue *q, vk_flight *f) {
    const vk_device *d = q->device;
    if (f->done) return VK_SUCCESS;
    const bool over = d->vk.vkGetFenceStatus(d->handle, f->fence) == VK_SUCCESS;
    const VkResult result = wait_for_fence(q, f);
    f->ended.most = ad_seconds();
    f->ended.least = over ? f->last_seen : f->ended.most;
    f->done = result == VK_SUCCESS;
    return result;
}

adatom_status ad_vk_queue_wait(vk_queue *q, vk_span *took) {
    vk_device *d = q->device;
    adatom_context *ctx = d->ctx;
    adatom_status status = ADATOM_OK;
    vk_flight *f = &q->flights[q->first], *other = &q->flights[(q->first + 1) % VK_FLIGHTS];
    const VkResult result = find_end(q, f);
    if (result == VK_TIMEOUT) {
        d->abandoned = true;
        q->count = 0;
        return ad_fail(ctx, ADATOM_DEVICE_LOST,
                       "%s has not finished %s within %d seconds (expected: %.3f s); it is taken for lost, and nothing "
                       "more can run on it in this process",
                       d->physical.info.name, f->what, patience(f), f->expected);
    }
    if (result < 0) {
        d->vk.vkDeviceWaitIdle(d->handle); /* who ends now frees memory that the device may still be using */
        q->count = 0;
        return ad_vk_fail(ctx, result, "vkWaitForFences", __FILE__, __LINE__);
    }
    q->first = (q->first + 1) % VK_FLIGHTS;
    q->count--;
    if (q->count && !other->done) other->last_seen = AD_MAX(other->last_seen, f->ended.least);
    const vk_span start = {AD_MAX(f->began, q->ended.least), AD_MAX(f->began, q->ended.most)};
    *took = (vk_span){AD_MAX(f->ended.least - start.most, 0), AD_MAX(f->ended.most - start.least, 0)};
    q->ended = f->ended;
    VK(d->vk.vkResetFences(d->handle, 1, &f->fence));
done:
    return status;
}

void ad_vk_queue_drain(vk_queue *q) {
    vk_device *d = q->device;
    for (; q->count && !d->abandoned; q->count--) {
        vk_flight *f = &q->flights[q->first];
        const VkResult result = f->done ? VK_SUCCESS : wait_for_fence(q, f);
        d->abandoned = result == VK_TIMEOUT;
        if (result == VK_SUCCESS) d->vk.vkResetFences(d->handle, 1, &f->fence);
        if (result < 0) d->vk.vkDeviceWaitIdle(d->handle);
        q->first = (q->first + 1) % VK_FLIGHTS;
    }
    q->count = 0;
}

adatom_status ad_vk_submit(vk_queue *q, const VkCommandBuffer *commands, uint32_t count, const char *what) {
    vk_span took;
    const adatom_status status = ad_vk_queue_submit(q, commands, count, 0, what);
    if (status == ADATOM_OK) return ad_vk_queue_wait(q, &took);
    ad_vk_queue_drain(q);
    return status;
}
