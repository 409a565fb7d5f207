/* CONV, CONV_DX, CONV_DW, CONV_DBIAS. */
#include "vk/kernels/conv.h"

enum { SHARED = 1, REGISTER, TEXEL, HALF, MATRIX, SPREAD };
enum { REDUCED = 1 << HALF | 1 << MATRIX }; /* operands in half precision */

/* Workgroups wanted: enough to fill a large GPU several times over; on a processor, so that a split's operands stay in
 * cache. */
enum { BUSY_GROUPS = 1024, BUSY_GROUPS_SOFTWARE = 512, MAX_PARTIAL_BYTES = 32 << 20 };

size_t ad_conv_splits(const ad_vk_caps *caps, size_t items, size_t parallel, size_t outputs, size_t least,
                      size_t multiple, int tasks, int32_t *span) {
    const size_t all = parallel * (size_t)tasks, busy = caps->software ? BUSY_GROUPS_SOFTWARE : BUSY_GROUPS;
    size_t splits = ad_conv_ceil(busy, AD_MAX(all, 1));
    splits = AD_MIN(splits, AD_MAX(MAX_PARTIAL_BYTES / (4 * outputs * (size_t)tasks), 1));
    splits = AD_MAX(AD_MIN(splits, items / least), 1);
    const size_t each = ad_conv_ceil(ad_conv_ceil(items, splits), multiple) * multiple;
    *span = (int32_t)each;
    return AD_MAX(ad_conv_ceil(items, each), 1);
}

void ad_conv_reduce(ad_vk_recipe *out, const ad_op *op, const ad_vk_caps *caps, int binding, int role, size_t splits,
                    size_t outputs) {
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
    first->spec[AD_SPEC_ACCUMULATE] = 0;
    push.task[binding] = (int32_t)(splits * outputs);
    memcpy(first->push, &push, sizeof push);
    first->bind[binding] = AD_VK_SCRATCH;
    first->scratch_write = true;
    const bool texel = caps->software && outputs % 4 == 0 && second.task[1] % 4 == 0 &&
                       splits * outputs * (size_t)op->tasks / 4 < caps->max_texels;
    ad_vk_launch *l = texel ? ad_conv_items(out, op, caps, AD_VK_CONV_REDUCE_TEXEL, second, outputs / 4, 1)
                            : ad_conv_items(out, op, caps, AD_VK_CONV_REDUCE, second, outputs, 1);
    l->texel = texel ? 1 : 0;
    l->bind[0] = AD_VK_SCRATCH;
    l->bind[1] = (int16_t)role;
    l->scratch_read = true;
    out->scratch_bytes = 4 * splits * outputs * (size_t)op->tasks;
}

/* vec4 rows of o, and every task aligned for them. */
static bool wide(const ad_plan *plan, const ad_op *op) { return op->g.o % 4 == 0 && ad_vk_aligned(plan, op); }

/* The kernels of an operation's variants; [1]: for rows of o numbers that are no vec4. */
typedef struct kernels {
    int shared[2], registers, texel, half[2], matrix_khr, matrix_nv, spread;
} kernels;

/* The tile of a workgroup on matrix units. Software drivers, which only emulate them, compile minutes for the sums of a
 * large one. */
static ad_conv_tile matrix_tile(const ad_vk_caps *caps) {
    const ad_vk_matrix *m = &caps->matrix;
    return (ad_conv_tile){.lanes = (int)(AD_MATRIX_SUBGROUPS * m->subgroup),
                          .a = (int)m->m,
                          .v = (int)m->n,
                          .k = (int)m->k,
                          .rows = caps->software ? 32 : 128,
                          .columns = caps->software ? 32 : 64};
}

/* Fragments divide a subgroup's quarter of the tile, staging divides evenly among the invocations, and what
 * lib/matrix.glsl keeps in shared memory fits: both operands with padding, a fragment of results for each subgroup, and
 * a place for each row. */
