/* Bytes that move while programs run. What was sent waits in a list. After each submission, while the device computes,
 * the host copies a piece of it: into the buffer itself where that is mapped; else into one half of a staging buffer,
 * and the next submission begins by copying it from there. Meanwhile the host fills the other half. */
#include "vk/core/internal.h"

#include <string.h>

enum { PIECE_BYTES = 8 << 20 }; /* a millisecond or two of the host's time */

adatom_status ad_vk_send(vk_engine *e, vk_buffer *to, size_t offset, const void *data, size_t bytes) {
    vk_sender *s = &e->sender;
    adatom_status status = ad_vk_buffer_check(e, to, offset, bytes);
    if (status != ADATOM_OK || !bytes) return status;
    if (s->count == s->capacity) {
        const size_t capacity = s->capacity ? 2 * s->capacity : 256;
        vk_send *grown = ad_realloc(e->base.ctx, s->list, s->capacity, capacity, sizeof *grown);
        if (!grown) return ADATOM_OUT_OF_MEMORY;
        s->list = grown, s->capacity = capacity;
    }
    s->list[s->count++] = (vk_send){.to = to, .offset = offset, .bytes = bytes, .data = data};
    return ADATOM_OK;
}

static adatom_status prepare(vk_engine *e) {
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    vk_sender *s = &e->sender;
    const VkCommandBufferAllocateInfo commands = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                  .commandPool = e->command_pool,
                                                  .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                                  .commandBufferCount = 2};
    if (!s->commands[0]) VK(e->vk.vkAllocateCommandBuffers(e->device, &commands, s->commands));
    if (!s->staging.handle)
        AD_TRY(ad_vk_staging_init(e, AD_MIN(2 * (size_t)PIECE_BYTES, e->physical.allocation_bytes), &s->staging));
done:
    return status;
}

static void record(vk_engine *e, VkBuffer to, const VkBufferCopy *region) {
    if (region->size)
        e->vk.vkCmdCopyBuffer(e->sender.commands[e->sender.half], e->sender.staging.handle, to, 1, region);
}

adatom_status ad_vk_send_piece(vk_engine *e) {
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    vk_sender *s = &e->sender;
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    if (s->first == s->count) return ADATOM_OK;
    if (!e->mapped) {
        AD_TRY(prepare(e));
        VK(e->vk.vkBeginCommandBuffer(s->commands[s->half], &begin));
    }
    const size_t piece = e->mapped ? (size_t)PIECE_BYTES : s->staging.bytes / 2, base = (size_t)s->half * piece;
    VkBuffer to = VK_NULL_HANDLE;
    VkBufferCopy region = {.size = 0}; /* neighbours go together */
    for (size_t used = 0, n; s->first < s->count && used < piece; used += n) {
        vk_send *next = &s->list[s->first];
        n = AD_MIN(next->bytes, piece - used);
        memcpy(e->mapped ? next->to->mapped + next->offset : s->staging.mapped + base + used, next->data, n);
        if (next->to->handle != to || next->offset != region.dstOffset + region.size) {
            if (!e->mapped) record(e, to, &region);
            to = next->to->handle;
            region = (VkBufferCopy){.srcOffset = base + used, .dstOffset = next->offset};
        }
        region.size += n;
        next->offset += n, next->bytes -= n, next->data += n;
        s->first += next->bytes == 0;
    }
    if (s->first == s->count) s->first = s->count = 0;
    if (!e->mapped) {
        record(e, to, &region);
        VK(e->vk.vkEndCommandBuffer(s->commands[s->half]));
        s->filled = true;
        s->half ^= 1;
    }
done:
    return status;
}

VkCommandBuffer ad_vk_send_take(vk_engine *e) {
    vk_sender *s = &e->sender;
    const VkCommandBuffer commands = s->filled ? s->commands[s->half ^ 1] : VK_NULL_HANDLE;
    s->filled = false;
    return commands;
}

adatom_status ad_vk_send_wait(vk_engine *e) {
    adatom_status status = ADATOM_OK;
    vk_sender *s = &e->sender;
    while (status == ADATOM_OK && (s->first < s->count || s->filled))
        status = e->mapped ? ad_vk_send_piece(e) : ad_vk_submit(e, NULL, 0);
    s->first = s->count = 0;
    s->filled = false;
    return status;
}

void ad_vk_send_clear(vk_engine *e) {
    ad_vk_buffer_clear(e, &e->sender.staging);
    ad_free(e->sender.list);
}
