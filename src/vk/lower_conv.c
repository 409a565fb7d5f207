/* CONV, CONV_DX, CONV_DW, CONV_DBIAS. */
#include "vk/lower_conv.h"

enum { SHARED = 1, REGISTER, TEXEL };

/* Workgroups wanted: enough to fill a large GPU several times over; on a processor, so that a split's operands stay in cache. */
enum { BUSY_GROUPS = 1024, BUSY_GROUPS_SOFTWARE = 512, MAX_PARTIAL_BYTES = 32 << 20 };

size_t ad_conv_splits(const ad_vk_caps *caps, size_t items, size_t parallel, size_t outputs, size_t least, size_t multiple, int tasks,
                      int32_t *span) {
    const size_t all = parallel * (size_t)tasks, busy = caps->software ? BUSY_GROUPS_SOFTWARE : BUSY_GROUPS;
    size_t splits = ad_conv_ceil(busy, AD_MAX(all, 1));
    splits = AD_MIN(splits, AD_MAX(MAX_PARTIAL_BYTES / (4 * outputs * (size_t)tasks), 1));
    splits = AD_MAX(AD_MIN(splits, items / least), 1);
    const size_t each = ad_conv_ceil(ad_conv_ceil(items, splits), multiple) * multiple;
    *span = (int32_t)each;
    return AD_MAX(ad_conv_ceil(items, each), 1);
}

void ad_conv_reduce(ad_vk_recipe *out, const ad_op *op, const ad_vk_caps *caps, int binding, int role, size_t splits, size_t outputs) {
    ad_vk_launch *first = &out->launches[out->count - 1];
    struct ad_push_conv push;
    memcpy(&push, first->push, sizeof push);
    if (splits == 1) {
        push.task[binding] = push.task[role];
        memcpy(first->push, &push, sizeof push);
        first->bind[binding] = (int16_t)role;
        return;
    }
    const struct ad_push_conv second = {.task = {(int32_t)(splits * outputs), push.task[role]},
                                        .accumulate = push.accumulate,
                                        .splits = (int32_t)splits,
                                        .span = (int32_t)outputs};
    push.accumulate = 0;
    push.task[binding] = (int32_t)(splits * outputs);
    memcpy(first->push, &push, sizeof push);
    first->bind[binding] = AD_VK_SCRATCH;
    first->scratch_write = true;
    ad_vk_launch *l = ad_conv_items(out, op, caps, AD_VK_CONV_REDUCE, second, outputs, 1);
    l->bind[0] = AD_VK_SCRATCH;
    l->bind[1] = (int16_t)role;
    l->scratch_read = true;
    out->scratch_bytes = 4 * splits * outputs * (size_t)op->tasks;
}

/* vec4 rows of o, and every task aligned for them. */
static bool wide(const ad_plan *plan, const ad_op *op) { return op->g.o % 4 == 0 && ad_vk_aligned(plan, op); }

/* The kernel of a variant: {shared, shared for any o, register, register with texel buffers}; -1 where it does not apply. */
static int kernel_of(const int kernels[4], const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps) {
    if (op->g.c % 4 || !ad_vk_aligned(plan, op)) return -1;
    if (variant == SHARED) return kernels[wide(plan, op) ? 0 : 1];
    if (!wide(plan, op)) return -1;
    if (variant == REGISTER) return kernels[2];
    return variant == TEXEL && ad_conv_texels(caps, plan, op, 2) ? kernels[3] : -1;
}

/* Register tiles want 16 x (vec4) to 32 x (vec4) sums; 8 x 4 where there is work enough for them. */
static ad_conv_tile register_tile(const ad_vk_caps *caps, size_t columns4) {
    const int v = columns4 >= 4 ? 4 : columns4 >= 2 ? 2 : 1;
    return caps->software ? (ad_conv_tile){.lanes = 8, .a = 8, .v = v} : (ad_conv_tile){.lanes = 64, .a = 4, .v = AD_MIN(v, 2)};
}

static const ad_conv_tile shared_tile = {.lanes = AD_TILE_INVOCATIONS};

static int preferred(const ad_op *op, const ad_vk_caps *caps) { return caps->software && op->g.o % 4 == 0 ? TEXEL : SHARED; }

static bool lower_conv(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    static const int kernels[] = {AD_VK_CONV, AD_VK_CONV_1, AD_VK_CONV_REGISTER, AD_VK_CONV_REGISTER_TEXEL};
    const int kernel = kernel_of(kernels, plan, op, variant, caps);
    if (kernel < 0) return false;
    const size_t positions = (size_t)op->g.n * (size_t)op->g.oh * (size_t)op->g.ow, o4 = ad_conv_ceil((size_t)op->g.o, 4);
    const ad_conv_tile tile = variant == SHARED ? shared_tile : register_tile(caps, o4);
    const size_t groups = variant == SHARED
                              ? ad_conv_ceil(positions, AD_TILE_ROWS) * ad_conv_ceil(o4, AD_TILE_VECTORS)
                              : ad_conv_ceil(positions, (size_t)(tile.lanes * tile.a)) * ad_conv_ceil(o4, (size_t)tile.v);
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.optional = op->t[2] >= 0;
    push.count = (int32_t)groups;
    ad_vk_launch *l = ad_conv_add(out, op, kernel, &push, tile);
    l->texel = variant == TEXEL ? 3 : 0;
    ad_vk_groups(l, caps, groups, op->tasks);
    return true;
}