static bool matrix_fits(const ad_vk_caps *caps) {
    const ad_vk_matrix *m = &caps->matrix;
    const ad_conv_tile t = matrix_tile(caps);
    if (!m->m || !m->n || !m->k || !m->subgroup || m->m % 4 || m->n % 4 || m->k % 4) return false;
    const int operands = 2 * (t.rows + 8 + t.columns + 8) * (AD_MATRIX_DEPTH + 8), places = 16 * t.rows + 512;
    return t.rows / 2 % t.a == 0 && t.columns / 2 % t.v == 0 && AD_MATRIX_DEPTH % t.k == 0 &&
           t.rows * AD_MATRIX_DEPTH / 4 % t.lanes == 0 && t.columns * AD_MATRIX_DEPTH / 4 % t.lanes == 0 &&
           (uint32_t)t.lanes <= caps->max_invocations &&
           (uint32_t)(operands + places + 4 * AD_MATRIX_SUBGROUPS * t.a * t.v) <= caps->max_shared_bytes;
}

/* -1 where the variant does not apply. */
static int kernel_of(const kernels *k, const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps) {
    if (op->g.c % 4 || !ad_vk_aligned(plan, op)) return -1;
    const bool narrow = !wide(plan, op);
    switch (variant) {
    case SHARED: return k->shared[narrow];
    case REGISTER: return narrow ? -1 : k->registers;
    case TEXEL: return !narrow && ad_conv_texels(caps, plan, op, 2) ? k->texel : -1;
    case HALF: return caps->half ? k->half[narrow] : -1;
    case MATRIX:
        return narrow || !caps->half || !matrix_fits(caps) ? -1 : caps->matrix.khr ? k->matrix_khr : k->matrix_nv;
    case SPREAD:
        return !narrow && ad_conv_spreads(caps) && ad_conv_texels(caps, plan, op, AD_OP_TENSORS) ? k->spread : -1;
    default: return -1;
    }
}

/* What a workgroup makes: rows x vec4 of the result of a matrix product. */
typedef struct block {
    size_t rows, columns4;
} block;

static block block_of(int variant, ad_conv_tile tile) {
    if (variant == MATRIX) return (block){(size_t)tile.rows, (size_t)tile.columns / 4};
    if (variant == SHARED || variant == HALF) return (block){AD_TILE_ROWS, AD_TILE_VECTORS};
    return (block){(size_t)(tile.lanes * tile.a), (size_t)tile.v};
}

static ad_vk_launch *add(ad_vk_recipe *out, const ad_op *op, const ad_vk_caps *caps, int kernel, int variant,
                         const struct ad_push_conv *push, ad_conv_tile tile) {
    ad_vk_launch *l = ad_conv_add(out, op, kernel, push, tile);
    l->texel = variant == TEXEL || variant == SPREAD ? 3 : 0;
    l->subgroup = variant == MATRIX ? caps->matrix.subgroup : 0;
    ad_vk_groups(l, caps, (size_t)push->count, op->tasks);
    return l;
}

/* Register tiles want 16 x (vec4) to 32 x (vec4) sums; 8 x 4 where there is work enough for them. */
static ad_conv_tile tile_of(const ad_vk_caps *caps, int variant, size_t columns4) {
    if (variant == SHARED || variant == HALF) return (ad_conv_tile){.lanes = AD_TILE_INVOCATIONS};
    if (variant == MATRIX) return matrix_tile(caps);
    if (variant == SPREAD)
        return (ad_conv_tile){.lanes = (int)caps->subgroup, .a = 4, .v = ad_conv_balanced(columns4, 8)};
    const int v = columns4 >= 4 ? 4 : columns4 >= 2 ? 2 : 1;
    return caps->software ? (ad_conv_tile){.lanes = 8, .a = 8, .v = v}
                          : (ad_conv_tile){.lanes = 64, .a = 4, .v = AD_MIN(v, 2)};
}

