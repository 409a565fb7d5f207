/* ATOMS, ATOMS_DU, ATOMS_DPSI. */
#include "vk/kernels/decomposed.h"

/* TOGETHER is of ATOMS_DPSI, SPREAD and ROLLING are of the others. */
enum { STRIP = 1, TEXEL, SPREAD, TOGETHER = SPREAD, ROLLING };

static int preferred(const ad_op *op, const ad_vk_caps *caps) {
    if (ad_conv_prefers_spread(op, caps)) return SPREAD;
    return caps->software && op->g.o % 4 == 0 ? TEXEL : STRIP;
}

/* The kernel ROLLING goes down the lines of the image and knows neither strides nor dilation. */
static bool rolls(const ad_geometry *g) { return g->stride == 1 && g->dil == 1; }

ad_vk_launch *ad_conv_add_taps(ad_vk_recipe *out, const ad_plan *plan, const ad_op *op, const ad_vk_caps *caps,
                               int kernel, struct ad_push_conv push, size_t items, int tile_a, bool together) {
    const size_t atoms = ad_groups_in(&op->g) * ad_groups_out(&op->g) * (size_t)op->g.m,
                 outputs = atoms * (size_t)(op->g.k * op->g.k);
    /* Adding up lanes and writing the result costs as much as a few items an atom: a split has more of them. */
    const size_t each = together ? 1 : atoms;
    const int lanes = ad_conv_lanes(caps);
    const size_t chunks = ad_conv_splits(caps, items, each, outputs, (together ? 32 : 4) * (size_t)lanes, (size_t)lanes,
                                         ad_plan_divided(plan, op), &push.span);
    push.count = (int32_t)(chunks * each);
    ad_vk_launch *l =
        ad_conv_add_groups(ad_conv_add(out, op, kernel, &push, (ad_conv_tile){.lanes = lanes, .a = tile_a}), &op->g);
    ad_vk_groups(l, caps, chunks * each, op->tasks);
    ad_conv_reduce(out, op, caps, 2, 2, chunks, outputs);
    return &out->launches[0];
}
/* One of {vec4, number by number, texel buffers}; -1 where the variant does not apply. texels: how many roles the last
 * one reads as texel buffers. */
static int kernel_of(const int kernels[3], const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                     int texels) {
    const bool wide = op->g.o % 4 == 0 && ad_vk_aligned(plan, op);
    if (variant == STRIP) return kernels[wide ? 0 : 1];
    return variant == TEXEL && wide && ad_conv_texels(caps, plan, op, texels) ? kernels[2] : -1;
}

static size_t vectors_of(int kernel, const int kernels[3], int o) {
    return kernel == kernels[1] ? (size_t)o : (size_t)o / 4;
}

/* Outputs of a line that one invocation computes. More of them share the inputs that it loads; registers set
 * the limit. */
static int strip_of(const ad_geometry *g) {
    const int reach = (g->k - 1) * g->dil;
    for (int strip = 8; strip > 1; strip /= 2)
        if ((strip - 1) * g->stride + reach < 18 && strip / 2 < g->ow) return strip;
    return 1;
}

/* The same where one invocation holds all atoms. 504 products of vec4 are as much code as drivers compile quickly. */
static int wide_strip(const ad_geometry *g, int line) {
    return ad_conv_balanced((size_t)line, (size_t)AD_MIN(7, 504 / (g->k * g->k * g->m)));
}

static int preferred_atoms(const ad_op *op, const ad_vk_caps *caps) {
    const int variant = preferred(op, caps);
    return variant == SPREAD && rolls(&op->g) ? ROLLING : variant;
}

