#include "vk/core/buffer.h"

#include <string.h>

static const VkBufferUsageFlags copy_usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
static const VkBufferUsageFlags arena_usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT |
                                              VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                              VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT;

static uint32_t heap_of(const vk_device *d, uint32_t type) { return d->physical.memory.memoryTypes[type].heapIndex; }

/* Bytes of the heap that may be had now. */
static VkDeviceSize free_bytes(const vk_device *d, uint32_t heap) {
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
        bytes -= AD_MIN(bytes, (VkDeviceSize)d->allocated_bytes[heap]);
    }
    /* The memory of software devices is the host's, which is shared with everything else that runs. */
    const uint64_t available = d->physical.software ? ad_available_bytes() : 0;
    return available ? AD_MIN(bytes, (VkDeviceSize)available / 5 * 4) : bytes;
}

static VkResult allocate_of(vk_device *d, const VkMemoryRequirements *needs, uint32_t type, vk_buffer *out) {
    const VkMemoryAllocateInfo allocation = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = needs->size, .memoryTypeIndex = type};
    out->heap = heap_of(d, type);
    if (!(needs->memoryTypeBits >> type & 1) || needs->size > d->physical.memory.memoryHeaps[out->heap].size)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return d->vk.vkAllocateMemory(d->handle, &allocation, NULL, &out->memory);
}

static bool no_memory(VkResult result) {
    return result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY;
}

/* The device's memory in the order of choice: first where it is free, then, as the driver may know better, anywhere. */
static VkResult allocate_chosen(vk_device *d, const VkMemoryRequirements *needs, vk_buffer *out, bool *direct) {
    VkResult result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    for (int free_only = 1; free_only >= 0; free_only--)
        for (int i = 0; i < d->memory_count && no_memory(result); i++) {
            const vk_memory_choice *choice = &d->memory[i];
            if (free_only != (free_bytes(d, heap_of(d, choice->type)) >= needs->size)) continue;
            result = allocate_of(d, needs, choice->type, out);
            *direct = choice->direct && d->mapped;
        }
    return result;
}

static adatom_status refuse(const vk_device *d, size_t bytes) {
    char asked[32], used[32];
    size_t all = 0;
    for (uint32_t h = 0; h < d->physical.memory.memoryHeapCount; h++) all += d->allocated_bytes[h];
    ad_bytes_text(bytes, asked);
    ad_bytes_text(all, used);
    return ad_fail(d->ctx, ADATOM_OUT_OF_MEMORY, "%s has no %s of memory left (%s in use here)", d->physical.info.name,
                   asked, used);
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
    bool direct = true;
    const int type = staging ? ad_vk_memory_staging(&d->physical.memory, needs.memoryTypeBits) : 0;
    if (type < 0) {
        status = ad_fail(ctx, ADATOM_UNSUPPORTED, "%s has no memory that the host sees", d->physical.info.name);
        goto done;
    }
    const VkResult result =
        staging ? allocate_of(d, &needs, (uint32_t)type, out) : allocate_chosen(d, &needs, out, &direct);
    if (no_memory(result)) {
        status = refuse(d, out->bytes);
        goto done;
    }
    VK(result);
    d->allocated_bytes[out->heap] += out->bytes;
    VK(d->vk.vkBindBufferMemory(d->handle, out->handle, out->memory, 0));
    if (direct) {
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
    VkBuffer probe = VK_NULL_HANDLE;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = AD_TENSOR_ALIGN_BYTES, .usage = arena_usage};
    VK(d->vk.vkCreateBuffer(d->handle, &info, NULL, &probe));
    VkMemoryRequirements needs;
    d->vk.vkGetBufferMemoryRequirements(d->handle, probe, &needs);
    d->vk.vkDestroyBuffer(d->handle, probe, NULL);
    d->memory_count =
        ad_vk_memory_choices(&d->physical.memory, needs.memoryTypeBits, d->physical.properties.deviceType, d->memory);
    if (!d->memory_count)
        status = ad_fail(ctx, ADATOM_UNSUPPORTED, "%s has no memory for buffers", d->physical.info.name);
done:
    return status;
}

size_t ad_vk_memory_free_bytes(const vk_device *d) {
    return (size_t)AD_MIN(free_bytes(d, heap_of(d, d->memory[0].type)), (VkDeviceSize)SIZE_MAX);
}

size_t ad_vk_memory_largest_buffer(const vk_device *d) {
    const VkDeviceSize heap = d->physical.memory.memoryHeaps[heap_of(d, d->memory[0].type)].size;
    return (size_t)AD_MIN(heap, d->physical.allocation_bytes) / AD_TENSOR_ALIGN_BYTES * AD_TENSOR_ALIGN_BYTES;
}

adatom_status ad_vk_buffer_init(vk_device *d, size_t bytes, vk_buffer *out) { return allocate(d, bytes, false, out); }
adatom_status ad_vk_staging_init(vk_device *d, size_t bytes, vk_buffer *out) { return allocate(d, bytes, true, out); }

void ad_vk_buffer_clear(vk_device *d, vk_buffer *buffer) {
    if (buffer->memory) d->allocated_bytes[buffer->heap] -= buffer->bytes;
    if (!d->abandoned) {
        d->vk.vkDestroyBuffer(d->handle, buffer->handle, NULL);
        d->vk.vkFreeMemory(d->handle, buffer->memory, NULL);
    }
    *buffer = (vk_buffer){0};
}

adatom_status ad_vk_buffer_check(const vk_device *d, const vk_buffer *buffer, size_t offset, size_t bytes) {
    if (offset <= buffer->bytes && bytes <= buffer->bytes - offset) return ADATOM_OK;
    return ad_fail(d->ctx, ADATOM_USAGE, "bytes %zu..%zu asked for of a buffer of %zu", offset, offset + bytes,
                   buffer->bytes);
}
