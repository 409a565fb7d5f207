/* FILL, COPY, BLEND, ADD, ADVANCE. */
#include "vk/kernels/lower.h"
#include "shaders/abi.h"

static bool lower_elementwise(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                              ad_vk_recipe *out) {
    if (variant != 1 || !ad_vk_aligned(plan, op)) return false;
    struct ad_push_elementwise push = {.count = op->g.c, .value = op->f[0], .other = op->f[1]};
    int kernel = AD_VK_FILL;
    switch (op->kind) {
    case AD_OP_FILL:
        push.apart = op->i[0];
        push.y_task = ad_vk_stride(plan, op, 0);
        break;
    case AD_OP_COPY:
        kernel = AD_VK_COPY;
        push.a_begin = op->i[0];
        push.a_task = ad_vk_stride(plan, op, 0);
        push.y_task = ad_vk_stride(plan, op, 1);
        break;
    case AD_OP_BLEND:
        kernel = AD_VK_BLEND;
        push.a_task = ad_vk_stride(plan, op, 0);
        push.y_task = ad_vk_stride(plan, op, 1);
        break;
    default:
        kernel = AD_VK_ADD;
        push.value = op->i[0] ? -1.0f : 1.0f;
        push.a_task = ad_vk_stride(plan, op, 0);
        push.b_task = ad_vk_stride(plan, op, 1);
        push.y_task = ad_vk_stride(plan, op, 2);
    }
    ad_vk_launch *l = ad_vk_add(out, op, kernel, &push, sizeof push);
    ad_vk_spec(l, op->g.c % 4 != 0);
    if (op->kind == AD_OP_ADD) ad_vk_spec(l, ad_vk_in_place(op, 2, 0));
    ad_vk_items(l, caps, ((size_t)op->g.c + 3) / 4, op->tasks);
    return true;
}

static bool lower_advance(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                          ad_vk_recipe *out) {
    (void)plan;
    (void)caps;
    if (variant == 1) ad_vk_add(out, op, AD_VK_ADVANCE, NULL, 0);
    return variant == 1;
}

const ad_vk_lowering ad_vk_lowering_FILL = {.lower = lower_elementwise, .variants = {"vec4"}};
const ad_vk_lowering ad_vk_lowering_COPY = {.lower = lower_elementwise, .variants = {"vec4"}};
const ad_vk_lowering ad_vk_lowering_BLEND = {.lower = lower_elementwise, .variants = {"vec4"}};
const ad_vk_lowering ad_vk_lowering_ADD = {.lower = lower_elementwise, .variants = {"vec4"}};
const ad_vk_lowering ad_vk_lowering_ADVANCE = {.lower = lower_advance, .variants = {"single"}};