static bool lower_atoms(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    static const int kernels[] = {AD_VK_ATOMS, AD_VK_ATOMS_1, AD_VK_ATOMS_TEXEL};
    const int strip = strip_of(&op->g);
    const size_t strips = (size_t)op->g.n * (size_t)op->g.oh * ad_conv_ceil((size_t)op->g.ow, (size_t)strip);
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.optional = op->t[2] >= 0;
    if (variant == SPREAD && ad_conv_atoms_spread(plan, op, caps)) {
        ad_conv_spread(out, op, caps, AD_VK_ATOMS_SPREAD, push, strips * (size_t)op->g.o / 4, strip)->texel = 3;
        return true;
    }
    if (variant == ROLLING && rolls(&op->g) && ad_conv_atoms_spread(plan, op, caps)) {
        const int columns = wide_strip(&op->g, op->g.ow);
        const size_t across = ad_conv_ceil((size_t)op->g.ow, (size_t)columns) * (size_t)op->g.n * (size_t)op->g.o / 4;
        const size_t spans = ad_conv_splits(caps, (size_t)op->g.oh, ad_conv_ceil(across, caps->subgroup), 1, 8, 1,
                                            ad_plan_divided(plan, op), &push.span);
        ad_conv_spread(out, op, caps, AD_VK_ATOMS_ROLLING, push, spans * across, columns)->texel = 3;
        return true;
    }
    const int kernel = kernel_of(kernels, plan, op, variant, caps, 1);
    if (kernel < 0) return false;
    ad_vk_launch *l = ad_conv_items(out, op, caps, kernel, push, strips * vectors_of(kernel, kernels, op->g.o), strip);
    l->texel = variant == TEXEL ? 1 : 0;
    ad_conv_half(l, plan, op, 0);
    return true;
}

static bool lower_atoms_du(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                           ad_vk_recipe *out) {
    static const int kernels[] = {AD_VK_ATOMS_DU, AD_VK_ATOMS_DU_1, AD_VK_ATOMS_DU_TEXEL};
    const int strip = op->g.w >= 4 ? 4 : 1;
    const size_t lines = (size_t)op->g.n * (size_t)op->g.h, o4 = (size_t)op->g.o / 4;
    if (variant == SPREAD && ad_conv_atoms_spread(plan, op, caps)) {
        const struct ad_push_conv push = ad_conv_push(plan, op);
        ad_conv_spread(out, op, caps, AD_VK_ATOMS_DU_SPREAD, push,
                       lines * ad_conv_ceil((size_t)op->g.w, (size_t)strip) * o4, strip)
            ->texel = 3;
        return true;
    }
    const int kernel = kernel_of(kernels, plan, op, variant, caps, 1);
    if (kernel < 0) return false;
    const size_t items =
        lines * ad_conv_ceil((size_t)op->g.w, (size_t)strip) * (size_t)op->g.m * vectors_of(kernel, kernels, op->g.o);
    ad_vk_launch *l = ad_conv_items(out, op, caps, kernel, ad_conv_push(plan, op), items, strip);
    l->texel = variant == TEXEL ? 1 : 0;
    return true;
}

static bool lower_atoms_dpsi(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                             ad_vk_recipe *out) {
    static const int kernels[] = {AD_VK_ATOMS_DPSI, AD_VK_ATOMS_DPSI_1, AD_VK_ATOMS_DPSI_TEXEL};
    if (variant == TOGETHER && ad_conv_atoms_spread(plan, op, caps)) {
        const int strip = wide_strip(&op->g, op->g.w);
        const size_t strips = (size_t)op->g.n * (size_t)op->g.h * ad_conv_ceil((size_t)op->g.w, (size_t)strip);
        const struct ad_push_conv push = ad_conv_push(plan, op);
        ad_conv_add_taps(out, plan, op, caps, AD_VK_ATOMS_DPSI_TOGETHER, push, strips * (size_t)op->g.o / 4, strip,
                         true)
            ->texel = 3;
        return true;
    }
    const int kernel = kernel_of(kernels, plan, op, variant, caps, 2), strip = strip_of(&op->g);
    if (kernel < 0) return false;
    const size_t strips = (size_t)op->g.n * (size_t)op->g.oh * ad_conv_ceil((size_t)op->g.ow, (size_t)strip);
    ad_vk_launch *l = ad_conv_add_taps(out, plan, op, caps, kernel, ad_conv_push(plan, op),
                                       strips * vectors_of(kernel, kernels, op->g.o), strip, false);
    l->texel = variant == TEXEL ? 3 : 0;
    ad_conv_half(l, plan, op, 0);
    return true;
}

const ad_vk_lowering ad_vk_lowering_ATOMS = {
    .lower = lower_atoms, .variants = {"strip", "texel", "spread", "rolling"}, .preferred = preferred_atoms};
const ad_vk_lowering ad_vk_lowering_ATOMS_DU = {
    .lower = lower_atoms_du, .variants = {"strip", "texel", "spread"}, .preferred = preferred};
const ad_vk_lowering ad_vk_lowering_ATOMS_DPSI = {
    .lower = lower_atoms_dpsi, .variants = {"strip", "texel", "together"}, .preferred = preferred};