static int preferred(const ad_op *op, const ad_vk_caps *caps) {
    if (caps->half) return caps->matrix.m && op->g.o % 4 == 0 ? MATRIX : HALF;
    return caps->software && op->g.o % 4 == 0 ? TEXEL : SHARED;
}

/* Where half of the lanes or more have work. */
static int preferred_spread(const ad_op *op, const ad_vk_caps *caps) {
    const int variant = preferred(op, caps);
    return variant == TEXEL && ad_conv_spreads(caps) && (op->kind == AD_OP_CONV || op->g.o >= 2 * (int)caps->subgroup)
               ? SPREAD
               : variant;
}

static bool lower_conv(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    static const kernels k = {{AD_VK_CONV, AD_VK_CONV_1}, AD_VK_CONV_REGISTER,
                              AD_VK_CONV_REGISTER_TEXEL,  {AD_VK_CONV_HALF, AD_VK_CONV_HALF_1},
                              AD_VK_CONV_MATRIX_KHR,      AD_VK_CONV_MATRIX_NV,
                              AD_VK_CONV_SPREAD};
    const int kernel = kernel_of(&k, plan, op, variant, caps);
    if (kernel < 0) return false;
    const size_t positions = (size_t)op->g.n * (size_t)op->g.oh * (size_t)op->g.ow,
                 o4 = ad_conv_ceil((size_t)op->g.o, 4);
    const ad_conv_tile tile = tile_of(caps, variant, o4);
    const block each = block_of(variant, tile);
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.optional = op->t[2] >= 0;
    push.count = (int32_t)(ad_conv_ceil(positions, each.rows) * ad_conv_ceil(o4, each.columns4));
    ad_vk_launch *l = add(out, op, caps, kernel, variant, &push, tile);
    if (variant == SPREAD) l->texel = 7; /* the bias, too */
    ad_conv_half(l, plan, op, 3);
    return true;
}

static bool lower_conv_dx(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                          ad_vk_recipe *out) {
    static const kernels k = {{AD_VK_CONV_DX, AD_VK_CONV_DX_1},
                              AD_VK_CONV_DX_REGISTER,
                              AD_VK_CONV_DX_REGISTER_TEXEL,
                              {AD_VK_CONV_DX_HALF, AD_VK_CONV_DX_HALF_1},
                              AD_VK_CONV_DX_MATRIX_KHR,
                              AD_VK_CONV_DX_MATRIX_NV,
                              -1};
    const int kernel = kernel_of(&k, plan, op, variant, caps);
    if (kernel < 0) return false;
    /* Pixels of the largest class: conv_place.glsl. */
    const size_t stride = (size_t)op->g.stride, c4 = (size_t)op->g.c / 4;
    const size_t pixels =
        (size_t)op->g.n * ad_conv_ceil((size_t)op->g.h, stride) * ad_conv_ceil((size_t)op->g.w, stride);
    const ad_conv_tile tile = tile_of(caps, variant, c4);
    const block each = block_of(variant, tile);
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.count = (int32_t)(ad_conv_ceil(pixels, each.rows) * ad_conv_ceil(c4, each.columns4) * stride * stride);
    add(out, op, caps, kernel, variant, &push, tile);
    return true;
}

/* Few rows leave lanes idle: then fewer of them for each. */
static ad_conv_tile dw_tile(const ad_vk_caps *caps, int variant, size_t rows4, size_t o4) {
    if (variant == SPREAD) return (ad_conv_tile){.lanes = (int)caps->subgroup, .a = ad_conv_balanced(rows4, 16)};
    if (variant != REGISTER && variant != TEXEL) return tile_of(caps, variant, o4);
    ad_conv_tile tile = {
        .lanes = ad_conv_lanes(caps), .a = caps->software ? 4 : 2, .v = (int)AD_MIN(o4, caps->software ? 4u : 2u)};
    while (tile.a > 1 && rows4 <= (size_t)(tile.lanes * tile.a / 2)) tile.a /= 2;
    return tile;
}

