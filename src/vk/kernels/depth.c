/* DEPTH, DEPTH_DX, DEPTH_DPSI. */
#include "vk/kernels/decomposed.h"

enum { SINGLE = 1, TEXEL };

static int preferred(const ad_op *op, const ad_vk_caps *caps) {
    return caps->software && op->g.o % 4 == 0 ? TEXEL : SINGLE;
}

static bool applies(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps) {
    if (!ad_vk_aligned(plan, op)) return false;
    return variant == SINGLE || (variant == TEXEL && ad_conv_texels(caps, plan, op, 1));
}

static size_t inputs_of(const ad_geometry *g) { return (size_t)g->n * (size_t)g->h * (size_t)g->w; }
static size_t outputs_of(const ad_geometry *g) { return (size_t)g->n * (size_t)g->oh * (size_t)g->ow; }

static bool lower_depth(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (!applies(plan, op, variant, caps)) return false;
    const int kernel = variant == TEXEL ? AD_VK_DEPTH_TEXEL : AD_VK_DEPTH;
    const size_t items = outputs_of(&op->g) * ad_groups_out(&op->g) * (size_t)ad_group_in(&op->g) / 4;
    ad_vk_launch *l =
        ad_conv_add_groups(ad_conv_items(out, op, caps, kernel, ad_conv_push(plan, op), items, 1), &op->g);
    l->texel = variant == TEXEL ? 1 : 0;
    return true;
}

static bool lower_depth_dx(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                           ad_vk_recipe *out) {
    if (variant != 1) return false;
    ad_conv_add_groups(
        ad_conv_items(out, op, caps, AD_VK_DEPTH_DX, ad_conv_push(plan, op), inputs_of(&op->g) * (size_t)op->g.c, 1),
        &op->g);
    return true;
}

static bool lower_depth_dpsi(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                             ad_vk_recipe *out) {
    if (!applies(plan, op, variant, caps)) return false;
    const int kernel = variant == TEXEL ? AD_VK_DEPTH_DPSI_TEXEL : AD_VK_DEPTH_DPSI;
    const size_t items = outputs_of(&op->g) * (size_t)ad_group_in(&op->g) / 4;
    ad_vk_launch *l = ad_conv_add_taps(out, plan, op, caps, kernel, ad_conv_push(plan, op), items, 1, false);
    l->texel = variant == TEXEL ? 1 : 0;
    return true;
}

const ad_vk_lowering ad_vk_lowering_DEPTH = {
    .lower = lower_depth, .variants = {"single", "texel"}, .preferred = preferred};
const ad_vk_lowering ad_vk_lowering_DEPTH_DX = {.lower = lower_depth_dx, .variants = {"single"}};
const ad_vk_lowering ad_vk_lowering_DEPTH_DPSI = {
    .lower = lower_depth_dpsi, .variants = {"single", "texel"}, .preferred = preferred};
