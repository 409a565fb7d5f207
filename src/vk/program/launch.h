/* A launch of a kernel, ready to record. */
#ifndef AD_VK_LAUNCH_H
#define AD_VK_LAUNCH_H

#include "vk/program/pipelines.h"

typedef struct vk_use { /* a byte range a launch touches */
    VkBuffer buffer;
    VkDeviceSize begin, end;
    bool write, half; /* half: the tensor is AD_F16 */
} vk_use;

typedef struct vk_launch {
    VkPipeline pipeline;
    VkPipelineLayout layout;
    VkDescriptorSet set;
    VkBufferView views[VK_MAX_BINDINGS]; /* of texel bindings */
    uint32_t push[VK_MAX_PUSH_BYTES / 4], push_bytes, grid[3];
    vk_use uses[VK_MAX_BINDINGS];
    int use_count;
} vk_launch;
#endif
