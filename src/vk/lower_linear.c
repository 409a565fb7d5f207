/* LINEAR, LINEAR_DX, LINEAR_DW. */
#include "vk/lower_conv.h"

enum { CLASSES = 4 }; /* classes a workgroup of LINEAR computes: they share the loads of x */

static bool lower_linear(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (variant != 1) return false;
    const size_t groups = (size_t)op->g.n * ad_conv_ceil((size_t)op->g.o, CLASSES);
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.optional = op->t[2] >= 0;
    push.count = (int32_t)groups;
    ad_vk_launch *l = ad_conv_add(out, op, AD_VK_LINEAR, &push, (ad_conv_tile){.lanes = ad_conv_lanes(caps), .a = CLASSES});
    ad_vk_groups(l, caps, groups, op->tasks);
    return true;
}

static bool lower_linear_dx(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (variant != 1) return false;
    ad_conv_items(out, op, caps, AD_VK_LINEAR_DX, ad_conv_push(plan, op), (size_t)op->g.n * (size_t)op->g.c, 1);
    return true;
}

static bool lower_linear_dw(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (variant != 1) return false;
    const size_t o = (size_t)op->g.o, items = o * (size_t)op->g.c + (op->t[3] >= 0 ? o : 0);
    ad_conv_items(out, op, caps, AD_VK_LINEAR_DW, ad_conv_push(plan, op), items, 1);
    return true;
}

const ad_vk_family ad_vk_family_LINEAR = {.lower = lower_linear, .variants = {"lanes"}};
const ad_vk_family ad_vk_family_LINEAR_DX = {.lower = lower_linear_dx, .variants = {"single"}};
const ad_vk_family ad_vk_family_LINEAR_DW = {.lower = lower_linear_dw, .variants = {"single"}};
