#include "vk/program/record.h"
#include "vk/core/debug_names.h"
#include "vk/program/hazards.h"

static void barrier(const vk_program *p, VkCommandBuffer commands, VkPipelineStageFlags from, VkAccessFlags made,
                    VkPipelineStageFlags to, VkAccessFlags needed) {
    const VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = made, .dstAccessMask = needed};
    p->e->device.vk.vkCmdPipelineBarrier(commands, from, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

static void compute_barrier(const vk_program *p, VkCommandBuffer commands) {
    barrier(p, commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
            VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
}

static void record_dispatch(const vk_program *p, VkCommandBuffer commands, const vk_dispatch *dispatch) {
    const vk_device_functions *vk = &p->e->device.vk;
    const vk_launch *launch = dispatch->launch;
    const uint32_t *base = dispatch->part.base, *count = dispatch->part.count;
    vk->vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, launch->pipeline);
    vk->vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, launch->layout, 0, 1, &launch->set, 0, NULL);
    if (launch->push_bytes)
        vk->vkCmdPushConstants(commands, launch->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, launch->push_bytes,
                               launch->push);
    if (base[0] || base[1] || base[2])
        vk->vkCmdDispatchBase(commands, base[0], base[1], base[2], count[0], count[1], count[2]);
    else
        vk->vkCmdDispatch(commands, count[0], count[1], count[2]);
}

/* With timestamps operations run one at a time, so that each has its own time. */
static void begin_operation(const vk_program *p, VkCommandBuffer commands, int op) {
    const vk_device_functions *vk = &p->e->device.vk;
    vk->vkCmdResetQueryPool(commands, p->queries, 2 * (uint32_t)op, 2);
    compute_barrier(p, commands);
    vk->vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, p->queries, 2 * (uint32_t)op);
}

static void end_operation(const vk_program *p, VkCommandBuffer commands, int op) {
    p->e->device.vk.vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, p->queries,
                                        2 * (uint32_t)op + 1);
}

adatom_status ad_vk_record_chunk(const vk_program *p, const vk_segment *s, vk_chunk *chunk, int *barriers) {
    const vk_device_functions *vk = &p->e->device.vk;
    adatom_context *ctx = p->e->base.ctx;
    adatom_status status = ADATOM_OK;
    vk_hazards pending = {.count = 0};
    const VkCommandBufferAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                  .commandPool = p->command_pool,
                                                  .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                                  .commandBufferCount = 1};
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT};
    VK(vk->vkAllocateCommandBuffers(p->e->device.handle, &allocate, &chunk->commands));
    VK(vk->vkBeginCommandBuffer(chunk->commands, &begin));
    /* Whatever ran before: the chunk before, the same one, a copy into an arena. */
    barrier(p, chunk->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
            VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    const vk_launch *before = NULL;
    for (int i = chunk->first; i < chunk->first + chunk->count; i++) {
        const vk_dispatch *dispatch = &s->dispatches[i];
        if (p->profile && (i == 0 || dispatch[-1].op != dispatch->op)) {
            begin_operation(p, chunk->commands, dispatch->op);
            pending.count = 0;
        }
        if (i == chunk->first || dispatch[-1].op != dispatch->op)
            ad_vk_label_begin(&p->e->device, chunk->commands, ad_op_name(p->plan->ops[dispatch->op].kind));
        /* The parts of a launch are as independent of each other as its workgroups. */
        if (!p->omit_barriers && dispatch->launch != before) {
            if (ad_vk_hazards_conflict(&pending, dispatch->launch)) {
                compute_barrier(p, chunk->commands);
                pending.count = 0;
                ++*barriers;
            }
            ad_vk_hazards_add(&pending, dispatch->launch);
        }
        record_dispatch(p, chunk->commands, dispatch);
        before = dispatch->launch;
        if (i + 1 == chunk->first + chunk->count || dispatch[1].op != dispatch->op)
            ad_vk_label_end(&p->e->device, chunk->commands);
        if (p->profile && (i + 1 == s->dispatch_count || dispatch[1].op != dispatch->op))
            end_operation(p, chunk->commands, dispatch->op);
    }
    barrier(p, chunk->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
            VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    VK(vk->vkEndCommandBuffer(chunk->commands));
done:
    return status;
}
