/* Compute pipelines, made when first needed: one for each kernel and set of specialization constants. */
#ifndef AD_VK_PIPELINES_H
#define AD_VK_PIPELINES_H

#include "vk/core/disk_cache.h"
#include "vk/core/logical_device.h"
#include "vk/kernels/spirv.h"

enum { VK_MAX_BINDINGS = 8, VK_MAX_SPEC = 20, VK_MAX_PUSH_BYTES = 128 };

typedef struct vk_pipeline {
    const uint32_t *words; /* with the specialization constants: the key */
    uint32_t spec[VK_MAX_SPEC];
    int spec_count;
    VkPipeline handle; /* VK_NULL_HANDLE: an empty slot */
} vk_pipeline;

typedef struct vk_layout {
    VkDescriptorSetLayout set;
    VkPipelineLayout pipeline;
} vk_layout;

typedef struct vk_pipelines {
    const vk_device *device;
    const vk_disk_cache *disk;
    vk_module modules[AD_VK_KERNEL_COUNT + 1];
    vk_layout layouts[VK_MAX_BINDINGS + 1]
                     [1 << VK_MAX_BINDINGS]; /* by bindings and ad_vk_launch.texel; made when needed */
    VkPipelineCache cache;
    uint64_t cache_hash; /* of the data as read from disk; other data at the end is worth writing */
    vk_pipeline *table;  /* open addressing; capacity is a power of two */
    int count, capacity;
} vk_pipelines;

adatom_status ad_vk_pipelines_init(const vk_device *device, const vk_disk_cache *disk, vk_pipelines *out);
void ad_vk_pipelines_clear(vk_pipelines *p);
adatom_status ad_vk_pipeline_get(vk_pipelines *p, const ad_vk_launch *launch, const vk_layout **layout,
                                 VkPipeline *out);
#endif
