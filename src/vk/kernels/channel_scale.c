/* CHANNEL_SCALE, CHANNEL_SCALE_BACK. */
#include "vk/kernels/lower.h"

/* Of an image. */
static size_t positions(const ad_op *op) { return (size_t)op->g.h * (size_t)op->g.w; }

static bool applies(const ad_plan *plan, const ad_op *op, int variant) {
    return variant == 1 && op->g.c % 4 == 0 && ad_vk_aligned(plan, op);
}

static bool lower_channel_scale(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                                ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    const size_t channels4 = (size_t)op->g.c / 4, rows = AD_MIN(positions(op), 4),
                 slice = (positions(op) + rows - 1) / rows * channels4;
    const struct ad_push_channel_scale push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .s_task = ad_vk_stride(plan, op, 1),
        .y_task = ad_vk_stride(plan, op, 2),
        .channels4 = (int32_t)channels4,
        .slice = (int32_t)slice,
        .elements4 = (int32_t)(positions(op) * channels4),
        .images = op->g.n,
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_CHANNEL_SCALE, &push, sizeof push);
    ad_vk_spec(l, (uint32_t)rows);
    ad_vk_spec(l, ad_vk_in_place(op, 2, 0));
    ad_vk_items(l, caps, slice * (size_t)op->g.n, op->tasks);
    return true;
}

static bool lower_channel_scale_back(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                                     ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    /* llvmpipe unrolls no more than about 32 loads. */
    const size_t width = (size_t)op->g.n * (size_t)op->g.c / 4, run = caps->software ? 8 : 32,
                 parts = (positions(op) + run - 1) / run;
    const struct ad_push_channel_scale_back push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .s_task = ad_vk_stride(plan, op, 1),
        .dy_task = ad_vk_stride(plan, op, 2),
        .dx_task = ad_vk_stride(plan, op, 3),
        .to_task = parts == 1 ? ad_vk_stride(plan, op, 4) : (int32_t)(parts * 4 * width),
        .channels4 = op->g.c / 4,
        .positions = (int32_t)positions(op),
        .images = op->g.n,
    };
    const bool sums = op->t[4] >= 0;
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_CHANNEL_SCALE_BACK, &push, sizeof push);
    ad_vk_spec(l, (uint32_t)run);
    ad_vk_spec(l, op->flags & AD_ACCUMULATE);
    ad_vk_spec(l, op->t[3] >= 0);
    ad_vk_spec(l, sums);
    ad_vk_spec(l, ad_vk_in_place(op, 3, 2));
    if (sums) ad_vk_bind_parts(l, 4, 4, parts == 1);
    ad_vk_items(l, caps, parts * width, op->tasks);
    return !sums || ad_vk_add_merges(plan, op, caps, AD_VK_SUM_MERGE, 4, width, positions(op), run, out);
}

const ad_vk_lowering ad_vk_lowering_CHANNEL_SCALE = {.lower = lower_channel_scale, .variants = {"vec4"}};
const ad_vk_lowering ad_vk_lowering_CHANNEL_SCALE_BACK = {.lower = lower_channel_scale_back, .variants = {"two-pass"}};
