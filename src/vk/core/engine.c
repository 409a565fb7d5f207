/* The engine: an open device, its queue, and the table of what it offers. */
#include "vk/core/internal.h"

#include <string.h>

/* Software: measured, docs/performance.md. No hardware GPU has been: there a multiply-add is taken to cost half as much
 * again. */
static const ad_conv_costs costs_gpu = {1.5f, 1.5f}, costs_software = {3.3f, 2.2f};

static void engine_destroy(ad_engine *engine) {
    if (!engine) return;
    vk_engine *e = vk_engine_of(engine);
    if (e->device) {
        e->vk.vkDeviceWaitIdle(e->device);
        ad_vk_choices_save(e);
        ad_vk_pipelines_clear(e);
        ad_vk_send_clear(e);
        ad_vk_memory_clear(e);
        e->vk.vkDestroyCommandPool(e->device, e->command_pool, NULL);
        e->vk.vkDestroyFence(e->device, e->fence, NULL);
        e->vk.vkDestroyDevice(e->device, NULL);
    }
    ad_vk_instance_clear(&e->instance);
    ad_free(e->choices);
    ad_free(e->cache_path);
    ad_free(e);
}

static void engine_describe(const ad_engine *engine, adatom_device_info *out) {
    *out = ((const vk_engine *)engine)->physical.info;
    ad_vk_half_describe((const vk_engine *)engine, out);
}

static void engine_limits(const ad_engine *engine, ad_limits *out) {
    const vk_engine *e = (const vk_engine *)engine;
    const size_t allocation = e->physical.allocation_bytes / AD_TENSOR_ALIGN_BYTES * AD_TENSOR_ALIGN_BYTES;
    *out = (ad_limits){
        .tensor_bytes = e->caps.max_range, .arena_bytes = allocation, .memory_bytes = ad_vk_memory_free_bytes(e)};
}

static adatom_status buffer_create(ad_engine *engine, size_t bytes, ad_buffer **out) {
    vk_engine *e = vk_engine_of(engine);
    vk_buffer *buffer = ad_calloc(engine->ctx, 1, sizeof *buffer);
    *out = NULL;
    if (!buffer) return ADATOM_OUT_OF_MEMORY;
    adatom_status status = ad_vk_buffer_init(e, bytes, buffer);
    if (status != ADATOM_OK)
        ad_free(buffer);
    else
        *out = (ad_buffer *)buffer;
    return status;
}

static adatom_status buffer_write(ad_engine *engine, ad_buffer *buffer, size_t offset, const void *data, size_t bytes) {
    return ad_vk_buffer_write(vk_engine_of(engine), (vk_buffer *)buffer, offset, data, bytes);
}

static adatom_status buffer_read(ad_engine *engine, ad_buffer *buffer, size_t offset, void *data, size_t bytes) {
    return ad_vk_buffer_read(vk_engine_of(engine), (vk_buffer *)buffer, offset, data, bytes);
}

static adatom_status buffer_send(ad_engine *engine, ad_buffer *buffer, size_t offset, const void *data, size_t bytes) {
    return ad_vk_send(vk_engine_of(engine), (vk_buffer *)buffer, offset, data, bytes);
}

static adatom_status buffer_wait(ad_engine *engine) { return ad_vk_send_wait(vk_engine_of(engine)); }

static void buffer_destroy(ad_engine *engine, ad_buffer **buffer) {
    if (!buffer || !*buffer) return;
    ad_vk_buffer_clear(vk_engine_of(engine), (vk_buffer *)*buffer);
    ad_free(*buffer);
    *buffer = NULL;
}

static const ad_engine_api api = {
    .name = "vulkan",
    .destroy = engine_destroy,
    .describe = engine_describe,
    .limits = engine_limits,
    .buffer_create = buffer_create,
    .buffer_write = buffer_write,
    .buffer_read = buffer_read,
    .buffer_send = buffer_send,
    .buffer_wait = buffer_wait,
    .buffer_destroy = buffer_destroy,
    .program_create = ad_vk_program_create,
    .program_write = ad_vk_program_write,
    .program_read = ad_vk_program_read,
    .program_run = ad_vk_program_run,
    .program_destroy = ad_vk_program_destroy,
    .program_profile = ad_vk_program_profile,
    .program_op_ns = ad_vk_program_op_ns,
    .probe = ad_vk_probe,
    .variant_count = ad_vk_variant_count,
    .variant_name = ad_vk_variant_name,
    .variant_prefer = ad_vk_variant_prefer,
    .variant_half = ad_vk_variant_half,
    .variant_judge = ad_vk_variant_judge,
    .half_storage = ad_vk_half_storage,
    .half_storage_judge = ad_vk_half_storage_judge,
};

/* The device that was listed as *which: drivers may list theirs in another order the next time. Without a UUID, the one
 * at its index. */
static int find_device(const vk_physical *devices, int count, const adatom_device_info *which) {
    for (int i = 0; which->uuid[0] && i < count; i++)
        if (!strcmp(devices[i].info.uuid, which->uuid) && !strcmp(devices[i].info.name, which->name)) return i;
    return !which->uuid[0] && which->index >= 0 && which->index < count ? which->index : -1;
}

adatom_status ad_vk_engine_create(adatom_context *ctx, const adatom_device_params *params, int index, ad_engine **out) {
    return ad_vk_engine_open(ctx, params, &(adatom_device_info){.index = index}, out);
}

