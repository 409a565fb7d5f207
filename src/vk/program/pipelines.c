#include "vk/program/pipelines.h"
#include "vk/core/debug_names.h"

#include <string.h>

adatom_status ad_vk_pipelines_init(const vk_device *device, const vk_disk_cache *disk, vk_pipelines *out) {
    adatom_context *ctx = device->ctx;
    adatom_status status = ADATOM_OK;
    char *saved = NULL;
    size_t saved_size = 0;
    out->device = device;
    out->disk = disk;
    ad_vk_modules_init(out->modules);
    AD_TRY(ad_vk_cache_read(disk, "pipelines", &saved, &saved_size));
    out->cache_hash = ad_hash(saved, saved_size, 0);
    const VkPipelineCacheCreateInfo cache = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, .initialDataSize = saved_size, .pInitialData = saved};
    VK(device->vk.vkCreatePipelineCache(device->handle, &cache, NULL, &out->cache));
done:
    ad_free(saved);
    return status;
}

static adatom_status get_layout(vk_pipelines *p, const vk_module *module, unsigned texel, const vk_layout **out) {
    adatom_context *ctx = p->device->ctx;
    adatom_status status = ADATOM_OK;
    vk_layout *layout = &p->layouts[module->bindings][texel];
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
    const uint32_t most = p->device->physical.properties.limits.maxPerStageDescriptorStorageBuffers;
    if (storage > most)
        return ad_fail(ctx, ADATOM_UNSUPPORTED, "kernel %s binds %u storage buffers; %s allows %u", module->name,
                       storage, p->device->physical.info.name, most);
    const VkDescriptorSetLayoutCreateInfo set = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                                 .bindingCount = (uint32_t)module->bindings,
                                                 .pBindings = bindings};
    if (!layout->set) VK(p->device->vk.vkCreateDescriptorSetLayout(p->device->handle, &set, NULL, &layout->set));
    const VkPushConstantRange push = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = VK_MAX_PUSH_BYTES};
    const VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                             .setLayoutCount = 1,
                                             .pSetLayouts = &layout->set,
                                             .pushConstantRangeCount = 1,
                                             .pPushConstantRanges = &push};
    VK(p->device->vk.vkCreatePipelineLayout(p->device->handle, &info, NULL, &layout->pipeline));
done:
    return status;
}

/* Only after pipelines were made: a device that failed to open, or made none, has nothing to add to what is there. */
static void save_cache(vk_pipelines *p) {
    size_t size = 0;
    if (!p->disk->path || !p->cache || !p->count) return;
    if (p->device->vk.vkGetPipelineCacheData(p->device->handle, p->cache, &size, NULL) != VK_SUCCESS || !size) return;
    char *bytes = ad_malloc(p->device->ctx, size, 1);
    if (bytes && p->device->vk.vkGetPipelineCacheData(p->device->handle, p->cache, &size, bytes) == VK_SUCCESS &&
        size && ad_hash(bytes, size, 0) != p->cache_hash)
        ad_vk_cache_write(p->disk, "pipelines", bytes, size);
    ad_free(bytes);
}

static void destroy_objects(const vk_pipelines *p) {
    for (int i = 0; i < p->capacity; i++) p->device->vk.vkDestroyPipeline(p->device->handle, p->table[i].handle, NULL);
    p->device->vk.vkDestroyPipelineCache(p->device->handle, p->cache, NULL);
    for (int n = 0; n <= VK_MAX_BINDINGS; n++)
        for (int texel = 0; texel < 1 << VK_MAX_BINDINGS; texel++) {
            p->device->vk.vkDestroyPipelineLayout(p->device->handle, p->layouts[n][texel].pipeline, NULL);
            p->device->vk.vkDestroyDescriptorSetLayout(p->device->handle, p->layouts[n][texel].set, NULL);
        }
}

void ad_vk_pipelines_clear(vk_pipelines *p) {
    if (p->device && !p->device->abandoned) {
        save_cache(p);
        destroy_objects(p);
    }
    ad_free(p->table);
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

static adatom_status grow(vk_pipelines *p) {
    const int capacity = p->capacity ? 2 * p->capacity : 128;
    vk_pipeline *table = ad_calloc(p->device->ctx, (size_t)capacity, sizeof *table);
    if (!table) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < p->capacity; i++)
        if (p->table[i].handle) *find_slot(table, capacity, &p->table[i]) = p->table[i];
    ad_free(p->table);
    p->table = table;
    p->capacity = capacity;
    return ADATOM_OK;
}

adatom_status ad_vk_pipeline_get(vk_pipelines *p, const ad_vk_launch *launch, const vk_layout **layout,
                                 VkPipeline *out) {
    adatom_context *ctx = p->device->ctx;
    adatom_status status = ADATOM_OK;
    VkShaderModule shader = VK_NULL_HANDLE;
    const vk_module *module = &p->modules[launch->kernel];
    vk_pipeline key = {.words = module->words, .spec_count = launch->spec_count};
    memcpy(key.spec, launch->spec, sizeof *key.spec * (size_t)launch->spec_count);
    AD_TRY(get_layout(p, module, launch->texel, layout));
    if (2 * p->count >= p->capacity) AD_TRY(grow(p));
    vk_pipeline *slot = find_slot(p->table, p->capacity, &key);
    if (slot->handle) {
        *out = slot->handle;
        goto done;
    }
    const VkShaderModuleCreateInfo code = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = module->bytes, .pCode = module->words};
    VK(p->device->vk.vkCreateShaderModule(p->device->handle, &code, NULL, &shader));
    VkSpecializationMapEntry entries[VK_MAX_SPEC];
    for (uint32_t i = 0; i < VK_MAX_SPEC; i++)
        entries[i] =
            (VkSpecializationMapEntry){.constantID = i, .offset = i * sizeof *key.spec, .size = sizeof *key.spec};
    const VkSpecializationInfo spec = {.mapEntryCount = (uint32_t)key.spec_count,
                                       .pMapEntries = entries,
                                       .dataSize = sizeof *key.spec * (size_t)key.spec_count,
                                       .pData = key.spec};
    /* The number of invocations, a specialization constant, tells kernels of one subgroup size from those of another:
     * no part of the key. */
    const VkPipelineShaderStageRequiredSubgroupSizeCreateInfoEXT subgroup = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO_EXT,
        .requiredSubgroupSize = launch->subgroup};
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = VK_PIPELINE_CREATE_DISPATCH_BASE_BIT,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .pNext = launch->subgroup ? &subgroup : NULL,
                  .flags = launch->subgroup ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT_EXT : 0,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = shader,
                  .pName = "main",
                  .pSpecializationInfo = &spec},
        .layout = (*layout)->pipeline};
    const double began = ad_seconds();
    ad_log(ctx, ADATOM_LOG_DEBUG, "making pipeline %s", module->name);
    VK(p->device->vk.vkCreateComputePipelines(p->device->handle, p->cache, 1, &info, NULL, &key.handle));
    ad_log(ctx, ADATOM_LOG_DEBUG, "pipeline %s made in %.1f ms", module->name, 1e3 * (ad_seconds() - began));
    ad_vk_name_pipeline(p->device, key.handle, module->name);
    *slot = key;
    *out = key.handle;
    p->count++;
done:
    p->device->vk.vkDestroyShaderModule(p->device->handle, shader, NULL);
    return status;
}
