/* SGD, ADAM. */
#include "vk/kernels/lower.h"
#include "shaders/abi.h"

static bool lower_optimiser(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                            ad_vk_recipe *out) {
    if (variant != 1 || !ad_vk_aligned(plan, op)) return false;
    const bool adam = op->kind == AD_OP_ADAM;
    const struct ad_push_optimiser push = {
        .p_task = ad_vk_stride(plan, op, 0),
        .grad_task = ad_vk_stride(plan, op, 1),
        .first_task = ad_vk_stride(plan, op, 2),
        .second_task = adam ? ad_vk_stride(plan, op, 3) : 0,
        .count = op->g.c,
        .column = op->i[1],
        .f0 = op->f[0],
        .f1 = op->f[1],
        .f2 = op->f[2],
        .f3 = op->f[3],
    };
    ad_vk_launch *l = ad_vk_add(out, op, adam ? AD_VK_ADAM : AD_VK_SGD, &push, sizeof push);
    ad_vk_spec(l, op->g.c % 4 != 0);
    ad_vk_spec(l, op->i[0] != 0);
    ad_vk_items(l, caps, ((size_t)op->g.c + 3) / 4, op->tasks);
    return true;
}

const ad_vk_lowering ad_vk_lowering_SGD = {.lower = lower_optimiser, .variants = {"vec4"}};
const ad_vk_lowering ad_vk_lowering_ADAM = {.lower = lower_optimiser, .variants = {"vec4"}};
