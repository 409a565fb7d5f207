/* MIX. */
#include "vk/kernels/lower.h"
#include "shaders/abi.h"

static bool lower_mix(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    const ad_geometry *g = &op->g;
    if (variant != 1 || g->c % 4 || !ad_vk_aligned(plan, op)) return false;
    const struct ad_push_mix push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .y_task = ad_vk_stride(plan, op, 3),
        .images = g->n,
        .h = g->h,
        .w = g->w,
        .channels4 = g->c / 4,
        .rounds = AD_MAX(op->i[7], 1),
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_MIX, &push, sizeof push);
    ad_vk_spec(l, op->t[2] >= 0);
    ad_vk_items(l, caps, (size_t)g->n * (size_t)g->h * (size_t)g->w * (size_t)g->c / 4, op->tasks);
    return true;
}

const ad_vk_lowering ad_vk_lowering_MIX = {.lower = lower_mix, .variants = {"vec4"}};
