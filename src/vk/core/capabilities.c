#include "vk/core/capabilities.h"
#include "vk/core/bfloat16.h"
#include "vk/core/chain.h"
#include "vk/core/coopmat.h"

#include <stdio.h>

/* ---- memory ---- */

static bool is_unified(const VkPhysicalDeviceMemoryProperties *memory, VkPhysicalDeviceType type) {
    const VkMemoryPropertyFlags both = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
    if (type == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU) return true;
    for (uint32_t i = 0; memory->memoryHeapCount == 1 && i < memory->memoryTypeCount; i++)
        if ((memory->memoryTypes[i].propertyFlags & both) == both) return true;
    return false;
}

void ad_vk_capabilities_begin(vk_physical *out) {
    const VkPhysicalDeviceLimits *limits = &out->properties.limits;
    out->info.shared_bytes = limits->maxComputeSharedMemorySize;
    out->info.unified_memory = is_unified(&out->memory, out->properties.deviceType);
}

/* ---- matrix units ---- */

enum { MOST_SHAPES = 128, MOST_TYPES = 64 };

typedef struct shape {
    uint32_t m, n, k;
    char types[MOST_TYPES]; /* e.g. "f16→f32" */
} shape;

typedef struct shape_list {
    shape items[MOST_SHAPES];
    uint32_t count;
} shape_list;

/* The name of a value of VkComponentTypeKHR, which are those of VkComponentTypeNV, too. */
static const char *type_name(int type, char other[16]) {
    static const char *const names[] = {"f16", "f32", "f64", "s8", "s16", "s32", "s64", "u8", "u16", "u32", "u64"};
    if (type >= 0 && type < (int)AD_COUNT(names)) return names[type];
    switch (type) {
    case 1000141000: return "bf16";
    case 1000491002: return "e4m3";
    case 1000491003: return "e5m2";
    default: snprintf(other, 16, "type %d", type); return other;
    }
}

/* Adds a shape unless it is there: drivers list one several times, with and without saturation or by scope. */
static void add_shape(shape_list *list, uint32_t m, uint32_t n, uint32_t k, const int types[3]) {
    char other[3][16];
    const char *a = type_name(types[0], other[0]), *b = type_name(types[1], other[1]);
    shape new = {.m = m, .n = n, .k = k};
    snprintf(new.types, sizeof new.types, "%s%s%s→%s", a, types[0] == types[1] ? "" : "*",
             types[0] == types[1] ? "" : b, type_name(types[2], other[2]));
    for (uint32_t i = 0; i < list->count; i++) {
        const shape *s = &list->items[i];
        if (s->m == m && s->n == n && s->k == k && !strcmp(s->types, new.types)) return;
    }
    if (list->count < MOST_SHAPES) list->items[list->count++] = new;
}

static void list_khr(const vk_instance *instance, VkPhysicalDevice handle, shape_list *list) {
    VkCooperativeMatrixPropertiesKHR found[MOST_SHAPES];
    uint32_t count = MOST_SHAPES;
    for (size_t i = 0; i < MOST_SHAPES; i++)
        found[i] = (VkCooperativeMatrixPropertiesKHR){.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR};
    const PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR get =
        instance->vk.vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR;
    if (!get || get(handle, &count, found) < 0) return;
    for (uint32_t i = 0; i < count; i++)
        add_shape(list, found[i].MSize, found[i].NSize, found[i].KSize,
                  (const int[]){(int)found[i].AType, (int)found[i].BType, (int)found[i].ResultType});
}

static void list_nv(const vk_instance *instance, VkPhysicalDevice handle, shape_list *list) {
    VkCooperativeMatrixPropertiesNV found[MOST_SHAPES];
    uint32_t count = MOST_SHAPES;
    for (size_t i = 0; i < MOST_SHAPES; i++)
        found[i] = (VkCooperativeMatrixPropertiesNV){.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_NV};
    const PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesNV get =
        instance->vk.vkGetPhysicalDeviceCooperativeMatrixPropertiesNV;
    if (!get || get(handle, &count, found) < 0) return;
    for (uint32_t i = 0; i < count; i++)
        add_shape(list, found[i].MSize, found[i].NSize, found[i].KSize,
                  (const int[]){(int)found[i].AType, (int)found[i].BType, (int)found[i].DType});
}

