/* Compute pipelines, made when first needed: one for each kernel and set of specialization constants. */
#include "vk/core/internal.h"

#include <string.h>

adatom_status ad_vk_pipelines_init(vk_engine *e) {
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    char *saved = NULL;
    size_t saved_size = 0;
    ad_vk_modules_init(e->modules);
    AD_TRY(ad_vk_cache_read(e, "pipelines", &saved, &saved_size));
    e->pipeline_cache_hash = ad_hash(saved, saved_size, 0);
    const VkPipelineCacheCreateInfo cache = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, .initialDataSize = saved_size, .pInitialData = saved};
    VK(e->vk.vkCreatePipelineCache(e->device, &cache, NULL, &e->pipeline_cache));
done:
    ad_free(saved);
    return status;
}

static adatom_status get_layout(vk_engine *e, const vk_module *module, unsigned texel, const vk_layout **out) {
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    vk_layout *layout = &e->layouts[module->bindings][texel];
    *out = layout;
    if (layout->pipeline) return ADATOM_OK;
    VkDescriptorSetLayoutBinding bindings[VK_MAX_BINDINGS];
    uint32_t storage = 0;
    for (uint32_t b = 0; b < (uint32_t)module->bindings; b++) {
        const bool is_texel = texel >> b & 1;
        bindings[b] = (VkDescriptorSetLayoutBinding){
            .binding = b,
            .descriptorType = is_texel ? VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
        storage += !is_texel;
    }
    const uint32_t most = e->physical.properties.limits.maxPerStageDescriptorStorageBuffers;
    if (storage > most)
        return ad_fail(ctx, ADATOM_UNSUPPORTED, "kernel %s binds %u storage buffers; %s allows %u", module->name,
                       storage, e->physical.info.name, most);
    const VkDescriptorSetLayoutCreateInfo set = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                                 .bindingCount = (uint32_t)module->bindings,
                                                 .pBindings = bindings};
    if (!layout->set) VK(e->vk.vkCreateDescriptorSetLayout(e->device, &set, NULL, &layout->set));
    const VkPushConstantRange push = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = VK_MAX_PUSH_BYTES};
    const VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                             .setLayoutCount = 1,
                                             .pSetLayouts = &layout->set,
                                             .pushConstantRangeCount = 1,
                                             .pPushConstantRanges = &push};
    VK(e->vk.vkCreatePipelineLayout(e->device, &info, NULL, &layout->pipeline));
done:
    return status;
}

/* Only after pipelines were made: a device that failed to open, or made none, has nothing to add to what is there. */
static void save_cache(vk_engine *e) {
    size_t size = 0;
    if (!e->cache_path || !e->pipeline_cache || !e->pipeline_count) return;
    if (e->vk.vkGetPipelineCacheData(e->device, e->pipeline_cache, &size, NULL) != VK_SUCCESS || !size) return;
    char *bytes = ad_malloc(e->base.ctx, size, 1);
    if (bytes && e->vk.vkGetPipelineCacheData(e->device, e->pipeline_cache, &size, bytes) == VK_SUCCESS && size &&
        ad_hash(bytes, size, 0) != e->pipeline_cache_hash)
        ad_vk_cache_write(e, "pipelines", bytes, size);
    ad_free(bytes);
}

void ad_vk_pipelines_clear(vk_engine *e) {
    save_cache(e);
    for (int i = 0; i < e->pipeline_capacity; i++) e->vk.vkDestroyPipeline(e->device, e->pipelines[i].handle, NULL);
    ad_free(e->pipelines);
    e->vk.vkDestroyPipelineCache(e->device, e->pipeline_cache, NULL);
    for (int n = 0; n <= VK_MAX_BINDINGS; n++)
        for (int texel = 0; texel < 1 << VK_MAX_BINDINGS; texel++) {
            e->vk.vkDestroyPipelineLayout(e->device, e->layouts[n][texel].pipeline, NULL);
            e->vk.vkDestroyDescriptorSetLayout(e->device, e->layouts[n][texel].set, NULL);
        }
}

