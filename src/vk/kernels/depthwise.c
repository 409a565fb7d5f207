/* DEPTHWISE, DEPTHWISE_DX, DEPTHWISE_DW. */
#include "vk/kernels/conv.h"

enum { STRIP = 1, TEXEL, ROLLING, SHARED };
enum { X, W, BIAS, Y, COEF, RESIDUAL };

/* As many products of vec4 in an unrolled kernel as drivers compile quickly. */
enum { MOST_PRODUCTS = 504 };

static bool applies(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps) {
    if (op->g.c % 4 || !ad_vk_aligned(plan, op)) return false;
    return variant == STRIP || variant == SHARED || ad_conv_texels(caps, plan, op, AD_OP_TENSORS);
}

/* The rolling kernels go down the lines of the image and know neither strides nor dilation. That of the gradient keeps
 * a sum for each tap, too: of more than 25 drivers take minutes to compile. */
static bool rolls(const ad_op *op) {
    return op->g.stride == 1 && op->g.dil == 1 && (op->kind != AD_OP_DEPTHWISE_DW || op->g.k <= 5);
}

static int preferred(const ad_op *op, const ad_vk_caps *caps) {
    if (!caps->software) return op->kind == AD_OP_DEPTHWISE_DW ? STRIP : SHARED;
    return rolls(op) ? ROLLING : TEXEL;
}

static size_t c4_of(const ad_geometry *g) { return (size_t)g->c / 4; }
static size_t lines_of(const ad_geometry *g) { return (size_t)g->n * (size_t)g->oh; }

/* Neighbouring outputs of a line in one invocation. Few in the rolling kernels, which hold k rows of them. */
static int strip_of(const ad_geometry *g, const ad_vk_caps *caps, int variant) {
    const int most = AD_MIN(caps->software && variant != ROLLING ? 8 : 4, MOST_PRODUCTS / (g->k * g->k));
    return ad_conv_balanced((size_t)g->ow, (size_t)AD_MAX(most, 1));
}

/* DEPTHWISE_DX at stride 1 as the operation over dy that its kernels know: lib/depthwise.glsl. */
static ad_op flipped(const ad_op *op) {
    ad_op f = *op;
    f.g.h = op->g.oh;
    f.g.w = op->g.ow;
    f.g.oh = op->g.h;
    f.g.ow = op->g.w;
    f.g.pad = op->g.dil * (op->g.k - 1) - op->g.pad;
    return f;
}

static void specialize_end(ad_vk_launch *l, const ad_op *op) {
    ad_vk_spec(l, (uint32_t)op->i[0]);
    ad_vk_spec(l, (op->t[BIAS] >= 0 ? AD_END_BIAS : 0) | (op->t[COEF] >= 0 ? AD_END_COEF : 0) |
                      (op->t[RESIDUAL] >= 0 ? AD_END_RESIDUAL : 0));
}

static ad_vk_launch *add_rolling(ad_vk_recipe *out, const ad_plan *plan, const ad_op *op, const ad_vk_caps *caps,
                                 int kernel) {
    struct ad_push_conv push = ad_conv_push(plan, op);
    const int strip = strip_of(&op->g, caps, ROLLING);
    const size_t across = (size_t)op->g.n * ad_conv_ceil((size_t)op->g.ow, (size_t)strip) * c4_of(&op->g);
    const size_t spans = ad_conv_splits(caps, (size_t)op->g.oh, ad_conv_ceil(across, (size_t)ad_conv_lanes(caps)), 1, 8,
                                        1, ad_plan_divided(plan, op), &push.span);
    return ad_conv_items(out, op, caps, kernel, push, spans * across, strip);
}

/* Tile of a workgroup of the kernels with shared memory: the largest that fits, with as many columns as the image
 * has or more. .a = 0: none fits. */
static ad_conv_tile shared_tile(const ad_geometry *g, const ad_vk_caps *caps) {
    ad_conv_tile tile = {.lanes = 64, .a = 8, .v = 16};
    while (tile.v > 4 && tile.v / 2 >= g->ow) tile.v /= 2;
    while (tile.a > 1 && tile.a / 2 >= g->oh) tile.a /= 2;
    for (; tile.a > 0; tile.a /= 2) {
        const int reach = (g->k - 1) * g->dil + 1;
        const size_t numbers = (size_t)((tile.a - 1) * g->stride + reach) * (size_t)((tile.v - 1) * g->stride + reach);
        if (16 * numbers * (size_t)(tile.lanes / tile.v) <= AD_MIN(caps->max_shared_bytes, 32768u)) break;
    }
    return tile;
}

static ad_vk_launch *add_shared(ad_vk_recipe *out, const ad_plan *plan, const ad_op *op, const ad_vk_caps *caps,
                                int kernel) {
    const ad_conv_tile tile = shared_tile(&op->g, caps);
    if (!tile.a) return NULL;
    struct ad_push_conv push = ad_conv_push(plan, op);
    const size_t groups = (size_t)op->g.n * ad_conv_ceil((size_t)op->g.oh, (size_t)tile.a) *
                          ad_conv_ceil((size_t)op->g.ow, (size_t)tile.v) *
                          ad_conv_ceil(c4_of(&op->g), (size_t)(tile.lanes / tile.v));
    push.count = (int32_t)groups;
    ad_vk_launch *l = ad_conv_add(out, op, kernel, &push, tile);
    ad_vk_groups(l, caps, groups, op->tasks);
    return l;
}

