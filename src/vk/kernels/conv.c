/* CONV, CONV_DX, CONV_DW, CONV_DBIAS. */
#include "vk/kernels/conv.h"

enum { SHARED = 1, REGISTER, TEXEL, HALF, MATRIX, SPREAD, STRIP };
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
    int shared[2], registers, texel, half[2], matrix_khr, matrix_nv, spread, strip[2]; /* strip[1]: of texel buffers */
} kernels;

static bool grouped(const ad_op *op) { return ad_groups(&op->g) > 1; }

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
    const bool narrow = !wide(plan, op), all_texels = ad_conv_texels(caps, plan, op, AD_OP_TENSORS);
    const bool texels = grouped(op) || ad_op_has_epilogue(op) ? all_texels : ad_conv_texels(caps, plan, op, 2);
    switch (variant) {
    case SHARED: return k->shared[narrow];
    case REGISTER: return narrow ? -1 : k->registers;
    case TEXEL: return !narrow && texels ? k->texel : -1;
    case HALF: return caps->half ? k->half[narrow] : -1;
    case MATRIX:
        return narrow || !caps->half || !matrix_fits(caps) ? -1 : caps->matrix.khr ? k->matrix_khr : k->matrix_nv;
    case SPREAD: return !narrow && ad_conv_spreads(caps) && all_texels ? k->spread : -1;
    case STRIP: return k->strip[caps->software && all_texels];
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
    enum { BIAS = 2, COEF = 4, RESIDUAL = 5 };
    const bool conv = op->kind == AD_OP_CONV;
    ad_vk_launch *l = ad_conv_add(out, op, kernel, push, tile);
    l->texel = variant == TEXEL || variant == SPREAD ? 3 : 0;
    l->subgroup = variant == MATRIX ? caps->matrix.subgroup : 0;
    l->spec[AD_SPEC_C] = (uint32_t)ad_group_inputs(&op->g);
    /* lib/epilogue.glsl, lib/conv_groups.glsl */
    ad_vk_spec(l, conv ? (uint32_t)op->i[0] : 0);
    ad_vk_spec(l, conv ? (op->t[COEF] >= 0 ? AD_END_COEF : 0) | (op->t[RESIDUAL] >= 0 ? AD_END_RESIDUAL : 0) : 0);
    ad_vk_spec(l, (uint32_t)ad_groups(&op->g));
    ad_vk_groups(l, caps, (size_t)push->count, op->tasks);
    return l;
}

/* Register tiles want 16 x (vec4) to 32 x (vec4) sums; 8 x 4 where there is work enough for them. columns4: vec4 of
 * columns, of a group where there are groups: then the tile's columns divide them. */
static ad_conv_tile tile_of(const ad_op *op, const ad_vk_caps *caps, int variant, size_t columns4) {
    if (variant == SHARED || variant == HALF) return (ad_conv_tile){.lanes = AD_TILE_INVOCATIONS};
    if (variant == MATRIX) return matrix_tile(caps);
    ad_conv_tile tile = {.lanes = (int)caps->subgroup, .a = 4};
    if (variant == SPREAD) {
        tile.v = ad_conv_balanced(columns4, 8);
    } else {
        const int v = columns4 >= 4 ? 4 : columns4 >= 2 ? 2 : 1;
        tile = caps->software ? (ad_conv_tile){.lanes = 8, .a = 8, .v = v}
                              : (ad_conv_tile){.lanes = 64, .a = 4, .v = AD_MIN(v, 2)};
    }
    while (grouped(op) && columns4 % (size_t)tile.v) tile.v--;
    if (grouped(op) && variant == SPREAD && tile.v <= 2) tile.a = 8;
    return tile;
}

static int preferred(const ad_op *op, const ad_vk_caps *caps) {
    if (grouped(op)) return caps->software ? TEXEL : op->kind == AD_OP_CONV ? STRIP : REGISTER;
    if (caps->half) return caps->matrix.m && op->g.o % 4 == 0 ? MATRIX : HALF;
    return caps->software && op->g.o % 4 == 0 ? TEXEL : SHARED;
}

/* Where half of the lanes or more have work. */
static int preferred_spread(const ad_op *op, const ad_vk_caps *caps) {
    const int variant = preferred(op, caps);
    if (grouped(op) && op->kind != AD_OP_CONV) return variant;
    return variant == TEXEL && ad_conv_spreads(caps) && (op->kind == AD_OP_CONV || op->g.o >= 2 * (int)caps->subgroup)
               ? SPREAD
               : variant;
}

