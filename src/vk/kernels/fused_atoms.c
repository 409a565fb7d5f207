/* FUSED_ATOMS, FUSED_ATOMS_DX. */
#include "vk/kernels/conv.h"

enum { SHARED = 1, REGISTER, TEXEL };

/* {vec4, number by number}, registers, texel buffers; -1 where the variant does not apply. */
static int kernel_of(const int kernels[4], const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps) {
    if (op->g.c % 4 || !ad_vk_aligned(plan, op)) return -1;
    const bool wide = op->g.o % 4 == 0;
    switch (variant) {
    case SHARED: return kernels[wide ? 0 : 1];
    case REGISTER: return wide ? kernels[2] : -1;
    case TEXEL: return wide && ad_conv_texels(caps, plan, op, 2) ? kernels[3] : -1;
    default: return -1;
    }
}

static int preferred(const ad_op *op, const ad_vk_caps *caps) {
    return caps->software && op->g.o % 4 == 0 ? TEXEL : SHARED;
}

/* The sizes of the product with the coefficients: positions x columns. The kernels that use shared memory take the
 * positions in `classes` of at most so many. */
typedef struct product {
    size_t positions, classes, columns4;
    bool bias;
} product;

static bool lower_product(const ad_plan *plan, const ad_op *op, int kernel, int variant, const ad_vk_caps *caps,
                          product size, ad_vk_recipe *out) {
    if (kernel < 0) return false;
    ad_conv_tile tile = {.lanes = AD_TILE_INVOCATIONS};
    struct ad_push_conv push = ad_conv_push(plan, op);
    if (variant == SHARED) {
        push.count = (int32_t)(size.classes * ad_conv_ceil(size.positions, AD_TILE_ROWS) *
                               ad_conv_ceil(size.columns4, AD_TILE_VECTORS));
    } else {
        /* On processors an invocation takes all columns of a few positions, where they are not too many, so that each
         * response is made once. Taps are unrolled: with many of them it takes fewer positions, or drivers compile for
         * seconds. */
        const int most = AD_MAX(36 / (op->g.k * op->g.k), 1);
        tile = (ad_conv_tile){
            .lanes = ad_conv_lanes(caps), .a = AD_MIN(caps->software ? 4 : 2, most), .v = caps->software ? 16 : 4};
        while ((size_t)tile.v / 2 >= size.columns4) tile.v /= 2;
        push.count = (int32_t)(ad_conv_ceil(size.positions, (size_t)(tile.lanes * tile.a)) *
                               ad_conv_ceil(size.columns4, (size_t)tile.v));
    }
    push.optional = size.bias;
    ad_vk_launch *l = ad_conv_add(out, op, kernel, &push, tile);
    l->texel = variant == TEXEL ? 3 : 0;
    ad_vk_groups(l, caps, (size_t)push.count, op->tasks);
    return true;
}

static bool lower_fused(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    static const int kernels[] = {AD_VK_FUSED_ATOMS, AD_VK_FUSED_ATOMS_1, AD_VK_FUSED_ATOMS_REGISTER,
                                  AD_VK_FUSED_ATOMS_REGISTER_TEXEL};
    const size_t positions = (size_t)op->g.n * (size_t)op->g.oh * (size_t)op->g.ow;
    const product size = {positions, 1, ad_conv_ceil((size_t)op->g.o, 4), op->t[3] >= 0};
    return lower_product(plan, op, kernel_of(kernels, plan, op, variant, caps), variant, caps, size, out);
}

static bool lower_fused_dx(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                           ad_vk_recipe *out) {
    static const int kernels[] = {AD_VK_FUSED_ATOMS_DX, AD_VK_FUSED_ATOMS_DX_1, AD_VK_FUSED_ATOMS_DX_REGISTER,
                                  AD_VK_FUSED_ATOMS_DX_REGISTER_TEXEL};
    /* With shared memory by class of pixels: conv_place.glsl. */
    const size_t stride = variant == SHARED ? (size_t)op->g.stride : 1;
    const size_t pixels =
        (size_t)op->g.n * ad_conv_ceil((size_t)op->g.h, stride) * ad_conv_ceil((size_t)op->g.w, stride);
    const product size = {pixels, stride * stride, (size_t)op->g.c / 4, false};
    return lower_product(plan, op, kernel_of(kernels, plan, op, variant, caps), variant, caps, size, out);
}

#define VARIANTS                                                                                                       \
    { "shared", "register", "texel" }
const ad_vk_lowering ad_vk_lowering_FUSED_ATOMS = {.lower = lower_fused, .variants = VARIANTS, .preferred = preferred};
const ad_vk_lowering ad_vk_lowering_FUSED_ATOMS_DX = {
    .lower = lower_fused_dx, .variants = VARIANTS, .preferred = preferred};