static bool lower_depthwise(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                            ad_vk_recipe *out) {
    const ad_geometry *g = &op->g;
    ad_vk_launch *l = NULL;
    if (!applies(plan, op, variant, caps)) return false;
    if (variant == STRIP || variant == TEXEL) {
        const int strip = strip_of(g, caps, variant);
        l = ad_conv_items(out, op, caps, variant == TEXEL ? AD_VK_DEPTHWISE_TEXEL : AD_VK_DEPTHWISE,
                          ad_conv_push(plan, op), lines_of(g) * ad_conv_ceil((size_t)g->ow, (size_t)strip) * c4_of(g),
                          strip);
    } else if (variant == ROLLING && rolls(op)) {
        l = add_rolling(out, plan, op, caps, AD_VK_DEPTHWISE_ROLLING);
    } else if (variant == SHARED) {
        l = add_shared(out, plan, op, caps, AD_VK_DEPTHWISE_SHARED);
    }
    if (!l) return false;
    specialize_end(l, op);
    if (variant == TEXEL || variant == ROLLING) l->texel = 1 << X | 1 << W | 1 << BIAS | 1 << COEF | 1 << RESIDUAL;
    return true;
}

static bool lower_depthwise_dx(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                               ad_vk_recipe *out) {
    const ad_geometry *g = &op->g;
    const ad_op f = flipped(op);
    ad_vk_launch *l = NULL;
    if (!applies(plan, op, variant, caps)) return false;
    if (variant == STRIP || variant == TEXEL) {
        /* A multiple of the stride. */
        const int most = AD_MIN(caps->software ? 8 : 4, MOST_PRODUCTS * g->stride / (g->k * g->k));
        const int strip = AD_MAX(ad_conv_balanced((size_t)g->w, (size_t)AD_MAX(most, 1)) / g->stride, 1) * g->stride;
        const size_t blocks = (size_t)g->n * ad_conv_ceil((size_t)g->h, (size_t)g->stride);
        l = ad_conv_items(out, op, caps, variant == TEXEL ? AD_VK_DEPTHWISE_DX_TEXEL : AD_VK_DEPTHWISE_DX,
                          ad_conv_push(plan, op), blocks * ad_conv_ceil((size_t)g->w, (size_t)strip) * c4_of(g), strip);
    } else if (variant == ROLLING && rolls(op)) {
        l = add_rolling(out, plan, &f, caps, AD_VK_DEPTHWISE_DX_ROLLING);
    } else if (variant == SHARED && g->stride == 1) {
        l = add_shared(out, plan, &f, caps, AD_VK_DEPTHWISE_DX_SHARED);
    }
    if (!l) return false;
    if (variant == TEXEL || variant == ROLLING) l->texel = 1 << 0 | 1 << W;
    return true;
}

static bool lower_depthwise_dw(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                               ad_vk_recipe *out) {
    const ad_geometry *g = &op->g;
    const size_t c4 = c4_of(g), k = (size_t)g->k, outputs = k * k * (size_t)g->c, lanes = (size_t)ad_conv_lanes(caps);
    struct ad_push_conv push = ad_conv_push(plan, op);
    const int strip = strip_of(g, caps, variant);
    const size_t strips = ad_conv_ceil((size_t)g->ow, (size_t)strip);
    size_t splits = 0;
    if (variant == SHARED || !applies(plan, op, variant, caps)) return false;
    if (variant == ROLLING) {
        if (!rolls(op)) return false;
        /* Units are spans of lines; more of them than one an image where there are few images. */
        const size_t spans = ad_conv_splits(caps, (size_t)g->h, ad_conv_ceil((size_t)g->n * strips * c4, lanes), 1, 16,
                                            1, ad_plan_divided(plan, op), &push.span);
        splits = ad_conv_splits(caps, (size_t)g->n * spans * strips, ad_conv_ceil(c4, lanes), outputs, 1, 1,
                                ad_plan_divided(plan, op), &push.rows);
        ad_conv_items(out, op, caps, AD_VK_DEPTHWISE_DW_ROLLING, push, splits * c4, strip);
    } else {
        splits = ad_conv_splits(caps, lines_of(g), ad_conv_ceil(k * c4, lanes), outputs, 4, 1,
                                ad_plan_divided(plan, op), &push.span);
        ad_conv_items(out, op, caps, variant == TEXEL ? AD_VK_DEPTHWISE_DW_TEXEL : AD_VK_DEPTHWISE_DW, push,
                      splits * k * c4, strip);
    }
    out->launches[0].texel = variant == STRIP ? 0 : 3;
    ad_conv_reduce(out, op, caps, 2, 2, splits, outputs);
    return true;
}

#define VARIANTS                                                                                                       \
    { "strip", "texel", "rolling", "shared" }
const ad_vk_lowering ad_vk_lowering_DEPTHWISE = {
    .lower = lower_depthwise, .variants = VARIANTS, .preferred = preferred};
const ad_vk_lowering ad_vk_lowering_DEPTHWISE_DX = {
    .lower = lower_depthwise_dx, .variants = VARIANTS, .preferred = preferred};
const ad_vk_lowering ad_vk_lowering_DEPTHWISE_DW = {
    .lower = lower_depthwise_dw, .variants = {"strip", "texel", "rolling"}, .preferred = preferred};