/* The strips of conv_grouped.comp. */
static void add_strips(ad_vk_recipe *out, const ad_op *op, const ad_vk_caps *caps, int kernel,
                       struct ad_push_conv push) {
    const ad_geometry *g = &op->g;
    const ad_conv_tile tile = {.lanes = ad_conv_lanes(caps), .a = ad_conv_balanced((size_t)g->ow, 4)};
    const size_t items = (size_t)g->n * (size_t)g->oh * ad_conv_ceil((size_t)g->ow, (size_t)tile.a) * (size_t)g->o / 4;
    push.count = (int32_t)items;
    ad_vk_launch *l = add(out, op, caps, kernel, STRIP, &push, tile);
    l->texel = kernel == AD_VK_CONV_GROUPED_TEXEL ? 0x33 : 0; /* x, w, coef and residual */
    ad_vk_groups(l, caps, ad_conv_ceil(items, (size_t)tile.lanes), op->tasks);
}

static bool lower_conv(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    enum { BIAS = 2, Y = 3, COEF = 4, RESIDUAL = 5 };
    static const kernels plain = {{AD_VK_CONV, AD_VK_CONV_1}, AD_VK_CONV_REGISTER,
                                  AD_VK_CONV_REGISTER_TEXEL,  {AD_VK_CONV_HALF, AD_VK_CONV_HALF_1},
                                  AD_VK_CONV_MATRIX_KHR,      AD_VK_CONV_MATRIX_NV,
                                  AD_VK_CONV_SPREAD,          {-1, -1}};
    static const kernels with_epilogue = {{AD_VK_CONV_EPILOGUE, AD_VK_CONV_EPILOGUE_1},
                                          AD_VK_CONV_EPILOGUE_REGISTER,
                                          AD_VK_CONV_EPILOGUE_REGISTER_TEXEL,
                                          {AD_VK_CONV_EPILOGUE_HALF, AD_VK_CONV_EPILOGUE_HALF_1},
                                          AD_VK_CONV_MATRIX_KHR,
                                          AD_VK_CONV_MATRIX_NV,
                                          AD_VK_CONV_EPILOGUE_SPREAD,
                                          {-1, -1}};
    static const kernels in_groups = {{-1, -1},
                                      AD_VK_CONV_GROUPED_REGISTER,
                                      AD_VK_CONV_GROUPED_REGISTER_TEXEL,
                                      {-1, -1},
                                      -1,
                                      -1,
                                      AD_VK_CONV_GROUPED_SPREAD,
                                      {AD_VK_CONV_GROUPED, AD_VK_CONV_GROUPED_TEXEL}};
    const bool epilogue = ad_op_has_epilogue(op);
    const int kernel = kernel_of(grouped(op) ? &in_groups
                                 : epilogue  ? &with_epilogue
                                             : &plain,
                                 plan, op, variant, caps);
    if (kernel < 0) return false;
    const size_t positions = (size_t)op->g.n * (size_t)op->g.oh * (size_t)op->g.ow,
                 o4 = ad_conv_ceil((size_t)op->g.o, 4);
    const ad_conv_tile tile = tile_of(op, caps, variant, o4 / (size_t)ad_groups(&op->g));
    const block each = block_of(variant, tile);
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.ld = ad_vk_stride(plan, op, RESIDUAL);
    push.optional = op->t[BIAS] >= 0;
    push.count = (int32_t)(ad_conv_ceil(positions, each.rows) * ad_conv_ceil(o4, each.columns4));
    if (variant == STRIP) {
        add_strips(out, op, caps, kernel, push);
        return true;
    }
    ad_vk_launch *l = add(out, op, caps, kernel, variant, &push, tile);
    if (variant == SPREAD) l->texel |= 1 << BIAS;
    if (l->texel && (epilogue || grouped(op))) l->texel |= 1 << COEF | 1 << RESIDUAL;
    ad_conv_half(l, plan, op, Y);
    if (variant == MATRIX && epilogue) { /* which lane has which sum is the driver's secret: a second launch follows */
        const ad_vk_affine of = {
            .x = Y, .coef = COEF, .residual = RESIDUAL, .y = Y, .positions = positions, .channels = (size_t)op->g.o};
        ad_vk_add_affine(plan, op, &of, caps, out);
    }
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
                              -1,
                              {-1, -1}};
    static const kernels in_groups = {
        {-1, -1}, AD_VK_CONV_DX_GROUPED_REGISTER, AD_VK_CONV_DX_GROUPED_REGISTER_TEXEL, {-1, -1}, -1, -1, -1, {-1, -1}};
    const int kernel = kernel_of(grouped(op) ? &in_groups : &k, plan, op, variant, caps);
    if (kernel < 0) return false;
    /* Pixels of the largest class: conv_place.glsl. */
    const size_t stride = (size_t)op->g.stride, c4 = (size_t)op->g.c / 4;
    const size_t pixels =
        (size_t)op->g.n * ad_conv_ceil((size_t)op->g.h, stride) * ad_conv_ceil((size_t)op->g.w, stride);
    const ad_conv_tile tile = tile_of(op, caps, variant, c4 / (size_t)ad_groups(&op->g));
    const block each = block_of(variant, tile);
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.count = (int32_t)(ad_conv_ceil(pixels, each.rows) * ad_conv_ceil(c4, each.columns4) * stride * stride);
    add(out, op, caps, kernel, variant, &push, tile);
    return true;
}

