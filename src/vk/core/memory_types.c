#include "vk/core/memory_types.h"

static const VkMemoryPropertyFlags forbidden =
    VK_MEMORY_PROPERTY_PROTECTED_BIT | VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT |
    VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD | VK_MEMORY_PROPERTY_DEVICE_UNCACHED_BIT_AMD |
    VK_MEMORY_PROPERTY_RDMA_CAPABLE_BIT_NV;
static const VkMemoryPropertyFlags visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
static const VkMemoryPropertyFlags cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
#define SMALL_HEAP_BYTES ((VkDeviceSize)256 << 20)

static bool is_local(const VkPhysicalDeviceMemoryProperties *memory, uint32_t heap) {
    return memory->memoryHeaps[heap].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;
}

/* The first type of `types` in this heap (any: -1) that has all of `flags`; -1: none. */
static int find_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t types, VkMemoryPropertyFlags flags,
                     int heap) {
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        const VkMemoryType *type = &memory->memoryTypes[i];
        if (!(types >> i & 1) || type->propertyFlags & forbidden || (type->propertyFlags & flags) != flags) continue;
        if (heap < 0 || type->heapIndex == (uint32_t)heap) return (int)i;
    }
    return -1;
}

/* Mapped directly only where the host's caches serve the memory, too (integrated and software devices, the host's own):
 * reading uncached memory over the bus is far slower than a copy. */
static bool choose_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t types, uint32_t heap,
                        vk_memory_choice *out) {
    const VkMemoryPropertyFlags local = is_local(memory, heap) ? VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT : 0;
    int type = find_type(memory, types, local | visible | cached, (int)heap);
    out->direct = type >= 0;
    if (type < 0) type = find_type(memory, types, local, (int)heap);
    if (type < 0) type = find_type(memory, types, 0, (int)heap);
    out->type = (uint32_t)type;
    return type >= 0;
}

int ad_vk_memory_choices(const VkPhysicalDeviceMemoryProperties *memory, uint32_t types, VkPhysicalDeviceType device,
                         vk_memory_choice out[VK_MAX_MEMORY_HEAPS]) {
    VkDeviceSize largest_local = 0, rank[VK_MAX_MEMORY_HEAPS];
    int count = 0;
    for (uint32_t h = 0; h < memory->memoryHeapCount; h++)
        if (is_local(memory, h) && find_type(memory, types, 0, (int)h) >= 0)
            largest_local = AD_MAX(largest_local, memory->memoryHeaps[h].size);
    const bool by_size = device != VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU || largest_local <= SMALL_HEAP_BYTES;
    for (uint32_t h = 0; h < memory->memoryHeapCount; h++) {
        vk_memory_choice choice;
        if (!choose_type(memory, types, h, &choice)) continue;
        /* Sizes stay below 2^62; of equal ones the device's is first. */
        const VkDeviceSize size = AD_MIN(memory->memoryHeaps[h].size, (VkDeviceSize)1 << 60) * 2 + is_local(memory, h);
        const VkDeviceSize key = size + (by_size || !is_local(memory, h) ? 0 : (VkDeviceSize)1 << 62);
        int at = count++;
        for (; at > 0 && rank[at - 1] < key; at--) {
            rank[at] = rank[at - 1];
            out[at] = out[at - 1];
        }
        rank[at] = key;
        out[at] = choice;
    }
    return count;
}

int ad_vk_memory_staging(const VkPhysicalDeviceMemoryProperties *memory, uint32_t types) {
    const int type = find_type(memory, types, visible | cached, -1);
    return type >= 0 ? type : find_type(memory, types, visible, -1);
}