static bool lower_conv_dx(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    static const int kernels[] = {AD_VK_CONV_DX, AD_VK_CONV_DX_1, AD_VK_CONV_DX_REGISTER, AD_VK_CONV_DX_REGISTER_TEXEL};
    const int kernel = kernel_of(kernels, plan, op, variant, caps);
    if (kernel < 0) return false;
    /* Pixels of the largest class: conv_place.glsl. */
    const size_t stride = (size_t)op->g.stride, c4 = (size_t)op->g.c / 4;
    const size_t pixels = (size_t)op->g.n * ad_conv_ceil((size_t)op->g.h, stride) * ad_conv_ceil((size_t)op->g.w, stride);
    const ad_conv_tile tile = variant == SHARED ? shared_tile : register_tile(caps, c4);
    const size_t tiles = variant == SHARED
                             ? ad_conv_ceil(pixels, AD_TILE_ROWS) * ad_conv_ceil(c4, AD_TILE_VECTORS)
                             : ad_conv_ceil(pixels, (size_t)(tile.lanes * tile.a)) * ad_conv_ceil(c4, (size_t)tile.v);
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.count = (int32_t)(tiles * stride * stride);
    ad_vk_launch *l = ad_conv_add(out, op, kernel, &push, tile);
    l->texel = variant == TEXEL ? 3 : 0;
    ad_vk_groups(l, caps, tiles * stride * stride, op->tasks);
    return true;
}

static bool lower_conv_dw(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    static const int kernels[] = {AD_VK_CONV_DW, AD_VK_CONV_DW_1, AD_VK_CONV_DW_REGISTER, AD_VK_CONV_DW_REGISTER_TEXEL};
    const int kernel = kernel_of(kernels, plan, op, variant, caps);
    if (kernel < 0) return false;
    const size_t positions = (size_t)op->g.n * (size_t)op->g.oh * (size_t)op->g.ow, o4 = ad_conv_ceil((size_t)op->g.o, 4);
    const size_t rows4 = (size_t)(op->g.k * op->g.k) * (size_t)op->g.c / 4;
    ad_conv_tile tile = shared_tile;
    if (variant != SHARED) {
        tile = (ad_conv_tile){.lanes = ad_conv_lanes(caps), .a = caps->software ? 4 : 2, .v = (int)AD_MIN(o4, caps->software ? 4u : 2u)};
        while (tile.a > 1 && rows4 <= (size_t)(tile.lanes * tile.a / 2)) tile.a /= 2;
    }
    const size_t tiles = variant == SHARED ? ad_conv_ceil(rows4, AD_TILE_VECTORS) * ad_conv_ceil(o4, AD_TILE_VECTORS)
                                           : ad_conv_ceil(rows4, (size_t)(tile.lanes * tile.a)) * ad_conv_ceil(o4, (size_t)tile.v);
    const size_t outputs = 4 * rows4 * (size_t)op->g.o;
    struct ad_push_conv push = ad_conv_push(plan, op);
    const size_t splits = ad_conv_splits(caps, positions, tiles, outputs, 128, 16, op->tasks, &push.span);
    push.count = (int32_t)(tiles * splits);
    ad_vk_launch *l = ad_conv_add(out, op, kernel, &push, tile);
    l->texel = variant == TEXEL ? 3 : 0;
    ad_vk_groups(l, caps, tiles * splits, op->tasks);
    ad_conv_reduce(out, op, caps, 2, 2, splits, outputs);
    return true;
}

static bool lower_conv_dbias(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (variant != 1) return false;
    const size_t positions = (size_t)op->g.n * (size_t)op->g.oh * (size_t)op->g.ow, o = (size_t)op->g.o;
    struct ad_push_conv push = ad_conv_push(plan, op);
    const size_t splits = ad_conv_splits(caps, positions, ad_conv_ceil(o, (size_t)ad_conv_lanes(caps)), o, 32, 1, op->tasks, &push.span);
    ad_conv_items(out, op, caps, AD_VK_CONV_DBIAS, push, splits * o, 1);
    ad_conv_reduce(out, op, caps, 1, 1, splits, o);
    return true;
}

const ad_vk_family ad_vk_family_CONV = {lower_conv, {"shared", "register", "texel"}, preferred};
const ad_vk_family ad_vk_family_CONV_DX = {lower_conv_dx, {"shared", "register", "texel"}, preferred};
const ad_vk_family ad_vk_family_CONV_DW = {lower_conv_dw, {"shared", "register", "texel"}, preferred};
const ad_vk_family ad_vk_family_CONV_DBIAS = {lower_conv_dbias, {"columns"}, NULL};