/* Few rows leave lanes idle: then fewer of them for each. o4: of a group. */
static ad_conv_tile dw_tile(const ad_op *op, const ad_vk_caps *caps, int variant, size_t rows4, size_t o4) {
    if (variant == SPREAD) return (ad_conv_tile){.lanes = (int)caps->subgroup, .a = ad_conv_balanced(rows4, 16)};
    if (variant != REGISTER && variant != TEXEL) return tile_of(op, caps, variant, o4);
    ad_conv_tile tile = {
        .lanes = ad_conv_lanes(caps), .a = caps->software ? 4 : 2, .v = (int)AD_MIN(o4, caps->software ? 4u : 2u)};
    while (tile.a > 1 && rows4 <= (size_t)(tile.lanes * tile.a / 2)) tile.a /= 2;
    while (grouped(op) && o4 % (size_t)tile.v) tile.v--;
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
                              AD_VK_CONV_DW_SPREAD,
                              {-1, -1}};
    static const kernels in_groups = {
        {-1, -1}, AD_VK_CONV_DW_GROUPED_REGISTER, AD_VK_CONV_DW_GROUPED_REGISTER_TEXEL, {-1, -1}, -1, -1, -1, {-1, -1}};
    const int kernel = kernel_of(grouped(op) ? &in_groups : &k, plan, op, variant, caps);
    if (kernel < 0) return false;
    const size_t positions = (size_t)op->g.n * (size_t)op->g.oh * (size_t)op->g.ow,
                 o4 = ad_conv_ceil((size_t)op->g.o, 4);
    const size_t rows4 = (size_t)(op->g.k * op->g.k) * (size_t)ad_group_inputs(&op->g) / 4;
    const ad_conv_tile tile = dw_tile(op, caps, variant, rows4, o4 / (size_t)ad_groups(&op->g));
    /* Rows of the result are vec4 too, where an invocation makes its own; else a workgroup's rows count singly. */
    const block each = variant == SPREAD ? (block){(size_t)tile.a, (size_t)tile.lanes} : block_of(variant, tile);
    const bool by_vector = variant == REGISTER || variant == TEXEL || variant == SPREAD;
    const size_t tiles = ad_conv_ceil(by_vector ? rows4 : 4 * rows4, each.rows) * ad_conv_ceil(o4, each.columns4);
    const size_t outputs = 4 * rows4 * (size_t)op->g.o, multiple = variant == MATRIX ? AD_MATRIX_DEPTH : 16;
    struct ad_push_conv push = ad_conv_push(plan, op);
    const size_t splits = ad_conv_splits(caps, positions, tiles, outputs, variant == SPREAD ? 1024 : 128, multiple,
                                         ad_plan_divided(plan, op), &push.span);
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
    const size_t splits = ad_conv_splits(caps, positions, ad_conv_ceil(o, (size_t)ad_conv_lanes(caps)), o, 32, 1,
                                         ad_plan_divided(plan, op), &push.span);
    ad_conv_items(out, op, caps, AD_VK_CONV_DBIAS, push, splits * o, 1);
    ad_conv_reduce(out, op, caps, 1, 1, splits, o);
    return true;
}

#define VARIANTS                                                                                                       \
    { "shared", "register", "texel", "half", "matrix", "spread", "strip" }
const ad_vk_lowering ad_vk_lowering_CONV = {
    .lower = lower_conv, .variants = VARIANTS, .preferred = preferred_spread, .half = REDUCED};
const ad_vk_lowering ad_vk_lowering_CONV_DX = {
    .lower = lower_conv_dx, .variants = VARIANTS, .preferred = preferred, .half = REDUCED};
const ad_vk_lowering ad_vk_lowering_CONV_DW = {
    .lower = lower_conv_dw, .variants = VARIANTS, .preferred = preferred_spread, .half = REDUCED};
const ad_vk_lowering ad_vk_lowering_CONV_DBIAS = {.lower = lower_conv_dbias, .variants = {"columns"}};
