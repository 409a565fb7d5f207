/* LAYER_NORM, LAYER_NORM_BACK, LAYER_NORM_SUMS. */
#include "vk/kernels/lower.h"

static size_t positions(const ad_op *op) { return (size_t)op->g.n * (size_t)op->g.h * (size_t)op->g.w; }

static bool applies(const ad_plan *plan, const ad_op *op, int variant) {
    return variant >= 1 && variant <= 2 && op->g.c % 4 == 0 && ad_vk_aligned(plan, op);
}

static int preferred(const ad_op *op, const ad_vk_caps *caps) { return caps->software && op->g.c <= 64 ? 1 : 2; }

/* Lanes of a position: one, or so many that each takes up to 8 vec4 and 8 of them fetch a line of memory. */
static size_t lanes_of(const ad_op *op, int variant) {
    size_t lanes = 8;
    while (lanes < AD_VK_GROUP && 8 * lanes < (size_t)op->g.c / 4) lanes *= 2;
    return variant == 1 ? 1 : lanes;
}

/* The constants and the grid of shaders/lib/lanes.glsl. */
static void specialize(ad_vk_launch *l, const ad_op *op, int variant, const ad_vk_caps *caps) {
    const size_t lanes = lanes_of(op, variant);
    ad_vk_spec(l, (uint32_t)lanes);
    ad_vk_spec(l, (uint32_t)op->g.c / 4);
    ad_vk_items(l, caps, positions(op) * lanes, op->tasks);
}

static bool lower_layer_norm(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                             ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    const struct ad_push_layer_norm push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .gamma_task = ad_vk_stride(plan, op, 1),
        .beta_task = ad_vk_stride(plan, op, 2),
        .y_task = ad_vk_stride(plan, op, 3),
        .stats_task = ad_vk_stride(plan, op, 4),
        .positions = (int32_t)positions(op),
        .epsilon = op->f[0],
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_LAYER_NORM, &push, sizeof push);
    specialize(l, op, variant, caps);
    ad_vk_spec(l, op->t[4] >= 0);
    return true;
}

static bool lower_layer_norm_back(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                                  ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    const struct ad_push_layer_norm_back push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .gamma_task = ad_vk_stride(plan, op, 1),
        .stats_task = ad_vk_stride(plan, op, 2),
        .dy_task = ad_vk_stride(plan, op, 3),
        .dx_task = ad_vk_stride(plan, op, 4),
        .positions = (int32_t)positions(op),
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_LAYER_NORM_BACK, &push, sizeof push);
    specialize(l, op, variant, caps);
    ad_vk_spec(l, op->flags & AD_ACCUMULATE);
    ad_vk_spec(l, ad_vk_in_place(op, 4, 3));
    return true;
}

static bool lower_layer_norm_sums(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                                  ad_vk_recipe *out) {
    if (variant != 1 || !applies(plan, op, variant)) return false;
    const size_t channels4 = (size_t)op->g.c / 4, run = caps->software ? 8 : 32,
                 parts = (positions(op) + run - 1) / run;
    const struct ad_push_layer_norm_sums push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .stats_task = ad_vk_stride(plan, op, 1),
        .dy_task = ad_vk_stride(plan, op, 2),
        .to_task = parts == 1 ? ad_vk_stride(plan, op, 3) : (int32_t)(parts * 8 * channels4),
        .channels4 = (int32_t)channels4,
        .positions = (int32_t)positions(op),
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_LAYER_NORM_SUMS, &push, sizeof push);
    ad_vk_spec(l, (uint32_t)run);
    ad_vk_bind_parts(l, 3, 3, parts == 1);
    ad_vk_items(l, caps, parts * channels4, op->tasks);
    return ad_vk_add_merges(plan, op, caps, AD_VK_SUM_MERGE, 3, 2 * channels4, positions(op), run, out);
}

const ad_vk_lowering ad_vk_lowering_LAYER_NORM = {
    .lower = lower_layer_norm, .variants = {"position", "lanes"}, .preferred = preferred};
const ad_vk_lowering ad_vk_lowering_LAYER_NORM_BACK = {
    .lower = lower_layer_norm_back, .variants = {"position", "lanes"}, .preferred = preferred};
const ad_vk_lowering ad_vk_lowering_LAYER_NORM_SUMS = {.lower = lower_layer_norm_sums, .variants = {"two-pass"}};
