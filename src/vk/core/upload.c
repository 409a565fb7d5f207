#include "vk/core/upload.h"

#include <string.h>

enum { PIECE_BYTES = 8 << 20 }; /* a millisecond or two of the host's time */

adatom_status ad_vk_upload_add(vk_device *d, vk_uploads *u, vk_buffer *to, size_t offset, const void *data,
                               size_t bytes) {
    adatom_status status = ad_vk_buffer_check(d, to, offset, bytes);
    if (status != ADATOM_OK || !bytes) return status;
    if (u->count == u->capacity) {
        const size_t capacity = u->capacity ? 2 * u->capacity : 256;
        vk_upload *grown = ad_realloc(d->ctx, u->list, u->capacity, capacity, sizeof *grown);
        if (!grown) return ADATOM_OUT_OF_MEMORY;
        u->list = grown;
        u->capacity = capacity;
    }
    u->list[u->count++] = (vk_upload){.to = to, .offset = offset, .bytes = bytes, .data = data};
    return ADATOM_OK;
}

static adatom_status prepare(vk_device *d, vk_uploads *u) {
    adatom_context *ctx = d->ctx;
    adatom_status status = ADATOM_OK;
    const VkCommandBufferAllocateInfo commands = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                  .commandPool = u->pool,
                                                  .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                                  .commandBufferCount = 2};
    if (!u->commands[0]) VK(d->vk.vkAllocateCommandBuffers(d->handle, &commands, u->commands));
    if (!u->staging.handle)
        AD_TRY(ad_vk_staging_init(d, AD_MIN(2 * (size_t)PIECE_BYTES, d->physical.allocation_bytes), &u->staging));
done:
    return status;
}

static void record(vk_device *d, vk_uploads *u, VkBuffer to, const VkBufferCopy *region) {
    if (region->size) d->vk.vkCmdCopyBuffer(u->commands[u->half], u->staging.handle, to, 1, region);
}

adatom_status ad_vk_upload_piece(vk_device *d, vk_uploads *u) {
    adatom_context *ctx = d->ctx;
    adatom_status status = ADATOM_OK;
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    if (u->first == u->count) return ADATOM_OK;
    if (!d->mapped) {
        AD_TRY(prepare(d, u));
        VK(d->vk.vkBeginCommandBuffer(u->commands[u->half], &begin));
    }
    const size_t piece = d->mapped ? (size_t)PIECE_BYTES : u->staging.bytes / 2, base = (size_t)u->half * piece;
    VkBuffer to = VK_NULL_HANDLE;
    VkBufferCopy region = {.size = 0}; /* neighbours go together */
    for (size_t used = 0, n; u->first < u->count && used < piece; used += n) {
        vk_upload *next = &u->list[u->first];
        n = AD_MIN(next->bytes, piece - used);
        memcpy(d->mapped ? next->to->mapped + next->offset : u->staging.mapped + base + used, next->data, n);
        if (next->to->handle != to || next->offset != region.dstOffset + region.size) {
            if (!d->mapped) record(d, u, to, &region);
            to = next->to->handle;
            region = (VkBufferCopy){.srcOffset = base + used, .dstOffset = next->offset};
        }
        region.size += n;
        next->offset += n;
        next->bytes -= n;
        next->data += n;
        u->first += next->bytes == 0;
    }
    if (u->first == u->count) u->first = u->count = 0;
    if (!d->mapped) {
        record(d, u, to, &region);
        VK(d->vk.vkEndCommandBuffer(u->commands[u->half]));
        u->filled = true;
        u->half ^= 1;
    }
done:
    return status;
}

VkCommandBuffer ad_vk_upload_take(vk_uploads *u) {
    const VkCommandBuffer commands = u->filled ? u->commands[u->half ^ 1] : VK_NULL_HANDLE;
    u->filled = false;
    return commands;
}

void ad_vk_upload_drop(vk_uploads *u) {
    u->first = u->count = 0;
    u->filled = false;
}

void ad_vk_upload_clear(vk_device *d, vk_uploads *u) {
    ad_vk_buffer_clear(d, &u->staging);
    ad_free(u->list);
}
