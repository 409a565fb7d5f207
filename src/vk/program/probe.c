#include "vk/program/probe.h"
#include "shaders/abi.h"

#define SAMPLE_SECONDS 0.01
enum { MAX_TURNS = 1 << 22, MAX_REPEATS = 256, MEMORY_BYTES = 256 << 20, MEMORY_BYTES_SOFTWARE = 64 << 20 };
/* Workgroups that fill any GPU several times over; on software drivers a few for each processor. */
enum { GROUPS = 16384, GROUPS_SOFTWARE = 256 };

typedef struct probing {
    vk_engine *e;
    ad_vk_launch launch;
    struct ad_push_probe push;
    vk_buffer buffers[2];
    int repeats; /* dispatches of one sample */
    VkPipeline pipeline;
    const vk_layout *layout;
    VkDescriptorPool pool;
    VkDescriptorSet set;
    VkQueryPool queries;
} probing;

static void clear(probing *p) {
    for (size_t b = 0; b < AD_COUNT(p->buffers); b++) ad_vk_buffer_clear(&p->e->device, &p->buffers[b]);
    if (p->e->device.abandoned) return;
    p->e->device.vk.vkDestroyQueryPool(p->e->device.handle, p->queries, NULL);
    p->e->device.vk.vkDestroyDescriptorPool(p->e->device.handle, p->pool, NULL);
}

static adatom_status prepare(probing *p, size_t bytes) {
    vk_engine *e = p->e;
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    const uint32_t bindings = (uint32_t)e->pipelines.modules[p->launch.kernel].bindings;
    for (uint32_t b = 0; b < bindings; b++) AD_TRY(ad_vk_buffer_init(&e->device, bytes, &p->buffers[b]));
    AD_TRY(ad_vk_pipeline_get(&e->pipelines, &p->launch, &p->layout, &p->pipeline));
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, bindings};
    const VkDescriptorPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = 1, .poolSizeCount = 1, .pPoolSizes = &size};
    VK(e->device.vk.vkCreateDescriptorPool(e->device.handle, &pool, NULL, &p->pool));
    const VkDescriptorSetAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                                  .descriptorPool = p->pool,
                                                  .descriptorSetCount = 1,
                                                  .pSetLayouts = &p->layout->set};
    VK(e->device.vk.vkAllocateDescriptorSets(e->device.handle, &allocate, &p->set));
    for (uint32_t b = 0; b < bindings; b++) {
        const VkDescriptorBufferInfo range = {p->buffers[b].handle, 0, bytes};
        const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                            .dstSet = p->set,
                                            .dstBinding = b,
                                            .descriptorCount = 1,
                                            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                            .pBufferInfo = &range};
        e->device.vk.vkUpdateDescriptorSets(e->device.handle, 1, &write, 0, NULL);
    }
    const VkQueryPoolCreateInfo queries = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = 2};
    if (e->device.physical.timestamp_bits)
        VK(e->device.vk.vkCreateQueryPool(e->device.handle, &queries, NULL, &p->queries));
done:
    return status;
}

static void barrier(const probing *p, VkPipelineStageFlags from, VkAccessFlags written) {
    const VkMemoryBarrier memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                    .srcAccessMask = written,
                                    .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT};
    p->e->device.vk.vkCmdPipelineBarrier(p->e->queue.copy_commands, from, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, 0, 1,
                                         &memory, 0, NULL, 0, NULL);
}

