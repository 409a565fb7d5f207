/* Programs: a plan lowered to launches with their pipelines, descriptor sets and memory, and its segments recorded. */
#ifndef AD_VK_PROGRAM_H
#define AD_VK_PROGRAM_H

#include "vk/program/engine.h"
#include "vk/program/launch.h"
#include "vk/program/split.h"

typedef struct vk_dispatch { /* a launch or a part of one */
    int op;
    const vk_launch *launch;
    vk_part part;
    double share; /* of the operation's time */
} vk_dispatch;

typedef struct vk_chunk { /* consecutive dispatches of a segment in one command buffer */
    VkCommandBuffer commands;
    int first, count;
} vk_chunk;

typedef struct vk_segment {
    vk_dispatch *dispatches;
    vk_chunk *chunks;
    int dispatch_count, chunk_count;
    int settled; /* how often it was recorded anew because a turn had shown what its operations take */
    bool stale;  /* to be recorded (again) before it runs */
} vk_segment;

typedef struct vk_cost { /* of an operation */
    double seconds;      /* expected, then measured; decides how much goes into a dispatch and into a submission */
    bool measured;
    double ns; /* by timestamps; < 0: none */
} vk_cost;

typedef struct vk_program {
    vk_engine *e;
    ad_plan *plan;
    vk_buffer *arenas[AD_MAX_ARENAS]; /* owned ones lie in own */
    vk_buffer own[AD_MAX_ARENAS], scratch;
    vk_launch *launches;
    int launch_count;
    int *first_launch; /* [op_count + 1] */
    vk_cost *costs;    /* [op_count] */
    VkDescriptorPool descriptors;
    VkCommandPool command_pool;
    VkQueryPool queries; /* 2 per operation: before and after */
    vk_segment segments[AD_SEGMENT_COUNT];
    bool profile, omit_barriers;
} vk_program;

/* ad_engine_api */
adatom_status ad_vk_program_create(ad_engine *, const ad_plan *, ad_buffer *const *external, ad_program **out);
adatom_status ad_vk_program_write(ad_program *, int tensor, size_t offset, const void *data, size_t bytes);
adatom_status ad_vk_program_read(ad_program *, int tensor, size_t offset, void *data, size_t bytes);
void ad_vk_program_destroy(ad_program **);
#endif
