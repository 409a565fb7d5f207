#include "vk/core/matrix_units.h"
#include "shaders/abi.h"
#include "vk/core/chain.h"

/* A shape the kernels can be made for (lib/matrix.glsl); *best keeps the largest: fewest loads of operands for each
 * product. */
static void consider(ad_vk_matrix *best, uint32_t m, uint32_t n, uint32_t k, bool khr) {
    if (!m || !n || !k || 16 % m || 16 % n || AD_MATRIX_DEPTH % k || m % 4 || n % 4 || k % 4 ||
        m * n * k <= best->m * best->n * best->k)
        return;
    *best = (ad_vk_matrix){.m = m, .n = n, .k = k, .subgroup = best->subgroup, .khr = khr};
}

enum { MAX_SHAPES = 64 };

static void find_nv(const vk_instance *instance, vk_physical *out, ad_vk_matrix *best) {
    VkCooperativeMatrixPropertiesNV shapes[MAX_SHAPES];
    uint32_t count = MAX_SHAPES;
    for (size_t i = 0; i < MAX_SHAPES; i++)
        shapes[i] = (VkCooperativeMatrixPropertiesNV){.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_NV};
    if (!instance->vk.vkGetPhysicalDeviceCooperativeMatrixPropertiesNV ||
        instance->vk.vkGetPhysicalDeviceCooperativeMatrixPropertiesNV(out->handle, &count, shapes) < 0)
        return;
    for (uint32_t i = 0; i < count; i++) {
        const VkCooperativeMatrixPropertiesNV *s = &shapes[i];
        if (s->AType != VK_COMPONENT_TYPE_FLOAT16_NV || s->BType != VK_COMPONENT_TYPE_FLOAT16_NV ||
            s->CType != VK_COMPONENT_TYPE_FLOAT32_NV || s->DType != VK_COMPONENT_TYPE_FLOAT32_NV ||
            s->scope != VK_SCOPE_SUBGROUP_NV)
            continue;
        out->matrix_nv |=
            s->MSize == AD_PROBE_MATRIX_SIZE && s->NSize == AD_PROBE_MATRIX_SIZE && s->KSize == AD_PROBE_MATRIX_SIZE;
        consider(best, s->MSize, s->NSize, s->KSize, false);
    }
}

static void find_khr(const vk_instance *instance, const vk_physical *out, ad_vk_matrix *best) {
    VkCooperativeMatrixPropertiesKHR shapes[MAX_SHAPES];
    uint32_t count = MAX_SHAPES;
    for (size_t i = 0; i < MAX_SHAPES; i++)
        shapes[i] = (VkCooperativeMatrixPropertiesKHR){.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR};
    const PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR get =
        instance->vk.vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR;
    if (!get || get(out->handle, &count, shapes) < 0) return;
    for (uint32_t i = 0; i < count; i++) {
        const VkCooperativeMatrixPropertiesKHR *s = &shapes[i];
        if (s->AType == VK_COMPONENT_TYPE_FLOAT16_KHR && s->BType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
            s->CType == VK_COMPONENT_TYPE_FLOAT32_KHR && s->ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
            s->scope == VK_SCOPE_SUBGROUP_KHR && !s->saturatingAccumulation)
            consider(best, s->MSize, s->NSize, s->KSize, true);
    }
}

void ad_vk_arithmetic_find(const vk_instance *instance, const VkExtensionProperties *extensions, uint32_t count,
                           bool khr_kernels, vk_physical *out) {
    VkPhysicalDeviceShaderFloat16Int8Features half = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES};
    VkPhysicalDeviceVulkanMemoryModelFeatures model = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES};
    VkPhysicalDeviceSubgroupSizeControlFeaturesEXT control = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES_EXT};
    VkPhysicalDeviceCooperativeMatrixFeaturesNV nv = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_NV};
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR khr = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
    VkPhysicalDeviceFeatures2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    if (ad_vk_listed(extensions, count, VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME)) ad_vk_chain(&all, &half);
    if (ad_vk_listed(extensions, count, VK_KHR_VULKAN_MEMORY_MODEL_EXTENSION_NAME)) ad_vk_chain(&all, &model);
    if (ad_vk_listed(extensions, count, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME)) ad_vk_chain(&all, &control);
    if (ad_vk_listed(extensions, count, VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME)) ad_vk_chain(&all, &nv);
    if (ad_vk_listed(extensions, count, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME)) ad_vk_chain(&all, &khr);
    instance->vk.vkGetPhysicalDeviceFeatures2(out->handle, &all);
    out->half = half.shaderFloat16;

    if (control.subgroupSizeControl && control.computeFullSubgroups) {
        VkPhysicalDeviceSubgroupSizeControlPropertiesEXT sizes = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES_EXT};
        VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                                  .pNext = &sizes};
        instance->vk.vkGetPhysicalDeviceProperties2(out->handle, &properties);
        /* Of several sizes the smallest is the one that matrix units are as wide as (AMD: 32 of 32 and 64; Intel: 8 or
         * 16). */
        if (sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) out->full_subgroup = sizes.minSubgroupSize;
    }
    if (!half.shaderFloat16 || !model.vulkanMemoryModel) return;
    ad_vk_matrix best_nv = {.subgroup = out->full_subgroup}, best_khr = {.subgroup = out->full_subgroup};
    if (nv.cooperativeMatrix) find_nv(instance, out, &best_nv);
    if (khr.cooperativeMatrix && khr_kernels) find_khr(instance, out, &best_khr);
    if (out->full_subgroup) out->matrix = best_khr.m ? best_khr : best_nv;
}

const void *ad_vk_arithmetic_enable(const vk_physical *physical, bool half, vk_arithmetic *a, const char **extensions,
                                    uint32_t *count) {
    const bool khr = half && physical->matrix.khr, sized = half && physical->matrix.m;
    const void *chain = NULL;
#define ENABLE(member, type, feature, extension)                                                                       \
    {                                                                                                                  \
        a->member.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_##type;                                                    \
        a->member.pNext = (void *)chain;                                                                               \
        a->member.feature = VK_TRUE;                                                                                   \
        chain = &a->member;                                                                                            \
        extensions[(*count)++] = extension;                                                                            \
    }
    if (physical->half)
        ENABLE(half, SHADER_FLOAT16_INT8_FEATURES, shaderFloat16, VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME)
    if (physical->matrix_nv || sized)
        ENABLE(model, VULKAN_MEMORY_MODEL_FEATURES, vulkanMemoryModel, VK_KHR_VULKAN_MEMORY_MODEL_EXTENSION_NAME)
    if (physical->matrix_nv || (sized && !khr))
        ENABLE(nv, COOPERATIVE_MATRIX_FEATURES_NV, cooperativeMatrix, VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME)
    if (khr) ENABLE(khr, COOPERATIVE_MATRIX_FEATURES_KHR, cooperativeMatrix, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME)
    if (half && physical->full_subgroup) {
        ENABLE(control, SUBGROUP_SIZE_CONTROL_FEATURES_EXT, subgroupSizeControl,
               VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME)
        a->control.computeFullSubgroups = VK_TRUE;
    }
#undef ENABLE
    return chain;
}
