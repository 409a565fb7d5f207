#include "vk/core/logical_device.h"
#include "vk/core/matrix_units.h"

static adatom_status fetch_functions(const vk_instance *instance, VkDevice device, vk_device_functions *out) {
#define FETCH(name)                                                                                                    \
    out->name = (PFN_##name)instance->vk.vkGetDeviceProcAddr(device, #name);                                           \
    if (!out->name) missing = #name;
    const char *missing = NULL;
    AD_VK_DEVICE_FUNCTIONS(FETCH)
#undef FETCH
    if (!missing) return ADATOM_OK;
    return ad_fail(instance->ctx, ADATOM_FAILED, "the Vulkan driver lacks the function %s", missing);
}

adatom_status ad_vk_device_open(const vk_instance *instance, const vk_physical *physical, bool half, vk_device *out) {
    adatom_context *ctx = instance->ctx;
    adatom_status status = ADATOM_OK;
    const float priority = 1;
    const char *extensions[1 + VK_ARITHMETIC_EXTENSIONS];
    uint32_t extension_count = 0;
    vk_arithmetic arithmetic = {0};
    *out = (vk_device){.ctx = ctx, .instance = instance, .physical = *physical, .mapped = true};
    if (physical->portability_subset) extensions[extension_count++] = "VK_KHR_portability_subset";
    const void *features = ad_vk_arithmetic_enable(physical, half, &arithmetic, extensions, &extension_count);
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = physical->queue_family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = features,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue,
                                     .enabledExtensionCount = extension_count,
                                     .ppEnabledExtensionNames = extensions};
    VK(instance->vk.vkCreateDevice(physical->handle, &info, NULL, &out->handle));
    AD_TRY(fetch_functions(instance, out->handle, &out->vk));
done:
    return status;
}

void ad_vk_device_close(vk_device *device) {
    if (device->handle && device->vk.vkDestroyDevice && !device->abandoned)
        device->vk.vkDestroyDevice(device->handle, NULL);
    device->handle = VK_NULL_HANDLE;
}
