#include "vk/core/upload.h"

#include <string.h>

static const size_t PIECE_BYTES = 8 << 20; /* a millisecond or two of the host's time */

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
                                                  .commandBufferCount = VK_UPLOAD_PARTS};
    if (!u->commands[0]) VK(d->vk.vkAllocateCommandBuffers(d->handle, &commands, u->commands));
    if (!u->staging.handle)
        AD_TRY(ad_vk_staging_init(d, AD_MIN(VK_UPLOAD_PARTS * PIECE_BYTES, d->physical.allocation_bytes), &u->staging));
done:
    return status;
}

static void record_copy(vk_device *d, vk_uploads *u, VkBuffer to, const VkBufferCopy *region) {
    if (region->size) d->vk.vkCmdCopyBuffer(u->commands[u->part], u->staging.handle, to, 1, region);
}

/* Takes n bytes off the front of the list. */
static void advance(vk_uploads *u, size_t n) {
    vk_upload *next = &u->list[u->first];
    next->offset += n;
    next->bytes -= n;
    next->data += n;
    u->first += next->bytes == 0;
}

static void copy_mapped(vk_uploads *u) {
    for (size_t used = 0, n; ad_vk_upload_waiting(u) && u->list[u->first].to->mapped && used < PIECE_BYTES; used += n) {
        const vk_upload *next = &u->list[u->first];
        n = AD_MIN(next->bytes, PIECE_BYTES - used);
        memcpy(next->to->mapped + next->offset, next->data, n);
        advance(u, n);
    }
}

static adatom_status copy_staged(vk_device *d, vk_uploads *u) {
    adatom_context *ctx = d->ctx;
    adatom_status status = ADATOM_OK;
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    AD_TRY(prepare(d, u));
    VK(d->vk.vkBeginCommandBuffer(u->commands[u->part], &begin));
    const size_t piece = u->staging.bytes / VK_UPLOAD_PARTS / 4 * 4, base = (size_t)u->part * piece;
    VkBuffer to = VK_NULL_HANDLE;
    VkBufferCopy region = {.size = 0}; /* neighbours go together */
    for (size_t used = 0, n; ad_vk_upload_waiting(u) && !u->list[u->first].to->mapped && used < piece; used += n) {
        const vk_upload *next = &u->list[u->first];
        n = AD_MIN(next->bytes, piece - used);
        memcpy(u->staging.mapped + base + used, next->data, n);
        if (next->to->handle != to || next->offset != region.dstOffset + region.size) {
            record_copy(d, u, to, &region);
            to = next->to->handle;
            region = (VkBufferCopy){.srcOffset = base + used, .dstOffset = next->offset};
        }
        region.size += n;
        advance(u, n);
    }
    record_copy(d, u, to, &region);
    VK(d->vk.vkEndCommandBuffer(u->commands[u->part]));
    u->filled = true;
    u->part = (u->part + 1) % VK_UPLOAD_PARTS;
done:
    return status;
}

adatom_status ad_vk_upload_piece(vk_device *d, vk_uploads *u) {
    adatom_status status = ADATOM_OK;
    if (!ad_vk_upload_waiting(u)) return ADATOM_OK;
    if (u->list[u->first].to->mapped)
        copy_mapped(u);
    else
        status = copy_staged(d, u);
    if (!ad_vk_upload_waiting(u)) u->first = u->count = 0;
    return status;
}

VkCommandBuffer ad_vk_upload_take(vk_uploads *u) {
    const VkCommandBuffer commands =
        u->filled ? u->commands[(u->part + VK_UPLOAD_PARTS - 1) % VK_UPLOAD_PARTS] : VK_NULL_HANDLE;
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
