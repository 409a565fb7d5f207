/* Physical devices: what they are and what they can do. */
#include "vk/core/capabilities.h"
#include "vk/core/matrix_units.h"

#include <stdio.h>
#include <string.h>

static bool is_software(VkPhysicalDeviceType type, VkDriverId driver) {
    return type == VK_PHYSICAL_DEVICE_TYPE_CPU || driver == VK_DRIVER_ID_MESA_LLVMPIPE ||
           driver == VK_DRIVER_ID_GOOGLE_SWIFTSHADER;
}

static const char *type_name(VkPhysicalDeviceType type) {
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return "discrete";
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return "integrated";
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return "virtual";
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return "software";
    default: return "other";
    }
}

/* A queue family with compute, best one with timestamps; among equals one without graphics, which runs beside a
 * desktop. */
static bool find_queue(const vk_instance *instance, VkPhysicalDevice handle, uint32_t *family,
                       uint32_t *timestamp_bits) {
    VkQueueFamilyProperties families[32];
    uint32_t count = AD_COUNT(families);
    instance->vk.vkGetPhysicalDeviceQueueFamilyProperties(handle, &count, families);
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

/* Workgroups and push constants of the kernels: what Vulkan asks of every device (lower_*.c keeps to it; validated
 * under those limits). */
enum { LEAST_INVOCATIONS = 128, LEAST_SHARED_BYTES = 16384 };

/* Whether the device offers what every kernel takes for granted; the other limits decide between variants and sizes
 * (vk/program/choose.c). */
static bool suffices(const VkPhysicalDeviceLimits *l, const vk_needs *least, char *reason, size_t size) {
    const uint32_t buffers = least->bindings;
    const struct {
        const char *what;
        uint32_t needed, offered;
    } needs[] = {
        {"bind %u storage buffers a stage", buffers, l->maxPerStageDescriptorStorageBuffers},
        {"bind %u storage buffers a set", buffers, l->maxDescriptorSetStorageBuffers},
        {"bind %u texel buffers a stage", buffers, l->maxPerStageDescriptorSampledImages},
        {"bind %u texel buffers a set", buffers, l->maxDescriptorSetSampledImages},
        {"bind %u resources a stage", buffers, l->maxPerStageResources},
        {"take %u bytes of push constants", least->push_bytes, l->maxPushConstantsSize},
        {"run %u invocations a workgroup", LEAST_INVOCATIONS, l->maxComputeWorkGroupInvocations},
        {"run %u invocations on a workgroup's first axis", LEAST_INVOCATIONS, l->maxComputeWorkGroupSize[0]},
        {"use %u bytes of shared memory", LEAST_SHARED_BYTES, l->maxComputeSharedMemorySize},
    };
    for (size_t i = 0; i < AD_COUNT(needs); i++) {
        if (needs[i].offered >= needs[i].needed) continue;
        char need[96];
        snprintf(need, sizeof need, needs[i].what, needs[i].needed);
        snprintf(reason, size, "kernels %s, this device allows %u", need, needs[i].offered);
        return false;
    }
    return true;
}

/* What every Vulkan device tells, of version 1.0 too. */
static void describe_basics(const vk_instance *instance, vk_physical *out) {
    instance->vk.vkGetPhysicalDeviceProperties(out->handle, &out->properties);
    const VkPhysicalDeviceProperties *p = &out->properties;
    adatom_device_info *info = &out->info;
    snprintf(info->backend, sizeof info->backend, "vulkan");
    snprintf(info->name, sizeof info->name, "%s", p->deviceName);
    snprintf(info->type, sizeof info->type, "%s", type_name(p->deviceType));
    out->software = is_software(p->deviceType, (VkDriverId)0);
    info->vendor_id = p->vendorID;
    info->device_id = p->deviceID;
    info->tensor_bytes = p->limits.maxStorageBufferRange;
    snprintf(info->driver_info, sizeof info->driver_info, "0x%08x", p->driverVersion);
    snprintf(info->api, sizeof info->api, "%u.%u.%u", VK_API_VERSION_MAJOR(p->apiVersion) & 0x7f,
             VK_API_VERSION_MINOR(p->apiVersion) & 0x3ff, VK_API_VERSION_PATCH(p->apiVersion) & 0xfff);
    instance->vk.vkGetPhysicalDeviceMemoryProperties(out->handle, &out->memory);
    for (uint32_t i = 0; i < out->memory.memoryHeapCount; i++)
        if (out->memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
            info->memory_bytes = AD_MAX(info->memory_bytes, out->memory.memoryHeaps[i].size);
    ad_vk_capabilities_begin(out);
}

/* Extensions of the device; ad_free(*out). None and a reason where the driver fails to list them. */
static adatom_status list_extensions(const vk_instance *instance, vk_physical *device, VkExtensionProperties **out,
                                     uint32_t *count) {
    *count = 0;
    VkResult result = instance->vk.vkEnumerateDeviceExtensionProperties(device->handle, NULL, count, NULL);
    if (!(*out = ad_calloc(instance->ctx, *count, sizeof **out))) return ADATOM_OUT_OF_MEMORY;
    if (result >= 0) result = instance->vk.vkEnumerateDeviceExtensionProperties(device->handle, NULL, count, *out);
    if (result < 0) {
        *count = 0;
        snprintf(device->info.reason, sizeof device->info.reason, "its extensions cannot be listed: %s",
                 ad_vk_result_name(result));
    }
    return ADATOM_OK;
}

static adatom_status describe(const vk_instance *instance, const vk_needs *needs, VkPhysicalDevice handle,
                              vk_physical *out) {
    VkExtensionProperties *extensions = NULL;
    uint32_t count = 0;
    memset(out, 0, sizeof *out);
    out->handle = handle;
    describe_basics(instance, out);
    adatom_device_info *info = &out->info;
    if (out->properties.apiVersion < VK_API_VERSION_1_1) {
        snprintf(info->reason, sizeof info->reason, "its driver offers Vulkan %s, 1.1 is needed", info->api);
        return ADATOM_OK;
    }
    if (!find_queue(instance, handle, &out->queue_family, &out->timestamp_bits)) {
        snprintf(info->reason, sizeof info->reason, "it has no queue for compute");
        return ADATOM_OK;
    }
    info->timer = out->timestamp_bits > 0;
    adatom_status status = list_extensions(instance, out, &extensions, &count);
    if (status != ADATOM_OK) return status;
    bool pci = false, driver = false;
    for (uint32_t i = 0; i < count; i++) {
        const char *name = extensions[i].extensionName;
        pci |= !strcmp(name, VK_EXT_PCI_BUS_INFO_EXTENSION_NAME);
        driver |= !strcmp(name, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME);
        out->memory_budget |= !strcmp(name, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
        out->portability_subset |= !strcmp(name, "VK_KHR_portability_subset");
    }
    ad_vk_arithmetic_find(instance, extensions, count, needs->matrix_khr, out);
    ad_vk_capabilities_find(instance, extensions, count, out);
    ad_free(extensions);

    VkPhysicalDevicePCIBusInfoPropertiesEXT bus = {.sType =
                                                       VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PCI_BUS_INFO_PROPERTIES_EXT};
    VkPhysicalDeviceDriverProperties drv = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceMaintenance3Properties maintenance = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES,
                                                   .pNext = &maintenance};
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, .pNext = &subgroup};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &id};
    if (pci) {
        bus.pNext = all.pNext;
        all.pNext = &bus;
    }
    if (driver) {
        drv.pNext = all.pNext;
        all.pNext = &drv;
    }
    instance->vk.vkGetPhysicalDeviceProperties2(handle, &all);
    memcpy(out->uuid, id.deviceUUID, sizeof out->uuid);
    out->subgroup = AD_MAX(subgroup.subgroupSize, 1);
    out->shuffle = (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
                   (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT);
    out->allocation_bytes = (size_t)AD_MIN(maintenance.maxMemoryAllocationSize, (VkDeviceSize)SIZE_MAX);
    for (size_t i = 0; i < VK_UUID_SIZE; i++) snprintf(info->uuid + 2 * i, 3, "%02x", out->uuid[i]);
    if (pci)
        snprintf(info->pci, sizeof info->pci, "%04x:%02x:%02x.%x", bus.pciDomain & 0xffff, bus.pciBus & 0xff,
                 bus.pciDevice & 0xff, bus.pciFunction & 0xf);
    if (driver) {
        out->software = is_software(out->properties.deviceType, drv.driverID);
        if (out->software) snprintf(info->type, sizeof info->type, "software");
        snprintf(info->driver_name, sizeof info->driver_name, "%s", drv.driverName);
        snprintf(info->driver_info, sizeof info->driver_info, "%s", drv.driverInfo);
    }
    info->usable = !info->reason[0] && suffices(&out->properties.limits, needs, info->reason, sizeof info->reason);
    return ADATOM_OK;
}

adatom_status ad_vk_physical_list(const vk_instance *instance, const vk_needs *needs, vk_physical **out, int *count) {
    adatom_context *ctx = instance->ctx;
    adatom_status status = ADATOM_OK;
    VkPhysicalDevice handles[64];
    uint32_t found = AD_COUNT(handles);
    *out = NULL;
    *count = 0;
    VkResult enumerated = instance->vk.vkEnumeratePhysicalDevices(instance->handle, &found, handles);
    if (enumerated == VK_ERROR_INITIALIZATION_FAILED)
        found = 0; /* every driver refused to start: as if there were none */
    else if (enumerated < 0)
        return ad_vk_fail(ctx, enumerated, "vkEnumeratePhysicalDevices", __FILE__, __LINE__);
    if (!(*out = ad_calloc(ctx, found, sizeof **out))) return ADATOM_OUT_OF_MEMORY;
    for (; (uint32_t)*count < found && status == ADATOM_OK; (*count)++)
        status = describe(instance, needs, handles[*count], &(*out)[*count]);
    if (status != ADATOM_OK) {
        ad_free(*out);
        *out = NULL;
        *count = 0;
    }
    return status;
}
