/* COMPOSE, COMPOSE_DPSI, COMPOSE_DALPHA, PACK. */
#include "vk/kernels/decomposed.h"

enum { SINGLE = 1, SPREAD };

/* SPREAD makes four outputs at a time, so that the coefficients' leading dimension i[0] must be a multiple of four,
 * too. */
static bool spreads(const ad_plan *plan, const ad_op *op, const ad_vk_caps *caps) {
    return !op->g.group && op->i[0] % 4 == 0 && ad_conv_atoms_spread(plan, op, caps) &&
           ad_conv_texels(caps, plan, op, AD_OP_TENSORS);
}
static int preferred(const ad_op *op, const ad_vk_caps *caps) {
    return !op->g.group && op->i[0] % 4 == 0 && ad_conv_prefers_spread(op, caps) ? SPREAD : SINGLE;
}

static bool lower_compose(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                          ad_vk_recipe *out) {
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.optional = (op->t[2] >= 0 ? AD_COMPOSE_SCALE : 0) | (op->t[4] >= 0 ? AD_COMPOSE_BASE : 0);
    if (variant == SPREAD && spreads(plan, op, caps)) {
        ad_conv_spread(out, op, caps, AD_VK_COMPOSE_SPREAD, push, (size_t)op->g.c * (size_t)op->g.o / 4, 1)->texel =
            0x17;
        return true;
    }
    if (variant != SINGLE) return false;
    ad_conv_add_groups(ad_conv_items(out, op, caps, AD_VK_COMPOSE, push, (size_t)op->g.c * (size_t)op->g.o, 1), &op->g);
    return true;
}

static bool lower_compose_dpsi(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                               ad_vk_recipe *out) {
    if (variant != 1) return false;
    ad_conv_add_taps(out, plan, op, caps, AD_VK_COMPOSE_DPSI, ad_conv_push(plan, op),
                     (size_t)ad_group_in(&op->g) * (size_t)ad_group_out(&op->g), 1, false);
    return true;
}

static bool lower_compose_dalpha(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                                 ad_vk_recipe *out) {
    const size_t items = (size_t)op->i[1] * (size_t)op->g.m * (size_t)op->i[0];
    if (variant == SPREAD && spreads(plan, op, caps)) {
        const size_t vectors = items / (size_t)op->g.m / 4;
        ad_conv_spread(out, op, caps, AD_VK_COMPOSE_DALPHA_SPREAD, ad_conv_push(plan, op), vectors, 1)->texel = 3;
        return true;
    }
    if (variant != SINGLE) return false;
    ad_conv_add_groups(ad_conv_items(out, op, caps, AD_VK_COMPOSE_DALPHA, ad_conv_push(plan, op), items, 1), &op->g);
    return true;
}

static bool lower_pack(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (variant != 1) return false;
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.optional = op->t[1] >= 0;
    ad_conv_items(out, op, caps, AD_VK_PACK, push, (size_t)op->g.c * (size_t)op->g.m * (size_t)op->g.o, 1);
    return true;
}

const ad_vk_lowering ad_vk_lowering_COMPOSE = {
    .lower = lower_compose, .variants = {"taps", "spread"}, .preferred = preferred};
const ad_vk_lowering ad_vk_lowering_COMPOSE_DPSI = {.lower = lower_compose_dpsi, .variants = {"taps"}};
const ad_vk_lowering ad_vk_lowering_COMPOSE_DALPHA = {
    .lower = lower_compose_dalpha, .variants = {"single", "spread"}, .preferred = preferred};
const ad_vk_lowering ad_vk_lowering_PACK = {.lower = lower_pack, .variants = {"single"}};
