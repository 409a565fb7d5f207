/* LINEAR, LINEAR_DX, LINEAR_DW. */
#include "vk/kernels/conv.h"

/* Classes that a workgroup of LINEAR computes: they share the loads of x. In the variant for software drivers rows
 * share those of w. */
enum { CLASSES = 4, TEXEL_CLASSES = 8, TEXEL_ROWS = 4 };
/* Variants for software drivers: LINEAR's "texel", the others' "spread". */
enum { PLAIN = 1, SOFTWARE };

static bool lower_linear(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    const size_t n = (size_t)op->g.n, o = (size_t)op->g.o;
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.optional = op->t[2] >= 0;
    if (variant == SOFTWARE) {
        if (op->g.c % 4 || !ad_vk_aligned(plan, op) || !ad_conv_texels(caps, plan, op, 2)) return false;
        const ad_conv_tile tile = {
            .lanes = ad_conv_lanes(caps), .a = (int)AD_MIN(n, TEXEL_ROWS), .v = ad_conv_balanced(o, TEXEL_CLASSES)};
        push.count = (int32_t)(ad_conv_ceil(n, (size_t)tile.a) * ad_conv_ceil(o, (size_t)tile.v));
        ad_conv_add(out, op, AD_VK_LINEAR_TEXEL, &push, tile)->texel = 3;
    } else {
        if (variant != PLAIN) return false;
        push.count = (int32_t)(n * ad_conv_ceil(o, CLASSES));
        ad_conv_add(out, op, AD_VK_LINEAR, &push, (ad_conv_tile){.lanes = ad_conv_lanes(caps), .a = CLASSES});
    }
    ad_vk_groups(&out->launches[0], caps, (size_t)push.count, op->tasks);
    return true;
}

static int preferred(const ad_op *op, const ad_vk_caps *caps) {
    return caps->software && op->g.c % 4 == 0 ? SOFTWARE : PLAIN;
}

/* All classes in one invocation: as long as its code and sums stay small. */
static int preferred_spread(const ad_op *op, const ad_vk_caps *caps) {
    return op->g.c % 4 == 0 && op->g.o <= 16 && ad_conv_spreads(caps) ? SOFTWARE : PLAIN;
}
static bool spreads(const ad_plan *plan, const ad_op *op, const ad_vk_caps *caps) {
    return preferred_spread(op, caps) == SOFTWARE && ad_vk_aligned(plan, op) && ad_conv_texels(caps, plan, op, 2);
}

static bool lower_linear_dx(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                            ad_vk_recipe *out) {
    const size_t n = (size_t)op->g.n, c = (size_t)op->g.c;
    if (variant == SOFTWARE && spreads(plan, op, caps)) {
        const size_t lanes = caps->subgroup, groups = ad_conv_ceil(n, 4) * ad_conv_ceil(c / 4, lanes);
        ad_conv_spread(out, op, caps, AD_VK_LINEAR_DX_SPREAD, ad_conv_push(plan, op), groups * lanes, 1)->texel = 3;
        return true;
    }
    if (variant != PLAIN) return false;
    ad_conv_items(out, op, caps, AD_VK_LINEAR_DX, ad_conv_push(plan, op), n * c, 1);
    return true;
}

static bool lower_linear_dw(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                            ad_vk_recipe *out) {
    if (variant == SOFTWARE && spreads(plan, op, caps)) {
        struct ad_push_conv push = ad_conv_push(plan, op);
        push.optional = op->t[3] >= 0;
        ad_conv_spread(out, op, caps, AD_VK_LINEAR_DW_SPREAD, push, (size_t)op->g.c / 4, 1)->texel = 3;
        return true;
    }
    if (variant != PLAIN) return false;
    const size_t o = (size_t)op->g.o, items = o * (size_t)op->g.c + (op->t[3] >= 0 ? o : 0);
    ad_conv_items(out, op, caps, AD_VK_LINEAR_DW, ad_conv_push(plan, op), items, 1);
    return true;
}

const ad_vk_family ad_vk_family_LINEAR = {
    .lower = lower_linear, .variants = {"lanes", "texel"}, .preferred = preferred};
const ad_vk_family ad_vk_family_LINEAR_DX = {
    .lower = lower_linear_dx, .variants = {"single", "spread"}, .preferred = preferred_spread};
const ad_vk_family ad_vk_family_LINEAR_DW = {
    .lower = lower_linear_dw, .variants = {"single", "spread"}, .preferred = preferred_spread};
