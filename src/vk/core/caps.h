/* What a device allows and has, as far as kernels are chosen by it: plain numbers, so that the kernels' room needs no
 * Vulkan. */
#ifndef AD_VK_CAPS_H
#define AD_VK_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What matrix units multiply: m x k by k x n, half precision with float32 sums, by one subgroup. m = 0: there are none
 * to use. */
typedef struct ad_vk_matrix {
    uint32_t m, n, k;
    uint32_t subgroup; /* invocations; kernels are made with subgroups of this size, all full */
    bool khr;          /* VK_KHR_cooperative_matrix, else VK_NV_cooperative_matrix */
} ad_vk_matrix;

typedef struct ad_vk_caps {
    uint32_t max_invocations, max_shared_bytes, max_groups[3], subgroup;
    size_t max_range;
    uint32_t max_texels; /* maxTexelBufferElements */
    bool software;       /* llvmpipe, SwiftShader: register tiles; shared memory and barriers only to add up lanes */
    bool shuffle;        /* subgroupShuffle */
    bool half;           /* variants of reduced precision were asked for */
    ad_vk_matrix matrix; /* only where half */
} ad_vk_caps;
#endif
