/* How an operation becomes shader dispatches. The file of its family (conv.c, norm.c, ...) turns it into launches by
 * arithmetic alone; src/vk/program makes pipelines, descriptor sets and barriers of them. */
#ifndef AD_VK_KERNEL_H
#define AD_VK_KERNEL_H

#include "plan/engine.h"
#include "vk/core/caps.h"

/* The kernels of kernels.def, one SPIR-V module each. */
typedef enum ad_vk_kernel {
#define AD_KERNEL(NAME, file, defines, bindings) AD_VK_##NAME,
#include "vk/kernels/kernels.def"
#undef AD_KERNEL
    AD_VK_KERNEL_COUNT
} ad_vk_kernel;

enum { AD_VK_SCRATCH = 64 }; /* bind[] value: the recipe's scratch buffer (partial sums of two-pass reductions) */

typedef struct ad_vk_launch {
    int kernel;      /* ad_vk_kernel */
    int16_t bind[8]; /* per storage binding: role number of the op (op.t[]), AD_VK_SCRATCH, or -1 (unused: something
                        harmless is bound) */
    uint8_t
        texel; /* bit b: binding b is a uniform texel buffer of RGBA32F or RGBA16F (whole texels of the tensor) and not
                  a storage buffer; the same for every launch of a kernel. llvmpipe loads those 3-5 times faster */
    uint32_t spec[20]; /* specialization constants 0..spec_count-1 */
    int spec_count;
    uint32_t push[32]; /* push constants, <= 128 bytes; floats by memcpy */
    int push_words;
    uint32_t subgroup; /* 0: any; else subgroups have exactly this many invocations and are full */
    uint32_t grid[3];  /* workgroups; each <= max_groups */
    bool scratch_read, scratch_write;
} ad_vk_launch;

typedef struct ad_vk_recipe {
    size_t scratch_bytes;
    int count;
    ad_vk_launch launches[6];
} ad_vk_recipe;

/* False: this variant does not apply to this op on this device. Variants count from 1. */
typedef bool (*ad_vk_lower)(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                            ad_vk_recipe *out);

typedef struct ad_vk_lowering {
    ad_vk_lower lower;
    const char *variants[AD_MAX_VARIANTS]; /* names of variants 1.., NULL-ended */
    /* The variant meant by 0 without tuning: a sound default for this device. NULL: the first that applies. */
    int (*preferred)(const ad_op *op, const ad_vk_caps *caps);
    unsigned
        half; /* bit v: variant v rounds operands to half precision. lower() refuses it and preferred() avoids it unless
                 caps->half; it is chosen only after it has passed the kernel check on the device (choose.c) */
} ad_vk_lowering;

/* Each operation has one definition `const ad_vk_lowering ad_vk_lowering_NAME` in the file of its family; lowerings.c
 * is the table of them. */
const ad_vk_lowering *ad_vk_lowering_of(int op_kind);
#endif
