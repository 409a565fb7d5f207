#include "vk/program/record.h"
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

static void record_launch(const vk_program *p, VkCommandBuffer commands, const vk_launch *launch) {
    const vk_device_functions *vk = &p->e->device.vk;
    vk->vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, launch->pipeline);
    vk->vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, launch->layout, 0, 1, &launch->set, 0, NULL);
    if (launch->push_bytes)
        vk->vkCmdPushConstants(commands, launch->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, launch->push_bytes,
                               launch->push);
    vk->vkCmdDispatch(commands, launch->grid[0], launch->grid[1], launch->grid[2]);
}

adatom_status ad_vk_record_chunk(const vk_program *p, vk_chunk *chunk, int *barriers) {
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
    if (p->profile)
        vk->vkCmdResetQueryPool(chunk->commands, p->queries, 2 * (uint32_t)chunk->first_op,
                                2 * (uint32_t)chunk->op_count);
    for (int op = chunk->first_op; op < chunk->first_op + chunk->op_count; op++) {
        if (p->profile) { /* one operation at a time, so that each has its own time */
            compute_barrier(p, chunk->commands);
            pending.count = 0;
            vk->vkCmdWriteTimestamp(chunk->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, p->queries,
                                    2 * (uint32_t)op);
        }
        for (int l = p->first_launch[op]; l < p->first_launch[op + 1]; l++) {
            const vk_launch *launch = &p->launches[l];
            if (!p->omit_barriers && ad_vk_hazards_conflict(&pending, launch)) {
                compute_barrier(p, chunk->commands);
                pending.count = 0;
                ++*barriers;
            }
            if (!p->omit_barriers) ad_vk_hazards_add(&pending, launch);
            record_launch(p, chunk->commands, launch);
        }
        if (p->profile)
            vk->vkCmdWriteTimestamp(chunk->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, p->queries,
                                    2 * (uint32_t)op + 1);
    }
    barrier(p, chunk->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
            VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    VK(vk->vkEndCommandBuffer(chunk->commands));
done:
    return status;
}