/* One sample; fill: zeros are written to the buffers before it. */
static adatom_status run(const probing *p, bool fill, double *ns) {
    vk_engine *e = p->e;
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    const VkCommandBuffer commands = e->queue.copy_commands;
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    VK(e->device.vk.vkBeginCommandBuffer(commands, &begin));
    for (size_t b = 0; fill && b < AD_COUNT(p->buffers); b++)
        if (p->buffers[b].handle) e->device.vk.vkCmdFillBuffer(commands, p->buffers[b].handle, 0, VK_WHOLE_SIZE, 0);
    barrier(p, VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
            VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    if (p->queries) {
        e->device.vk.vkCmdResetQueryPool(commands, p->queries, 0, 2);
        e->device.vk.vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, p->queries, 0);
    }
    e->device.vk.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, p->pipeline);
    e->device.vk.vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, p->layout->pipeline, 0, 1, &p->set,
                                         0, NULL);
    e->device.vk.vkCmdPushConstants(commands, p->layout->pipeline, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof p->push,
                                    &p->push);
    for (int r = 0; r < p->repeats; r++) {
        if (r) barrier(p, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT);
        e->device.vk.vkCmdDispatch(commands, p->launch.grid[0], 1, 1);
    }
    if (p->queries) e->device.vk.vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, p->queries, 1);
    VK(e->device.vk.vkEndCommandBuffer(commands));
    const double began = ad_seconds();
    AD_TRY(ad_vk_submit(&e->queue, &commands, 1, "a measurement"));
    *ns = 1e9 * (ad_seconds() - began);
    if (p->queries) {
        const uint32_t bits = e->device.physical.timestamp_bits;
        const uint64_t mask = bits < 64 ? ((uint64_t)1 << bits) - 1 : UINT64_MAX;
        uint64_t ticks[2];
        VK(e->device.vk.vkGetQueryPoolResults(e->device.handle, p->queries, 0, 2, sizeof ticks, ticks, sizeof *ticks,
                                              VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
        *ns = (double)((ticks[1] - ticks[0]) & mask) * (double)e->device.physical.properties.limits.timestampPeriod;
    }
done:
    return status;
}

/* Doubles the work until a sample is long enough for the clock, which also warms up, then takes the samples. A long run
 * alone doesn't count: it may have been the first, or something else may have had the device. */
static adatom_status sample(probing *p, bool memory, ad_probe *probe) {
    adatom_status status = ADATOM_OK;
    int *work = memory ? &p->repeats : &p->push.turns;
    AD_TRY(run(p, memory, &probe->ns[0]));
    for (const int most = memory ? MAX_REPEATS : MAX_TURNS; *work < most; *work *= 2) {
        double ns = 0, again = 0;
        AD_TRY(run(p, false, &ns));
        if (ns >= 1e9 * SAMPLE_SECONDS) AD_TRY(run(p, false, &again));
        if (AD_MIN(ns, again) >= 1e9 * SAMPLE_SECONDS) break;
    }
    for (int s = 0; s < AD_PROBE_SAMPLES; s++) {
        AD_TRY(ad_interrupted(p->e->base.ctx));
        AD_TRY(run(p, false, &probe->ns[s]));
    }
done:
    return status;
}

static adatom_status probe_arithmetic(probing *p, ad_probe *probe) {
    const double invocation = 8.0 * AD_PROBE_UNROLL * AD_PROBE_SUMS;
    const double product =
        2.0 * AD_PROBE_MATRIX_SIZE * AD_PROBE_MATRIX_SIZE * AD_PROBE_MATRIX_SIZE * AD_PROBE_MATRIX_SUMS;
    const bool matrix = probe->kind == AD_PROBE_MATRIX;
    const uint32_t groups = p->e->caps.software ? GROUPS_SOFTWARE : GROUPS;
    p->launch.kernel = matrix                          ? AD_VK_PROBE_MATRIX
                       : probe->kind == AD_PROBE_FMA16 ? AD_VK_PROBE_FMA16
                                                       : AD_VK_PROBE_FMA32;
    p->launch.grid[0] = groups;
    if (matrix) p->launch.spec[p->launch.spec_count++] = p->e->caps.subgroup;
    p->push = (struct ad_push_probe){.turns = 16, .factor = 0.5f, .term = 1};
    p->repeats = 1;
    const size_t bytes =
        matrix ? sizeof(float) * AD_PROBE_MATRIX_SIZE * AD_PROBE_MATRIX_SIZE * groups : AD_TENSOR_ALIGN_BYTES;
    adatom_status status = prepare(p, bytes);
    if (status == ADATOM_OK) status = sample(p, false, probe);
    probe->flops = (matrix ? product : invocation * AD_PROBE_GROUP) * groups * (double)p->push.turns;
    return status;
}

static adatom_status probe_memory(probing *p, ad_probe *probe) {
    const size_t group = 16 * AD_PROBE_GROUP * AD_PROBE_VECTORS,
                 most = p->e->caps.software ? MEMORY_BYTES_SOFTWARE : MEMORY_BYTES;
    size_t groups = AD_MIN(most, p->e->caps.max_range) / group;
    groups = AD_MIN(groups, (size_t)p->e->caps.max_groups[0]);
    p->launch.kernel = probe->kind == AD_PROBE_READ    ? AD_VK_PROBE_READ
                       : probe->kind == AD_PROBE_WRITE ? AD_VK_PROBE_WRITE
                                                       : AD_VK_PROBE_COPY;
    p->launch.grid[0] = (uint32_t)groups;
    p->push = (struct ad_push_probe){.vectors = (int32_t)(groups * group / 16), .term = 1};
    p->repeats = 1;
    adatom_status status = prepare(p, groups * group);
    if (status == ADATOM_OK) status = sample(p, true, probe);
    probe->bytes = (probe->kind == AD_PROBE_COPY ? 2.0 : 1.0) * (double)(groups * group) * p->repeats;
    return status;
}

adatom_status ad_vk_probe(ad_engine *engine, ad_probe *probe) {
    vk_engine *e = vk_engine_of(engine);
    probing p = {.e = e};
    adatom_status status = ADATOM_UNSUPPORTED;
    const int errors = atomic_load(&e->instance.errors);
    const char *name = e->device.physical.info.name;
    probe->flops = probe->bytes = 0;
    probe->device_timer = e->device.physical.timestamp_bits > 0;
    switch (probe->kind) {
    case AD_PROBE_FMA16:
        if (!e->device.physical.half)
            return ad_fail(engine->ctx, status, "%s has no half-precision arithmetic (shaderFloat16)", name);
        status = probe_arithmetic(&p, probe);
        break;
    case AD_PROBE_MATRIX:
        if (!e->device.physical.matrix_nv)
            return ad_fail(engine->ctx, status, "%s has no VK_NV_cooperative_matrix with %dx%d half-precision matrices",
                           name, AD_PROBE_MATRIX_SIZE, AD_PROBE_MATRIX_SIZE);
        status = probe_arithmetic(&p, probe);
        break;
    case AD_PROBE_FMA32: status = probe_arithmetic(&p, probe); break;
    case AD_PROBE_READ:
    case AD_PROBE_WRITE:
    case AD_PROBE_COPY: status = probe_memory(&p, probe); break;
    case AD_PROBE_SGEMM: return ad_fail(engine->ctx, status, "BLAS runs on the host only");
    }
    clear(&p);
    return status == ADATOM_OK ? ad_vk_validated(&e->instance, errors) : status;
}
