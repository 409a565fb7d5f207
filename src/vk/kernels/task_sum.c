/* TASK_SUM. */
#include "vk/kernels/lower.h"
#include "shaders/abi.h"

static bool lower_task_sum(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                           ad_vk_recipe *out) {
    if (variant != 1 || !ad_vk_aligned(plan, op)) return false;
    const struct ad_push_task_sum push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .count = op->g.c,
        .tasks = op->i[0],
        .accumulate = (op->flags & AD_ACCUMULATE) != 0,
        .factor = op->f[0],
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_TASK_SUM, &push, sizeof push);
    ad_vk_spec(l, op->g.c % 4 != 0);
    ad_vk_items(l, caps, ((size_t)op->g.c + 3) / 4, 1);
    return true;
}

const ad_vk_lowering ad_vk_lowering_TASK_SUM = {.lower = lower_task_sum, .variants = {"vec4"}};
