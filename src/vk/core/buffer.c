#include "vk/core/buffer.h"

#include <string.h>

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

static adatom_status allocate(vk_device *d, size_t bytes, bool staging, vk_buffer *out) {
    adatom_context *ctx = d->ctx;
    adatom_status status = ADATOM_OK;
    *out = (vk_buffer){.bytes = (AD_MAX(bytes, 1) + AD_TENSOR_ALIGN_BYTES - 1) / AD_TENSOR_ALIGN_BYTES *
                                AD_TENSOR_ALIGN_BYTES};
    if (out->bytes > d->physical.allocation_bytes || out->bytes < bytes)
        return ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "%zu bytes asked for in one piece; %s allows %zu", bytes,
                       d->physical.info.name, d->physical.allocation_bytes);
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = out->bytes, .usage = staging ? copy_usage : arena_usage};
    VK(d->vk.vkCreateBuffer(d->handle, &info, NULL, &out->handle));
    VkMemoryRequirements needs;
    d->vk.vkGetBufferMemoryRequirements(d->handle, out->handle, &needs);

    int type = (int)d->memory_type;
    if (staging) {
        const VkMemoryPropertyFlags visible =
            VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
        type = find_type(&d->physical.memory, needs.memoryTypeBits, visible | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, -1);
        if (type < 0) type = find_type(&d->physical.memory, needs.memoryTypeBits, visible, -1);
    }
    const VkMemoryAllocateInfo allocation = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                             .allocationSize = needs.size,
                                             .memoryTypeIndex = (uint32_t)type};
    VkResult result = d->vk.vkAllocateMemory(d->handle, &allocation, NULL, &out->memory);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY) {
        char asked[32], used[32];
        ad_bytes_text(out->bytes, asked);
        ad_bytes_text(d->allocated_bytes, used);
        status = ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "%s has no %s of memory left (%s in use here)",
                         d->physical.info.name, asked, used);
        goto done;
    }
    VK(result);
    d->allocated_bytes += out->bytes;
    VK(d->vk.vkBindBufferMemory(d->handle, out->handle, out->memory, 0));
    if (staging || d->mapped) {
        void *address = NULL;
        VK(d->vk.vkMapMemory(d->handle, out->memory, 0, VK_WHOLE_SIZE, 0, &address));
        out->mapped = address;
    }
done:
    if (status != ADATOM_OK) ad_vk_buffer_clear(d, out);
    return status;
}

/* Every arena buffer is created alike, so one buffer tells which memory types they may all use. */
adatom_status ad_vk_memory_init(vk_device *d) {
    adatom_context *ctx = d->ctx;
    adatom_status status = ADATOM_OK;
    const VkPhysicalDeviceMemoryProperties *memory = &d->physical.memory;
    VkBuffer probe = VK_NULL_HANDLE;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = AD_TENSOR_ALIGN_BYTES, .usage = arena_usage};
    VK(d->vk.vkCreateBuffer(d->handle, &info, NULL, &probe));
    VkMemoryRequirements needs;
    d->vk.vkGetBufferMemoryRequirements(d->handle, probe, &needs);
    d->vk.vkDestroyBuffer(d->handle, probe, NULL);

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
    d->mapped = type >= 0;
    if (type < 0) type = find_type(memory, needs.memoryTypeBits, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, heap);
    if (type < 0) type = find_type(memory, needs.memoryTypeBits, 0, -1);
    d->memory_type = (uint32_t)type;
done:
    return status;
}

size_t ad_vk_memory_free_bytes(const vk_device *d) {
    const uint32_t heap = d->physical.memory.memoryTypes[d->memory_type].heapIndex;
    VkDeviceSize bytes = d->physical.memory.memoryHeaps[heap].size;
    if (d->physical.memory_budget) {
        VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
        VkPhysicalDeviceMemoryProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2,
                                                 .pNext = &budget};
        d->instance->vk.vkGetPhysicalDeviceMemoryProperties2(d->physical.handle, &all);
        bytes = budget.heapBudget[heap] - AD_MIN(budget.heapBudget[heap], budget.heapUsage[heap]);
    } else {
        bytes = bytes / 5 * 4; /* without the extension: leave a fifth to others */
        bytes -= AD_MIN(bytes, (VkDeviceSize)d->allocated_bytes);
    }
    /* The memory of software devices is the host's, which is shared with everything else that runs. */
    const uint64_t available = d->physical.software ? ad_available_bytes() : 0;
    if (available) bytes = AD_MIN(bytes, (VkDeviceSize)available / 5 * 4);
    return (size_t)AD_MIN(bytes, (VkDeviceSize)SIZE_MAX);
}

adatom_status ad_vk_buffer_init(vk_device *d, size_t bytes, vk_buffer *out) { return allocate(d, bytes, false, out); }
adatom_status ad_vk_staging_init(vk_device *d, size_t bytes, vk_buffer *out) { return allocate(d, bytes, true, out); }

void ad_vk_buffer_clear(vk_device *d, vk_buffer *buffer) {
    if (buffer->memory) d->allocated_bytes -= buffer->bytes;
    d->vk.vkDestroyBuffer(d->handle, buffer->handle, NULL);
    d->vk.vkFreeMemory(d->handle, buffer->memory, NULL);
    *buffer = (vk_buffer){0};
}

adatom_status ad_vk_buffer_check(const vk_device *d, const vk_buffer *buffer, size_t offset, size_t bytes) {
    if (offset <= buffer->bytes && bytes <= buffer->bytes - offset) return ADATOM_OK;
    return ad_fail(d->ctx, ADATOM_USAGE, "bytes %zu..%zu asked for of a buffer of %zu", offset, offset + bytes,
                   buffer->bytes);
}