adatom_status ad_vk_engine_open(adatom_context *ctx, const adatom_device_params *params,
                                const adatom_device_info *which, ad_engine **out) {
    const bool validate = params && params->validate,
               half = params && params->precision == ADATOM_PRECISION_FP16;
    vk_physical *devices = NULL;
    int count = 0;
    *out = NULL;
    vk_engine *e = ad_calloc(ctx, 1, sizeof *e);
    if (!e) return ADATOM_OUT_OF_MEMORY;
    e->base = (ad_engine){.api = &api, .ctx = ctx};
    adatom_status status = ADATOM_OK;
    AD_TRY(ad_vk_instance_init(ctx, validate, &e->instance));
    if (e->instance.handle) AD_TRY(ad_vk_physical_list(&e->instance, &devices, &count));
    const int index = find_device(devices, count, which);
    if (index < 0) {
        status = ad_fail(ctx, ADATOM_NO_DEVICE, "there is no Vulkan device %d%s%s (%d found)", which->index,
                         which->name[0] ? ", " : "", which->name, count);
        goto done;
    }
    e->physical = devices[index];
    e->physical.info.index = index;
    if (!e->physical.info.usable) {
        status =
            ad_fail(ctx, ADATOM_UNSUPPORTED, "%s cannot be used: %s", e->physical.info.name, e->physical.info.reason);
        goto done;
    }
    if (!half) e->base.costs = e->physical.software ? &costs_software : &costs_gpu;
    const VkPhysicalDeviceLimits *limits = &e->physical.properties.limits;
    e->caps = (ad_vk_caps){.max_invocations = limits->maxComputeWorkGroupInvocations,
                           .max_shared_bytes = limits->maxComputeSharedMemorySize,
                           .subgroup = e->physical.subgroup,
                           .max_range = limits->maxStorageBufferRange,
                           .max_texels = limits->maxTexelBufferElements,
                           .software = e->physical.software,
                           .shuffle = e->physical.shuffle,
                           .half = half};
    if (half) e->caps.matrix = e->physical.matrix;
    memcpy(e->caps.max_groups, limits->maxComputeWorkGroupCount, sizeof e->caps.max_groups);

    const float priority = 1;
    const char *extensions[1 + VK_ARITHMETIC_EXTENSIONS];
    uint32_t extension_count = 0;
    vk_arithmetic arithmetic = {0};
    if (e->physical.portability_subset) extensions[extension_count++] = "VK_KHR_portability_subset";
    const void *features = ad_vk_arithmetic_enable(&e->physical, half, &arithmetic, extensions, &extension_count);
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = e->physical.queue_family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = features,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue,
                                     .enabledExtensionCount = extension_count,
                                     .ppEnabledExtensionNames = extensions};
    VK(e->instance.vk.vkCreateDevice(e->physical.handle, &info, NULL, &e->device));
    AD_TRY(ad_vk_device_functions(&e->instance, e->device, &e->vk));
    e->vk.vkGetDeviceQueue(e->device, e->physical.queue_family, 0, &e->queue);

    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                          .queueFamilyIndex = e->physical.queue_family};
    VK(e->vk.vkCreateCommandPool(e->device, &pool, NULL, &e->command_pool));
    const VkCommandBufferAllocateInfo commands = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                  .commandPool = e->command_pool,
                                                  .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                                  .commandBufferCount = 1};
    VK(e->vk.vkAllocateCommandBuffers(e->device, &commands, &e->copy_commands));
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VK(e->vk.vkCreateFence(e->device, &fence, NULL, &e->fence));

    AD_TRY(ad_vk_memory_init(e));
    AD_TRY(ad_vk_cache_init(e, params ? params->cache_dir : NULL));
    AD_TRY(ad_vk_pipelines_init(e));
    AD_TRY(ad_vk_choices_load(e));
    AD_TRY(ad_vk_half_load(e));
    *out = &e->base;
done:
    ad_free(devices);
    if (status != ADATOM_OK) engine_destroy(&e->base);
    return status;
}

adatom_status ad_vk_submit(vk_engine *e, const VkCommandBuffer *commands, uint32_t count) {
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    const double began = ad_seconds();
    const VkCommandBuffer sent = ad_vk_send_take(e); /* before the others, which begin with a barrier against copies */
    const VkSubmitInfo submits[2] = {
        {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &sent},
        {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = count, .pCommandBuffers = commands}};
    VK(e->vk.vkQueueSubmit(e->queue, sent ? 2 : 1, sent ? submits : submits + 1, e->fence));
    const bool busy = e->sender.first < e->sender.count;
    const adatom_status next = ad_vk_send_piece(e); /* while the device computes */
    VkResult waited = busy ? e->vk.vkWaitForFences(e->device, 1, &e->fence, VK_TRUE, 0) : VK_TIMEOUT;
    e->hidden = waited == VK_SUCCESS;
    if (waited == VK_TIMEOUT) waited = e->vk.vkWaitForFences(e->device, 1, &e->fence, VK_TRUE, UINT64_MAX);
    if (waited < 0) {
        e->vk.vkDeviceWaitIdle(e->device); /* who ends now frees memory that the device may still be using */
        status = ad_vk_fail(ctx, waited, "vkWaitForFences", __FILE__, __LINE__);
        goto done;
    }
    e->seconds = ad_seconds() - began;
    VK(e->vk.vkResetFences(e->device, 1, &e->fence));
    status = next;
done:
    return status;
}

adatom_status ad_vk_validated(vk_engine *e, int before) {
    if (atomic_load(&e->instance.errors) == before) return ADATOM_OK;
    return ad_fail(e->base.ctx, ADATOM_FAILED, "the validation layer reported: %s", e->instance.error);
}

int ad_vk_validation_errors(const ad_engine *engine) {
    return atomic_load(&((const vk_engine *)engine)->instance.errors);
}