/* The slot that holds the key, or the empty one where it belongs. */
static vk_pipeline *find_slot(vk_pipeline *table, int capacity, const vk_pipeline *key) {
    uint64_t hash = ad_hash(key->spec, sizeof key->spec, (uint64_t)(uintptr_t)key->words);
    for (uint32_t i = (uint32_t)hash;; i++) {
        vk_pipeline *slot = &table[i & (uint32_t)(capacity - 1)];
        if (!slot->handle) return slot;
        if (slot->words == key->words && slot->spec_count == key->spec_count &&
            !memcmp(slot->spec, key->spec, sizeof key->spec))
            return slot;
    }
}

static adatom_status grow(vk_engine *e) {
    const int capacity = e->pipeline_capacity ? 2 * e->pipeline_capacity : 128;
    vk_pipeline *table = ad_calloc(e->base.ctx, (size_t)capacity, sizeof *table);
    if (!table) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < e->pipeline_capacity; i++)
        if (e->pipelines[i].handle) *find_slot(table, capacity, &e->pipelines[i]) = e->pipelines[i];
    ad_free(e->pipelines);
    e->pipelines = table;
    e->pipeline_capacity = capacity;
    return ADATOM_OK;
}

adatom_status ad_vk_pipeline_get(vk_engine *e, const ad_vk_launch *launch, const vk_layout **layout, VkPipeline *out) {
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    VkShaderModule shader = VK_NULL_HANDLE;
    const vk_module *module = &e->modules[launch->kernel];
    vk_pipeline key = {.words = module->words, .spec_count = launch->spec_count};
    memcpy(key.spec, launch->spec, sizeof *key.spec * (size_t)launch->spec_count);
    AD_TRY(get_layout(e, module, launch->texel, layout));
    if (2 * e->pipeline_count >= e->pipeline_capacity) AD_TRY(grow(e));
    vk_pipeline *slot = find_slot(e->pipelines, e->pipeline_capacity, &key);
    if (slot->handle) {
        *out = slot->handle;
        goto done;
    }
    const VkShaderModuleCreateInfo code = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = module->bytes, .pCode = module->words};
    VK(e->vk.vkCreateShaderModule(e->device, &code, NULL, &shader));
    VkSpecializationMapEntry entries[VK_MAX_SPEC];
    for (uint32_t i = 0; i < VK_MAX_SPEC; i++)
        entries[i] =
            (VkSpecializationMapEntry){.constantID = i, .offset = i * sizeof *key.spec, .size = sizeof *key.spec};
    const VkSpecializationInfo spec = {.mapEntryCount = (uint32_t)key.spec_count,
                                       .pMapEntries = entries,
                                       .dataSize = sizeof *key.spec * (size_t)key.spec_count,
                                       .pData = key.spec};
    /* The number of invocations, a specialization constant, tells kernels of one subgroup size from those of another:
     * no part of the key.
     */
    const VkPipelineShaderStageRequiredSubgroupSizeCreateInfoEXT subgroup = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO_EXT,
        .requiredSubgroupSize = launch->subgroup};
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .pNext = launch->subgroup ? &subgroup : NULL,
                  .flags = launch->subgroup ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT_EXT : 0,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = shader,
                  .pName = "main",
                  .pSpecializationInfo = &spec},
        .layout = (*layout)->pipeline};
    const double began = ad_seconds();
    VK(e->vk.vkCreateComputePipelines(e->device, e->pipeline_cache, 1, &info, NULL, &key.handle));
    ad_log(ctx, ADATOM_LOG_DEBUG, "pipeline %s made in %.1f ms", module->name, 1e3 * (ad_seconds() - began));
    *slot = key;
    *out = key.handle;
    e->pipeline_count++;
done:
    e->vk.vkDestroyShaderModule(e->device, shader, NULL);
    return status;
}