static bool lower_conv_dw(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                          ad_vk_recipe *out) {
    static const kernels k = {{AD_VK_CONV_DW, AD_VK_CONV_DW_1},
                              AD_VK_CONV_DW_REGISTER,
                              AD_VK_CONV_DW_REGISTER_TEXEL,
                              {AD_VK_CONV_DW_HALF, AD_VK_CONV_DW_HALF_1},
                              AD_VK_CONV_DW_MATRIX_KHR,
                              AD_VK_CONV_DW_MATRIX_NV,
                              AD_VK_CONV_DW_SPREAD};
    const int kernel = kernel_of(&k, plan, op, variant, caps);
    if (kernel < 0) return false;
    const size_t positions = (size_t)op->g.n * (size_t)op->g.oh * (size_t)op->g.ow,
                 o4 = ad_conv_ceil((size_t)op->g.o, 4);
    const size_t rows4 = (size_t)(op->g.k * op->g.k) * (size_t)op->g.c / 4;
    const ad_conv_tile tile = dw_tile(caps, variant, rows4, o4);
    /* Rows of the result are vec4 too, where an invocation makes its own; else a workgroup's rows count singly. */
    const block each = variant == SPREAD ? (block){(size_t)tile.a, (size_t)tile.lanes} : block_of(variant, tile);
    const bool by_vector = variant == REGISTER || variant == TEXEL || variant == SPREAD;
    const size_t tiles = ad_conv_ceil(by_vector ? rows4 : 4 * rows4, each.rows) * ad_conv_ceil(o4, each.columns4);
    const size_t outputs = 4 * rows4 * (size_t)op->g.o, multiple = variant == MATRIX ? AD_MATRIX_DEPTH : 16;
    struct ad_push_conv push = ad_conv_push(plan, op);
    const size_t splits = ad_conv_splits(caps, positions, tiles, outputs, variant == SPREAD ? 1024 : 128, multiple,
                                         op->tasks, &push.span);
    push.count = (int32_t)(tiles * splits);
    add(out, op, caps, kernel, variant, &push, tile);
    ad_conv_reduce(out, op, caps, 2, 2, splits, outputs);
    return true;
}

static bool lower_conv_dbias(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                             ad_vk_recipe *out) {
    if (variant != 1) return false;
    const size_t positions = (size_t)op->g.n * (size_t)op->g.oh * (size_t)op->g.ow, o = (size_t)op->g.o;
    struct ad_push_conv push = ad_conv_push(plan, op);
    const size_t splits =
        ad_conv_splits(caps, positions, ad_conv_ceil(o, (size_t)ad_conv_lanes(caps)), o, 32, 1, op->tasks, &push.span);
    ad_conv_items(out, op, caps, AD_VK_CONV_DBIAS, push, splits * o, 1);
    ad_conv_reduce(out, op, caps, 1, 1, splits, o);
    return true;
}

#define VARIANTS                                                                                                       \
    { "shared", "register", "texel", "half", "matrix", "spread" }
const ad_vk_lowering ad_vk_lowering_CONV = {
    .lower = lower_conv, .variants = VARIANTS, .preferred = preferred_spread, .half = REDUCED};
const ad_vk_lowering ad_vk_lowering_CONV_DX = {
    .lower = lower_conv_dx, .variants = VARIANTS, .preferred = preferred, .half = REDUCED};
const ad_vk_lowering ad_vk_lowering_CONV_DW = {
    .lower = lower_conv_dw, .variants = VARIANTS, .preferred = preferred_spread, .half = REDUCED};
const ad_vk_lowering ad_vk_lowering_CONV_DBIAS = {.lower = lower_conv_dbias, .variants = {"columns"}};
