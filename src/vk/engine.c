/* The engine: an open device, its queue, and the table of what it offers. */
#include "vk/core/debug_names.h"
#include "vk/program/choose.h"
#include "vk/program/half_verdicts.h"
#include "vk/program/probe.h"
#include "vk/program/replay.h"
#include "vk/program/schedule.h"

#include <string.h>

/* Software: measured, docs/performance.md. No hardware GPU has been: there a multiply-add is taken to cost half as much
 * again. */
static const ad_conv_costs costs_gpu = {1.5f, 1.5f}, costs_software = {3.3f, 2.2f};

static void engine_destroy(ad_engine *engine) {
    if (!engine) return;
    vk_engine *e = vk_engine_of(engine);
    vk_device *d = &e->device;
    if (d->handle && d->vk.vkDeviceWaitIdle) {
        if (!d->abandoned) d->vk.vkDeviceWaitIdle(d->handle);
        ad_vk_choices_save(e);
        ad_vk_pipelines_clear(&e->pipelines);
        ad_vk_queue_close(&e->queue);
    }
    ad_vk_device_close(d);
    if (d->abandoned)
        ad_vk_instance_abandon(&e->instance);
    else
        ad_vk_instance_clear(&e->instance);
    ad_free(e->choices);
    ad_free(e->cache.path);
    ad_free(e);
}

static void engine_describe(const ad_engine *engine, adatom_device_info *out) {
    *out = ((const vk_engine *)engine)->device.physical.info;
    ad_vk_half_describe((const vk_engine *)engine, out);
}

static void engine_limits(const ad_engine *engine, ad_limits *out) {
    const vk_engine *e = (const vk_engine *)engine;
    *out = (ad_limits){.tensor_bytes = e->caps.max_range,
                       .arena_bytes = ad_vk_memory_largest_buffer(&e->device),
                       .memory_bytes = ad_vk_memory_free_bytes(&e->device)};
}

static adatom_status buffer_create(ad_engine *engine, size_t bytes, ad_buffer **out) {
    vk_engine *e = vk_engine_of(engine);
    vk_buffer *buffer = ad_calloc(engine->ctx, 1, sizeof *buffer);
    *out = NULL;
    if (!buffer) return ADATOM_OUT_OF_MEMORY;
    adatom_status status = ad_vk_buffer_init(&e->device, bytes, buffer);
    if (status != ADATOM_OK) {
        ad_free(buffer);
        return status;
    }
    ad_vk_name_buffer(&e->device, buffer->handle, "external arena");
    *out = (ad_buffer *)buffer;
    return ADATOM_OK;
}

static adatom_status buffer_write(ad_engine *engine, ad_buffer *buffer, size_t offset, const void *data, size_t bytes) {
    return ad_vk_buffer_write(&vk_engine_of(engine)->queue, (vk_buffer *)buffer, offset, data, bytes);
}

static adatom_status buffer_read(ad_engine *engine, ad_buffer *buffer, size_t offset, void *data, size_t bytes) {
    return ad_vk_buffer_read(&vk_engine_of(engine)->queue, (vk_buffer *)buffer, offset, data, bytes);
}

static adatom_status buffer_send(ad_engine *engine, ad_buffer *buffer, size_t offset, const void *data, size_t bytes) {
    vk_engine *e = vk_engine_of(engine);
    return ad_vk_upload_add(&e->device, &e->queue.uploads, (vk_buffer *)buffer, offset, data, bytes);
}

static adatom_status buffer_wait(ad_engine *engine) { return ad_vk_upload_wait(&vk_engine_of(engine)->queue); }

static void buffer_destroy(ad_engine *engine, ad_buffer **buffer) {
    if (!buffer || !*buffer) return;
    ad_vk_buffer_clear(&vk_engine_of(engine)->device, (vk_buffer *)*buffer);
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

static adatom_status list_devices(const vk_instance *instance, vk_physical **out, int *count) {
    const vk_needs needs = {.bindings = (uint32_t)ad_vk_most_bindings(),
                            .push_bytes = VK_MAX_PUSH_BYTES,
                            .matrix_khr = ad_vk_module_present(AD_VK_CONV_MATRIX_KHR)};
    return ad_vk_physical_list(instance, &needs, out, count);
}

adatom_status ad_vk_list(adatom_context *ctx, adatom_device_info *infos, size_t capacity, size_t *count) {
    vk_instance instance;
    vk_physical *devices = NULL;
    int found = 0;
    *count = 0;
    adatom_status status = ad_vk_instance_init(ctx, false, &instance);
    if (status != ADATOM_OK || !instance.handle) return status;
    AD_TRY(list_devices(&instance, &devices, &found));
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

static ad_vk_caps caps_of(const vk_physical *physical, bool half) {
    const VkPhysicalDeviceLimits *limits = &physical->properties.limits;
    ad_vk_caps caps = {.max_invocations = limits->maxComputeWorkGroupInvocations,
                       .max_shared_bytes = limits->maxComputeSharedMemorySize,
                       .subgroup = physical->subgroup,
                       .max_range = limits->maxStorageBufferRange,
                       .max_texels = limits->maxTexelBufferElements,
                       .software = physical->software,
                       .shuffle = physical->shuffle,
                       .half = half};
    if (half) caps.matrix = physical->matrix;
    memcpy(caps.max_groups, limits->maxComputeWorkGroupCount, sizeof caps.max_groups);
    return caps;
}

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
    const bool validate = params && params->validate, half = params && params->precision == ADATOM_PRECISION_FP16;
    vk_physical *devices = NULL;
    int count = 0;
    *out = NULL;
    vk_engine *e = ad_calloc(ctx, 1, sizeof *e);
    if (!e) return ADATOM_OUT_OF_MEMORY;
    e->base = (ad_engine){.api = &api, .ctx = ctx};
    e->dispatch_seconds = VK_TARGET_SECONDS / 2;
    adatom_status status = ADATOM_OK;
    AD_TRY(ad_vk_instance_init(ctx, validate, &e->instance));
    if (e->instance.handle) AD_TRY(list_devices(&e->instance, &devices, &count));
    const int index = find_device(devices, count, which);
    if (index < 0) {
        status = ad_fail(ctx, ADATOM_NO_DEVICE, "there is no Vulkan device %d%s%s (%d found)", which->index,
                         which->name[0] ? ", " : "", which->name, count);
        goto done;
    }
    devices[index].info.index = index;
    if (!devices[index].info.usable) {
        status = ad_fail(ctx, ADATOM_UNSUPPORTED, "%s cannot be used: %s", devices[index].info.name,
                         devices[index].info.reason);
        goto done;
    }
    e->caps = caps_of(&devices[index], half);
    if (!half) e->base.costs = e->caps.software ? &costs_software : &costs_gpu;
    AD_TRY(ad_vk_device_open(&e->instance, &devices[index], half, &e->device));
    AD_TRY(ad_vk_queue_open(&e->device, &e->queue));
    AD_TRY(ad_vk_memory_init(&e->device));
    AD_TRY(
        ad_vk_cache_init(ctx, &e->device.physical, ad_vk_modules_hash(), params ? params->cache_dir : NULL, &e->cache));
    AD_TRY(ad_vk_pipelines_init(&e->device, &e->cache, &e->pipelines));
    AD_TRY(ad_vk_choices_load(e));
    AD_TRY(ad_vk_half_load(e));
    *out = &e->base;
done:
    ad_free(devices);
    if (status != ADATOM_OK) engine_destroy(&e->base);
    return status;
}

int ad_vk_validation_errors(const ad_engine *engine) {
    return atomic_load(&((const vk_engine *)engine)->instance.errors);
}
