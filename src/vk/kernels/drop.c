/* DROP_MASK, DROP_APPLY. */
#include "vk/kernels/lower.h"
#include "shaders/abi.h"

static bool lower_drop_mask(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                            ad_vk_recipe *out) {
    const ad_geometry *g = &op->g;
    if (variant != 1 || !ad_vk_aligned(plan, op)) return false;
    const struct ad_push_drop_mask push = {
        .mask_task = ad_vk_stride(plan, op, 1),
        .images = g->n,
        .h = g->h,
        .w = g->w,
        .channels4 = g->c / 4,
        .side = op->i[0],
        .ramp = op->i[1],
        .seed = (uint32_t)op->i[6],
        .stream = AD_STREAM_DROP,
        .chance = ad_op_drop_chance(op),
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_DROP_MASK, &push, sizeof push);
    ad_vk_items(l, caps, (size_t)g->n * (size_t)g->c / 4, op->tasks);
    return true;
}

static bool lower_drop_apply(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                             ad_vk_recipe *out) {
    const ad_geometry *g = &op->g;
    if (variant != 1 || g->c % 4 || !ad_vk_aligned(plan, op)) return false;
    const size_t elements4 = (size_t)g->n * (size_t)g->h * (size_t)g->w * (size_t)g->c / 4;
    const struct ad_push_drop_apply push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .mask_task = ad_vk_stride(plan, op, 1),
        .stats_task = ad_vk_stride(plan, op, 2),
        .y_task = ad_vk_stride(plan, op, 3),
        .channels4 = g->c / 4,
        .elements4 = (int32_t)elements4,
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_DROP_APPLY, &push, sizeof push);
    ad_vk_spec(l, ad_vk_in_place(op, 3, 0));
    ad_vk_items(l, caps, elements4, op->tasks);
    return true;
}

const ad_vk_lowering ad_vk_lowering_DROP_MASK = {.lower = lower_drop_mask, .variants = {"channels"}};
const ad_vk_lowering ad_vk_lowering_DROP_APPLY = {.lower = lower_drop_apply, .variants = {"vec4"}};
