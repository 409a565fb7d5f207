/* What the lowerings of convolutions, decompositions and linear heads share: the push constants and specialization
 * constants of shaders/abi_conv.h, and two-pass reductions. */
#ifndef AD_VK_LOWER_CONV_H
#define AD_VK_LOWER_CONV_H

#include "vk/kernels/lower.h"
#include "shaders/abi.h"

/* Tile of an invocation and lanes of a workgroup: specialization constants. */
typedef struct ad_conv_tile {
    int lanes, a, v;
    int k, rows, columns; /* of kernels for matrix units: depth of a fragment (a and v are its rows and columns), tile
                             of a workgroup */
} ad_conv_tile;

/* Geometry, task strides of the operation's roles 0..5, accumulation; count and the rest are the caller's. */
static inline struct ad_push_conv ad_conv_push(const ad_plan *plan, const ad_op *op) {
    struct ad_push_conv push = {.n = op->g.n,
                                .h = op->g.h,
                                .w = op->g.w,
                                .oh = op->g.oh,
                                .ow = op->g.ow,
                                .accumulate = (op->flags & AD_ACCUMULATE) != 0,
                                .splits = 1,
                                .ld = op->i[0],
                                .rows = op->i[1],
                                .scale = op->f[0]};
    for (int r = 0; r < 6; r++) push.task[r] = ad_vk_stride(plan, op, r);
    return push;
}

static inline ad_vk_launch *ad_conv_add(ad_vk_recipe *out, const ad_op *op, int kernel, const struct ad_push_conv *push,
                                        ad_conv_tile tile) {
    ad_vk_launch *l = ad_vk_add(out, op, kernel, push, sizeof *push);
    const int32_t spec[AD_SPEC_COUNT] = {
        [AD_SPEC_K] = AD_MAX(op->g.k, 1),
        [AD_SPEC_STRIDE] = AD_MAX(op->g.stride, 1),
        [AD_SPEC_PAD] = op->g.pad,
        [AD_SPEC_DIL] = AD_MAX(op->g.dil, 1),
        [AD_SPEC_C] = op->g.c,
        [AD_SPEC_O] = op->g.o,
        [AD_SPEC_M] = AD_MAX(op->g.m, 1),
        [AD_SPEC_LANES] = tile.lanes,
        [AD_SPEC_TILE_A] = AD_MAX(tile.a, 1),
        [AD_SPEC_TILE_V] = AD_MAX(tile.v, 1),
        [AD_SPEC_MATRIX_K] = AD_MAX(tile.k, 1),
        [AD_SPEC_MATRIX_ROWS] = AD_MAX(tile.rows, 1),
        [AD_SPEC_MATRIX_COLUMNS] = AD_MAX(tile.columns, 1),
        [AD_SPEC_ACCUMULATE] = push->accumulate,
    };
    for (int i = 0; i < (int)AD_COUNT(spec); i++) ad_vk_spec(l, (uint32_t)spec[i]);
    return l;
}

/* Lanes of a workgroup whose invocations don't cooperate: a SIMD vector on software drivers, one or two waves
 * on GPUs. */
static inline int ad_conv_lanes(const ad_vk_caps *caps) { return caps->software ? 8 : 64; }

/* A kernel with one invocation an item: push.count = items. */
static inline ad_vk_launch *ad_conv_items(ad_vk_recipe *out, const ad_op *op, const ad_vk_caps *caps, int kernel,
                                          struct ad_push_conv push, size_t items, int tile_a) {
    const int lanes = ad_conv_lanes(caps);
    push.count = (int32_t)items;
    ad_vk_launch *l = ad_conv_add(out, op, kernel, &push, (ad_conv_tile){.lanes = lanes, .a = tile_a});
    ad_vk_groups(l, caps, (items + (size_t)lanes - 1) / (size_t)lanes, op->tasks);
    return l;
}

/* The same for a kernel of lib/spread.glsl. */
static inline ad_vk_launch *ad_conv_spread(ad_vk_recipe *out, const ad_op *op, const ad_vk_caps *caps, int kernel,
                                           struct ad_push_conv push, size_t items, int tile_a) {
    push.count = (int32_t)items;
    ad_vk_launch *l = ad_conv_add(out, op, kernel, &push, (ad_conv_tile){.lanes = (int)caps->subgroup, .a = tile_a});
    ad_vk_groups(l, caps, (items + caps->subgroup - 1) / caps->subgroup, op->tasks);
    return l;
}

static inline size_t ad_conv_ceil(size_t a, size_t b) { return (a + b - 1) / b; }

/* The size of the fewest tiles of at most `most` items, all alike. */
static inline int ad_conv_balanced(size_t items, size_t most) {
    return (int)ad_conv_ceil(items, ad_conv_ceil(items, most));
}

/* Turns the first launch, which writes `splits` partial results of `outputs` numbers a task to binding `binding`, into
 * the first of two passes: the second adds them up into role `role`. With one split the first writes the
 * result itself. */
void ad_conv_reduce(ad_vk_recipe *out, const ad_op *op, const ad_vk_caps *caps, int binding, int role, size_t splits,
                    size_t outputs);

/* Splits of `items` so that a device is busy (splits*parallel workgroups or so) but each split has at least `least`
 * items and partial sums stay small. Returns their number and sets *span, a multiple of `multiple`. */
size_t ad_conv_splits(const ad_vk_caps *caps, size_t items, size_t parallel, size_t outputs, size_t least,
                      size_t multiple, int tasks, int32_t *span);

/* Whether the kernels of lib/spread.glsl apply: a workgroup as large as a subgroup is one, and loads cost more than
 * passing on. */
static inline bool ad_conv_spreads(const ad_vk_caps *caps) {
    return caps->software && caps->shuffle && caps->subgroup >= 4 && caps->subgroup <= 16;
}

/* The operation's role `role` may be AD_F16 (shaders/lib/half.glsl): tells the launch, unless it is read through a
 * texel buffer. */
static inline void ad_conv_half(ad_vk_launch *l, const ad_plan *plan, const ad_op *op, int role) {
    l->spec[AD_SPEC_F16] = plan->tensors[op->t[role]].type == AD_F16 && !(l->texel >> role & 1);
}

/* Whether the first roles fit texel buffers of four numbers. */
static inline bool ad_conv_texels(const ad_vk_caps *caps, const ad_plan *plan, const ad_op *op, int roles) {
    for (int r = 0; r < roles; r++)
        if (op->t[r] >= 0) {
            const ad_tensor *t = &plan->tensors[op->t[r]];
            if (ad_tensor_bytes(t, plan->tasks) / (4 * ad_type_bytes(t->type)) + 1 > caps->max_texels) return false;
        }
    return true;
}
#endif
