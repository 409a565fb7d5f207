/* Device memory. Buffers are few and large (arenas, data sets, parameters), so each has its own allocation. */
#include "vk/core/internal.h"

#include <string.h>

enum { STAGING_BYTES = 16 << 20 };
static const VkBufferUsageFlags copy_usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
static const VkBufferUsageFlags arena_usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT |
                                              VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                              VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT;

/* The first memory type of `types` with all of `flags`, in the device-local heap given or any heap (-1). */
static int find_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t types, VkMemoryPropertyFlags flags,
                     int heap) {
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++)
        if ((types >> i & 1) && (memory->memoryTypes[i].propertyFlags & flags) == flags &&
            (heap < 0 || memory->memoryTypes[i].heapIndex == (uint32_t)heap))
            return (int)i;
    return -1;
}

static adatom_status allocate(vk_engine *e, size_t bytes, bool staging, vk_buffer *out) {
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    *out = (vk_buffer){.bytes = (AD_MAX(bytes, 1) + AD_TENSOR_ALIGN_BYTES - 1) / AD_TENSOR_ALIGN_BYTES *
                                AD_TENSOR_ALIGN_BYTES};
    if (out->bytes > e->physical.allocation_bytes || out->bytes < bytes)
        return ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "%zu bytes asked for in one piece; %s allows %zu", bytes,
                       e->physical.info.name, e->physical.allocation_bytes);
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = out->bytes, .usage = staging ? copy_usage : arena_usage};
    VK(e->vk.vkCreateBuffer(e->device, &info, NULL, &out->handle));
    VkMemoryRequirements needs;
    e->vk.vkGetBufferMemoryRequirements(e->device, out->handle, &needs);

    int type = (int)e->memory_type;
    if (staging) {
        const VkMemoryPropertyFlags visible =
            VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
        type = find_type(&e->physical.memory, needs.memoryTypeBits, visible | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, -1);
        if (type < 0) type = find_type(&e->physical.memory, needs.memoryTypeBits, visible, -1);
    }
    const VkMemoryAllocateInfo allocation = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                             .allocationSize = needs.size,
                                             .memoryTypeIndex = (uint32_t)type};
    VkResult result = e->vk.vkAllocateMemory(e->device, &allocation, NULL, &out->memory);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY) {
        char asked[32], used[32];
        ad_bytes_text(out->bytes, asked);
        ad_bytes_text(e->allocated_bytes, used);
        status = ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "%s has no %s of memory left (%s in use here)",
                         e->physical.info.name, asked, used);
        goto done;
    }
    VK(result);
    e->allocated_bytes += out->bytes;
    VK(e->vk.vkBindBufferMemory(e->device, out->handle, out->memory, 0));
    if (staging || e->mapped) {
        void *address = NULL;
        VK(e->vk.vkMapMemory(e->device, out->memory, 0, VK_WHOLE_SIZE, 0, &address));
        out->mapped = address;
    }
done:
    if (status != ADATOM_OK) ad_vk_buffer_clear(e, out);
    return status;
}

/* Every arena buffer is created alike, so one buffer tells which memory types they may all use. */
adatom_status ad_vk_memory_init(vk_engine *e) {
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    const VkPhysicalDeviceMemoryProperties *memory = &e->physical.memory;
    VkBuffer probe = VK_NULL_HANDLE;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = AD_TENSOR_ALIGN_BYTES, .usage = arena_usage};
    VK(e->vk.vkCreateBuffer(e->device, &info, NULL, &probe));
    VkMemoryRequirements needs;
    e->vk.vkGetBufferMemoryRequirements(e->device, probe, &needs);
    e->vk.vkDestroyBuffer(e->device, probe, NULL);

    int heap = -1;
    for (uint32_t i = 0; i < memory->memoryHeapCount; i++)
        if ((memory->memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) &&
            (heap < 0 || memory->memoryHeaps[i].size > memory->memoryHeaps[heap].size))
            heap = (int)i;
    /* Mapped directly only where the host's caches serve it too (integrated and software devices): reading uncached
     * memory over the bus is far slower than a copy, and the small mappable window of older GPUs is not for arenas. */
    const VkMemoryPropertyFlags direct = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                         VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    int type = find_type(memory, needs.memoryTypeBits, direct, heap);
    e->mapped = type >= 0;
    if (type < 0) type = find_type(memory, needs.memoryTypeBits, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, heap);
    if (type < 0) type = find_type(memory, needs.memoryTypeBits, 0, -1);
    e->memory_type = (uint32_t)type;
done:
    return status;
}

void ad_vk_memory_clear(vk_engine *e) { ad_vk_buffer_clear(e, &e->staging); }