/* "16x16x16 16x8x16 f16→f32, 16x16x32 s8→s32": shapes of the same types together; ", ..." for what does not fit. */
static void write_shapes(const shape_list *list, char *out, size_t size) {
    size_t used = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const char *types = list->items[i].types;
        char group[256] = "";
        size_t length = 0;
        bool first = true;
        for (uint32_t j = 0; j < list->count && length < sizeof group; j++) {
            const shape *s = &list->items[j];
            if (strcmp(s->types, types) != 0) continue;
            if (j < i) first = false; /* told with an earlier shape */
            length += (size_t)snprintf(group + length, sizeof group - length, "%ux%ux%u ", s->m, s->n, s->k);
        }
        if (!first) continue;
        const size_t needed = length + strlen(types) + 2;
        if (length >= sizeof group || used + needed + sizeof ", ..." > size) {
            snprintf(out + used, size - used, used ? ", ..." : "...");
            return;
        }
        used += (size_t)snprintf(out + used, size - used, "%s%s%s", used ? ", " : "", group, types);
    }
}

static void find_matrix_units(const vk_instance *instance, bool khr, bool nv, vk_physical *out) {
    shape_list list = {.count = 0};
    if (khr) list_khr(instance, out->handle, &list);
    if (nv && !list.count) list_nv(instance, out->handle, &list);
    write_shapes(&list, out->info.matrix_units, sizeof out->info.matrix_units);
}

/* ---- arithmetic ---- */

static void find_properties(const vk_instance *instance, bool sizes_told, bool dot_told, vk_physical *out) {
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceSubgroupSizeControlPropertiesEXT sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES_EXT};
    VkPhysicalDeviceShaderIntegerDotProductPropertiesKHR dot = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES_KHR};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    ad_vk_chain(&all, &subgroup);
    if (sizes_told) ad_vk_chain(&all, &sizes);
    if (dot_told) ad_vk_chain(&all, &dot);
    instance->vk.vkGetPhysicalDeviceProperties2(out->handle, &all);
    adatom_device_info *info = &out->info;
    info->subgroup = (int)subgroup.subgroupSize;
    info->subgroup_least = sizes_told ? (int)sizes.minSubgroupSize : info->subgroup;
    info->subgroup_most = sizes_told ? (int)sizes.maxSubgroupSize : info->subgroup;
    info->int8_dot = dot.integerDotProduct4x8BitPackedSignedAccelerated;
}

void ad_vk_capabilities_find(const vk_instance *instance, const VkExtensionProperties *extensions, uint32_t count,
                             vk_physical *out) {
    VkPhysicalDevice16BitStorageFeatures half = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES};
    VkPhysicalDevice8BitStorageFeaturesKHR byte = {.sType =
                                                       VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES_KHR};
    VkPhysicalDeviceShaderFloat16Int8FeaturesKHR small = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES_KHR};
    VkPhysicalDeviceShaderBfloat16FeaturesKHR brain = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR};
    VkPhysicalDeviceShaderIntegerDotProductFeaturesKHR dot = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES_KHR};
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR khr = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
    VkPhysicalDeviceCooperativeMatrixFeaturesNV nv = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_NV};
    VkPhysicalDeviceFeatures2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    const struct {
        const char *extension;
        void *features;
    } asked[] = {
        {VK_KHR_8BIT_STORAGE_EXTENSION_NAME, &byte},      {VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME, &small},
        {VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME, &brain},  {VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME, &dot},
        {VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME, &khr}, {VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME, &nv}};
    ad_vk_chain(&all, &half); /* of Vulkan 1.1 itself */
    for (size_t i = 0; i < AD_COUNT(asked); i++)
        if (ad_vk_listed(extensions, count, asked[i].extension)) ad_vk_chain(&all, asked[i].features);
    instance->vk.vkGetPhysicalDeviceFeatures2(out->handle, &all);
    adatom_device_info *info = &out->info;
    info->timer_bits = (int)out->timestamp_bits;
    info->timer_ns = out->timestamp_bits ? (double)out->properties.limits.timestampPeriod : 0;
    info->fp16 = small.shaderFloat16;
    info->fp16_storage = half.storageBuffer16BitAccess;
    info->bf16 = brain.shaderBFloat16Type;
    info->int8 = small.shaderInt8;
    info->int8_storage = byte.storageBuffer8BitAccess;
    find_properties(instance, ad_vk_listed(extensions, count, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME),
                    dot.shaderIntegerDotProduct, out);
    find_matrix_units(instance, khr.cooperativeMatrix, nv.cooperativeMatrix, out);
}
