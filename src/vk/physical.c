/* Physical devices: what they are and what they can do. */
#include "vk/internal.h"

#include <stdio.h>
#include <string.h>

static const char *type_name(VkPhysicalDeviceType type) {
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return "discrete";
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return "integrated";
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return "virtual";
    default: return "software"; /* CPU: llvmpipe, SwiftShader; OTHER is not worth more trust */
    }
}

/* A queue family with compute, best one with timestamps; among equals one without graphics, which runs beside a desktop. */
static bool find_queue(VkPhysicalDevice handle, uint32_t *family, uint32_t *timestamp_bits) {
    VkQueueFamilyProperties families[32];
    uint32_t count = AD_COUNT(families);
    vkGetPhysicalDeviceQueueFamilyProperties(handle, &count, families);
    int best = -1;
    for (uint32_t i = 0; i < count; i++) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || !families[i].queueCount) continue;
        int score = (families[i].timestampValidBits ? 2 : 0) + (families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT ? 0 : 1);
        if (score <= best) continue;
        best = score;
        *family = i;
        *timestamp_bits = families[i].timestampValidBits;
    }
    return best >= 0;
}

static bool describe(const vk_instance *instance, VkPhysicalDevice handle, vk_physical *out, adatom_status *status) {
    adatom_context *ctx = instance->ctx;
    memset(out, 0, sizeof *out);
    out->handle = handle;
    vkGetPhysicalDeviceProperties(handle, &out->properties);
    if (out->properties.apiVersion < VK_API_VERSION_1_1 || !find_queue(handle, &out->queue_family, &out->timestamp_bits)) return false;

    uint32_t count = 0;
    VkExtensionProperties *extensions = NULL;
    if (vkEnumerateDeviceExtensionProperties(handle, NULL, &count, NULL) < 0) return false;
    if (!(extensions = ad_calloc(ctx, count, sizeof *extensions))) {
        *status = ADATOM_OUT_OF_MEMORY;
        return false;
    }
    bool pci = false, driver = false;
    if (vkEnumerateDeviceExtensionProperties(handle, NULL, &count, extensions) < 0) count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const char *name = extensions[i].extensionName;
        pci |= !strcmp(name, VK_EXT_PCI_BUS_INFO_EXTENSION_NAME);
        driver |= !strcmp(name, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME);
        out->memory_budget |= !strcmp(name, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
        out->portability_subset |= !strcmp(name, "VK_KHR_portability_subset");
    }
    ad_vk_arithmetic_find(instance->handle, extensions, count, out);
    ad_free(extensions);

    VkPhysicalDevicePCIBusInfoPropertiesEXT bus = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PCI_BUS_INFO_PROPERTIES_EXT};
    VkPhysicalDeviceDriverProperties drv = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceMaintenance3Properties maintenance = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES, .pNext = &maintenance};
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, .pNext = &subgroup};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &id};
    if (pci) bus.pNext = all.pNext, all.pNext = &bus;
    if (driver) drv.pNext = all.pNext, all.pNext = &drv;
    vkGetPhysicalDeviceProperties2(handle, &all);
    vkGetPhysicalDeviceMemoryProperties(handle, &out->memory);
    memcpy(out->uuid, id.deviceUUID, sizeof out->uuid);
    out->subgroup = AD_MAX(subgroup.subgroupSize, 1);
    out->shuffle =
        (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) && (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT);
    out->allocation_bytes = (size_t)AD_MIN(maintenance.maxMemoryAllocationSize, (VkDeviceSize)SIZE_MAX);

    const VkPhysicalDeviceProperties *p = &out->properties;
    adatom_device_info *info = &out->info;
    snprintf(info->backend, sizeof info->backend, "vulkan");
    snprintf(info->name, sizeof info->name, "%s", p->deviceName);
    snprintf(info->type, sizeof info->type, "%s", type_name(p->deviceType));
    out->software = !strcmp(info->type, "software");
    info->vendor_id = p->vendorID;
    info->device_id = p->deviceID;
    for (size_t i = 0; i < VK_UUID_SIZE; i++) snprintf(info->uuid + 2 * i, 3, "%02x", out->uuid[i]);
    if (pci)
        snprintf(info->pci, sizeof info->pci, "%04x:%02x:%02x.%x", bus.pciDomain & 0xffff, bus.pciBus & 0xff, bus.pciDevice & 0xff,
                 bus.pciFunction & 0xf);
    if (driver) {
        snprintf(info->driver_name, sizeof info->driver_name, "%s", drv.driverName);
        snprintf(info->driver_info, sizeof info->driver_info, "%s", drv.driverInfo);
    } else {
        snprintf(info->driver_info, sizeof info->driver_info, "0x%08x", p->driverVersion);
    }
    snprintf(info->api, sizeof info->api, "%u.%u.%u", VK_API_VERSION_MAJOR(p->apiVersion) & 0x7f,
             VK_API_VERSION_MINOR(p->apiVersion) & 0x3ff, VK_API_VERSION_PATCH(p->apiVersion) & 0xfff);
    for (uint32_t i = 0; i < out->memory.memoryHeapCount; i++)
        if (out->memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
            info->memory_bytes = AD_MAX(info->memory_bytes, out->memory.memoryHeaps[i].size);
    info->tensor_bytes = p->limits.maxStorageBufferRange;
    info->timer = out->timestamp_bits > 0;
    return true;
}

adatom_status ad_vk_physical_list(const vk_instance *instance, vk_physical **out, int *count) {
    adatom_context *ctx = instance->ctx;
    adatom_status status = ADATOM_OK;
    VkPhysicalDevice handles[64];
    uint32_t found = AD_COUNT(handles);
    *out = NULL;
    *count = 0;
    VkResult enumerated = vkEnumeratePhysicalDevices(instance->handle, &found, handles);
    if (enumerated == VK_ERROR_INITIALIZATION_FAILED)
        found = 0; /* every driver refused to start: as if there were none */
    else if (enumerated < 0)
        return ad_vk_fail(ctx, enumerated, "vkEnumeratePhysicalDevices", __FILE__, __LINE__);
    if (!(*out = ad_calloc(ctx, found, sizeof **out))) return ADATOM_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < found && status == ADATOM_OK; i++)
        if (describe(instance, handles[i], &(*out)[*count], &status)) (*count)++;
    if (status != ADATOM_OK) {
        ad_free(*out);
        *out = NULL;
        *count = 0;
    }
    return status;
}

adatom_status ad_vk_list(adatom_context *ctx, adatom_device_info *infos, size_t capacity, size_t *count) {
    vk_instance instance;
    vk_physical *devices = NULL;
    int found = 0;
    *count = 0;
    adatom_status status = ad_vk_instance_init(ctx, false, &instance);
    if (status != ADATOM_OK || !instance.handle) return status;
    AD_TRY(ad_vk_physical_list(&instance, &devices, &found));
    for (int i = 0; i < found && (size_t)i < capacity; i++) {
        infos[i] = devices[i].info;
        infos[i].index = i;
    }
    *count = (size_t)found;
done:
    ad_free(devices);
    ad_vk_instance_clear(&instance);
    return status;
}