size_t ad_vk_memory_free_bytes(const vk_engine *e) {
    const uint32_t heap = e->physical.memory.memoryTypes[e->memory_type].heapIndex;
    VkDeviceSize bytes = e->physical.memory.memoryHeaps[heap].size;
    if (e->physical.memory_budget) {
        VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
        VkPhysicalDeviceMemoryProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2,
                                                 .pNext = &budget};
        e->instance.vk.vkGetPhysicalDeviceMemoryProperties2(e->physical.handle, &all);
        bytes = budget.heapBudget[heap] - AD_MIN(budget.heapBudget[heap], budget.heapUsage[heap]);
    } else {
        bytes = bytes / 5 * 4; /* without the extension: leave a fifth to others */
        bytes -= AD_MIN(bytes, (VkDeviceSize)e->allocated_bytes);
    }
    /* The memory of software devices is the host's, which is shared with everything else that runs. */
    const uint64_t available = e->physical.software ? ad_available_bytes() : 0;
    if (available) bytes = AD_MIN(bytes, (VkDeviceSize)available / 5 * 4);
    return (size_t)AD_MIN(bytes, (VkDeviceSize)SIZE_MAX);
}

adatom_status ad_vk_buffer_init(vk_engine *e, size_t bytes, vk_buffer *out) { return allocate(e, bytes, false, out); }
adatom_status ad_vk_staging_init(vk_engine *e, size_t bytes, vk_buffer *out) { return allocate(e, bytes, true, out); }

void ad_vk_buffer_clear(vk_engine *e, vk_buffer *buffer) {
    if (buffer->memory) e->allocated_bytes -= buffer->bytes;
    e->vk.vkDestroyBuffer(e->device, buffer->handle, NULL);
    e->vk.vkFreeMemory(e->device, buffer->memory, NULL);
    *buffer = (vk_buffer){0};
}

adatom_status ad_vk_buffer_check(vk_engine *e, const vk_buffer *buffer, size_t offset, size_t bytes) {
    if (offset <= buffer->bytes && bytes <= buffer->bytes - offset) return ADATOM_OK;
    return ad_fail(e->base.ctx, ADATOM_USAGE, "bytes %zu..%zu asked for of a buffer of %zu", offset, offset + bytes,
                   buffer->bytes);
}

static adatom_status copy(vk_engine *e, VkBuffer from, VkDeviceSize from_offset, VkBuffer to, VkDeviceSize to_offset,
                          VkDeviceSize bytes) {
    adatom_context *ctx = e->base.ctx;
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
    VK(e->vk.vkBeginCommandBuffer(e->copy_commands, &begin));
    e->vk.vkCmdPipelineBarrier(e->copy_commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                               VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &before, 0, NULL, 0, NULL);
    e->vk.vkCmdCopyBuffer(e->copy_commands, from, to, 1, &region);
    e->vk.vkCmdPipelineBarrier(e->copy_commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                               &after, 0, NULL, 0, NULL);
    VK(e->vk.vkEndCommandBuffer(e->copy_commands));
    AD_TRY(ad_vk_submit(e, &e->copy_commands, 1));
done:
    return status;
}

adatom_status ad_vk_buffer_write(vk_engine *e, vk_buffer *buffer, size_t offset, const void *data, size_t bytes) {
    adatom_status status = ADATOM_OK;
    AD_TRY(ad_vk_buffer_check(e, buffer, offset, bytes));
    if (buffer->mapped) {
        if (bytes) memcpy(buffer->mapped + offset, data, bytes);
        goto done;
    }
    if (!e->staging.handle)
        AD_TRY(allocate(e, AD_MIN((size_t)STAGING_BYTES, e->physical.allocation_bytes), true, &e->staging));
    for (size_t at = 0; at < bytes; at += e->staging.bytes) {
        const size_t n = AD_MIN(bytes - at, e->staging.bytes);
        memcpy(e->staging.mapped, (const char *)data + at, n);
        AD_TRY(copy(e, e->staging.handle, 0, buffer->handle, offset + at, n));
    }
done:
    return status;
}

adatom_status ad_vk_buffer_read(vk_engine *e, vk_buffer *buffer, size_t offset, void *data, size_t bytes) {
    adatom_status status = ADATOM_OK;
    AD_TRY(ad_vk_buffer_check(e, buffer, offset, bytes));
    if (buffer->mapped) {
        if (bytes) memcpy(data, buffer->mapped + offset, bytes);
        goto done;
    }
    if (!e->staging.handle)
        AD_TRY(allocate(e, AD_MIN((size_t)STAGING_BYTES, e->physical.allocation_bytes), true, &e->staging));
    for (size_t at = 0; at < bytes; at += e->staging.bytes) {
        const size_t n = AD_MIN(bytes - at, e->staging.bytes);
        AD_TRY(copy(e, buffer->handle, offset + at, e->staging.handle, 0, n));
        memcpy((char *)data + at, e->staging.mapped, n);
    }
done:
    return status;
}
