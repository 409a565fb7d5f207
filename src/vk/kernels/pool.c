/* POOL, POOL_BACK. */
#include "vk/kernels/lower.h"
#include "shaders/abi.h"

/* Whether no window leaves the image. */
static bool whole(const ad_geometry *g) {
    return g->pad == 0 && (g->oh - 1) * g->stride + g->k <= g->h && (g->ow - 1) * g->stride + g->k <= g->w;
}

/* The constants of shaders/lib/pool.glsl. */
static void specialize(ad_vk_launch *l, const ad_op *op) {
    const ad_geometry *g = &op->g;
    const int32_t constants[] = {op->flags & AD_ACCUMULATE,
                                 op->i[0] != 0,
                                 g->k,
                                 g->stride,
                                 g->pad,
                                 g->h,
                                 g->w,
                                 g->oh,
                                 g->ow,
                                 g->c / 4,
                                 whole(g)};
    for (size_t i = 0; i < AD_COUNT(constants); i++) ad_vk_spec(l, (uint32_t)constants[i]);
}

/* Every window has a pixel of the image (pad < k). */
static bool applies(const ad_plan *plan, const ad_op *op) {
    return op->g.c % 4 == 0 && op->g.pad < op->g.k && ad_vk_aligned(plan, op);
}

static bool lower_pool(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (variant != 1 || !applies(plan, op)) return false;
    const ad_geometry *g = &op->g;
    const struct ad_push_pool push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .y_task = ad_vk_stride(plan, op, 1),
        .images = g->n,
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_POOL, &push, sizeof push);
    specialize(l, op);
    ad_vk_items(l, caps, (size_t)g->n * (size_t)g->oh * (size_t)g->ow * (size_t)g->c / 4, op->tasks);
    return true;
}

enum { CELL = 1, WINDOWS };

static bool lower_pool_back(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                            ad_vk_recipe *out) {
    if (!applies(plan, op)) return false;
    const ad_geometry *g = &op->g;
    if (variant == CELL && (op->i[0] != 0 || g->k > g->stride || !whole(g))) return false;
    const struct ad_push_pool push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .y_task = ad_vk_stride(plan, op, 1),
        .dx_task = ad_vk_stride(plan, op, 2),
        .images = g->n,
    };
    ad_vk_launch *l = ad_vk_add(out, op, variant == CELL ? AD_VK_POOL_BACK_CELL : AD_VK_POOL_BACK, &push, sizeof push);
    specialize(l, op);
    const size_t step = variant == CELL ? (size_t)g->stride : 1;
    const size_t rows = ((size_t)g->h + step - 1) / step, columns = ((size_t)g->w + step - 1) / step;
    ad_vk_items(l, caps, (size_t)g->n * rows * columns * (size_t)g->c / 4, op->tasks);
    return true;
}

const ad_vk_lowering ad_vk_lowering_POOL = {.lower = lower_pool, .variants = {"vec4"}};
const ad_vk_lowering ad_vk_lowering_POOL_BACK = {.lower = lower_pool_back, .variants = {"cell", "windows"}};
