/* WEIGHT_NORM, WEIGHT_SCALE, WEIGHT_SCALE_BACK. */
#include "vk/kernels/lower.h"
#include "shaders/abi.h"

/* Role numbers of the members of the push constants; -1: the operation has none. */
static struct ad_push_weights push_of(const ad_plan *plan, const ad_op *op, int gain, int norms, int dy, int y,
                                      int dgain) {
    return (struct ad_push_weights){.w_task = ad_vk_stride(plan, op, 0),
                                    .gain_task = gain < 0 ? 0 : ad_vk_stride(plan, op, gain),
                                    .norms_task = norms < 0 ? 0 : ad_vk_stride(plan, op, norms),
                                    .dy_task = dy < 0 ? 0 : ad_vk_stride(plan, op, dy),
                                    .y_task = ad_vk_stride(plan, op, y),
                                    .dgain_task = dgain < 0 ? 0 : ad_vk_stride(plan, op, dgain),
                                    .taps = op->g.k * op->g.k,
                                    .inputs = op->g.c,
                                    .outputs = op->g.o};
}

/* The numbers of an input channel are contiguous, those of an output channel lie a row apart. */
static ad_vk_launch *add_sums(const ad_op *op, const ad_vk_caps *caps, int kernel, struct ad_push_weights push,
                              ad_vk_recipe *out) {
    const size_t channels = (size_t)(op->i[0] ? op->g.c : op->g.o), width = op->i[0] ? 1 : 16;
    ad_vk_launch *l = ad_vk_add(out, op, kernel, &push, sizeof push);
    ad_vk_spec(l, op->i[0] != 0);
    ad_vk_spec(l, (uint32_t)width);
    ad_vk_groups(l, caps, (channels + width - 1) / width, op->tasks);
    return l;
}

static bool lower_norm(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (variant != 1) return false;
    add_sums(op, caps, AD_VK_WEIGHT_NORM, push_of(plan, op, -1, -1, -1, 1, -1), out);
    return true;
}

static bool lower_scale(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (variant != 1) return false;
    const struct ad_push_weights push = push_of(plan, op, 1, 2, -1, 3, -1);
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_WEIGHT_SCALE, &push, sizeof push);
    ad_vk_spec(l, op->i[0] != 0);
    ad_vk_items(l, caps, (size_t)push.taps * (size_t)op->g.c * (size_t)op->g.o, op->tasks);
    return true;
}

static bool lower_scale_back(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                             ad_vk_recipe *out) {
    if (variant != 1) return false;
    ad_vk_launch *l = add_sums(op, caps, AD_VK_WEIGHT_SCALE_BACK, push_of(plan, op, 1, 2, 3, 4, 5), out);
    ad_vk_spec(l, ad_vk_in_place(op, 4, 3));
    return true;
}

const ad_vk_lowering ad_vk_lowering_WEIGHT_NORM = {.lower = lower_norm, .variants = {"workgroup"}};
const ad_vk_lowering ad_vk_lowering_WEIGHT_SCALE = {.lower = lower_scale, .variants = {"element"}};
const ad_vk_lowering ad_vk_lowering_WEIGHT_SCALE_BACK = {.lower = lower_scale_back, .variants = {"workgroup"}};
