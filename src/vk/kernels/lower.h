/* The small arithmetic that every family needs to lower an operation. */
#ifndef AD_VK_LOWER_H
#define AD_VK_LOWER_H

#include "plan/activation.h"
#include "shaders/abi.h"
#include "vk/kernels/kernel.h"

#include <string.h>

/* The shaders know the activations by the same numbers. */
#define AD_VK_SAME_ACT(name) _Static_assert((int)AD_ACT_##name == AD_ACTIVATION_##name, "activations of abi_other.h")
AD_VK_SAME_ACT(NONE);
AD_VK_SAME_ACT(RELU);
AD_VK_SAME_ACT(LEAKY);
AD_VK_SAME_ACT(RELU6);
AD_VK_SAME_ACT(SILU);
AD_VK_SAME_ACT(HARD_SWISH);
AD_VK_SAME_ACT(SIGMOID);
AD_VK_SAME_ACT(HARD_SIGMOID);
AD_VK_SAME_ACT(GELU);
AD_VK_SAME_ACT(GELU_TANH);
#undef AD_VK_SAME_ACT

/* Elements from one task to the next of role r; 0: shared by all tasks, or absent. */
static inline int32_t ad_vk_stride(const ad_plan *plan, const ad_op *op, int role) {
    return op->t[role] < 0 ? 0 : (int32_t)plan->tensors[op->t[role]].stride;
}

/* Whether the two roles are there and are the same tensor (shaders/abi_other.h: in place). */
static inline bool ad_vk_in_place(const ad_op *op, int role, int other) {
    return op->t[role] >= 0 && op->t[role] == op->t[other];
}

/* Whether every task of every operand begins at a multiple of 4 elements, as vec4 access needs. */
static inline bool ad_vk_aligned(const ad_plan *plan, const ad_op *op) {
    for (int r = 0; r < AD_OP_TENSORS; r++)
        if (op->t[r] >= 0 && plan->tensors[op->t[r]].stride % 4) return false;
    return true;
}

/* Appends a launch of kernel whose binding b is role b of op (absent roles: -1); other bindings are set by
 * the caller. */
static inline ad_vk_launch *ad_vk_add(ad_vk_recipe *out, const ad_op *op, int kernel, const void *push,
                                      size_t push_bytes) {
    ad_vk_launch *l = &out->launches[out->count++];
    *l = (ad_vk_launch){.kernel = kernel, .push_words = (int)(push_bytes / 4), .grid = {1, 1, 1}};
    if (push_bytes) memcpy(l->push, push, push_bytes);
    for (int r = 0; r < AD_OP_TENSORS; r++) l->bind[r] = (int16_t)(op->t[r] < 0 ? -1 : r);
    return l;
}

static inline void ad_vk_spec(ad_vk_launch *l, uint32_t value) { l->spec[l->spec_count++] = value; }

/* The grid of shaders/lib/grid.glsl: `groups` workgroups a task, tasks along z; what exceeds the device's x goes
 * to y. */
static inline void ad_vk_groups(ad_vk_launch *l, const ad_vk_caps *caps, size_t groups, int tasks) {
    const size_t rows = (groups + caps->max_groups[0] - 1) / caps->max_groups[0];
    l->grid[0] = (uint32_t)((groups + rows - 1) / rows);
    l->grid[1] = (uint32_t)rows;
    l->grid[2] = (uint32_t)tasks;
}

enum { AD_VK_GROUP = 64 }; /* invocations of a workgroup of lib/grid.glsl */
static inline void ad_vk_items(ad_vk_launch *l, const ad_vk_caps *caps, size_t items, int tasks) {
    ad_vk_groups(l, caps, (items + AD_VK_GROUP - 1) / AD_VK_GROUP, tasks);
}

/* AFFINE (norm.c) over operands given by their roles in op; with op's i[0] and f[0] as its activation. */
typedef struct ad_vk_affine {
    int x, coef, residual, y;
    size_t positions, channels;
} ad_vk_affine;
void ad_vk_add_affine(const ad_plan *plan, const ad_op *op, const ad_vk_affine *of, const ad_vk_caps *caps,
                      ad_vk_recipe *out);

/* Reductions over positions (shaders/abi_other.h; norm.c): a first launch makes a part, `width` vec4, of each `run` of
 * `count` positions, then launches of kernel BN_MERGE or SUM_MERGE make one of many until one is left. Binding `to` of
 * each launch: scratch, or role `result` for the last. False: too many launches. */
void ad_vk_bind_parts(ad_vk_launch *l, int to, int result, bool last);
bool ad_vk_add_merges(const ad_plan *plan, const ad_op *op, const ad_vk_caps *caps, int kernel, int result,
                      size_t width, size_t count, size_t run, ad_vk_recipe *out);
#endif
