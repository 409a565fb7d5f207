/* AFFINE_POOL, AFFINE_POOL_BACK, AFFINE_POOL_SUMS. */
#include "vk/kernels/lower.h"
#include "shaders/abi.h"

static bool applies(const ad_plan *plan, const ad_op *op, int variant) {
    return variant == 1 && op->g.c % 4 == 0 && ad_vk_aligned(plan, op);
}

/* The constants of shaders/lib/windows.glsl and lib/activation.glsl. */
static void specialize(ad_vk_launch *l, const ad_op *op) {
    const ad_geometry *g = &op->g;
    const int32_t constants[] = {op->flags & AD_ACCUMULATE, op->i[0], g->k, g->h, g->w, g->oh, g->ow, g->c / 4};
    for (size_t i = 0; i < AD_COUNT(constants); i++) ad_vk_spec(l, (uint32_t)constants[i]);
}

static bool lower_affine_pool(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                              ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    const ad_geometry *g = &op->g;
    const struct ad_push_affine_pool push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .coef_task = ad_vk_stride(plan, op, 1),
        .residual_task = ad_vk_stride(plan, op, 2),
        .y_task = ad_vk_stride(plan, op, 3),
        .winner_task = ad_vk_stride(plan, op, 4),
        .images = g->n,
        .slope = op->f[0],
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_AFFINE_POOL, &push, sizeof push);
    specialize(l, op);
    ad_vk_spec(l, op->t[1] >= 0);
    ad_vk_spec(l, op->t[2] >= 0);
    ad_vk_spec(l, op->t[4] >= 0);
    ad_vk_items(l, caps, (size_t)g->n * (size_t)g->oh * (size_t)g->ow * (size_t)g->c / 4, op->tasks);
    return true;
}

static bool lower_affine_pool_back(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                                   ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    const ad_geometry *g = &op->g;
    const struct ad_push_affine_pool_back push = {
        .y_task = ad_vk_stride(plan, op, 0),
        .winner_task = ad_vk_stride(plan, op, 1),
        .dy_task = ad_vk_stride(plan, op, 2),
        .back_task = ad_vk_stride(plan, op, 3),
        .x_task = ad_vk_stride(plan, op, 4),
        .dx_task = ad_vk_stride(plan, op, 5),
        .dresidual_task = ad_vk_stride(plan, op, 6),
        .images = g->n,
        .slope = op->f[0],
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_AFFINE_POOL_BACK, &push, sizeof push);
    specialize(l, op);
    for (int role = 3; role < 7; role++) ad_vk_spec(l, op->t[role] >= 0);
    const size_t k = (size_t)g->k, rows = ((size_t)g->h + k - 1) / k, columns = ((size_t)g->w + k - 1) / k;
    ad_vk_items(l, caps, (size_t)g->n * rows * columns * (size_t)g->c / 4, op->tasks);
    return true;
}

static bool lower_affine_pool_sums(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                                   ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    const ad_geometry *g = &op->g;
    /* A window takes k*k + 3 loads: llvmpipe unrolls no more than about 32. */
    const size_t windows = (size_t)g->n * (size_t)g->oh * (size_t)g->ow, channels4 = (size_t)g->c / 4;
    const size_t loads = (size_t)(g->k * g->k) + 3;
    const size_t run = caps->software ? AD_MAX(32 / loads, 1) : 16, parts = (windows + run - 1) / run;
    const struct ad_push_affine_pool_sums push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .y_task = ad_vk_stride(plan, op, 1),
        .winner_task = ad_vk_stride(plan, op, 2),
        .dy_task = ad_vk_stride(plan, op, 3),
        .stats_task = ad_vk_stride(plan, op, 4),
        .to_task = parts == 1 ? ad_vk_stride(plan, op, 5) : (int32_t)(parts * 8 * channels4),
        .windows = (int32_t)windows,
        .slope = op->f[0],
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_AFFINE_POOL_SUMS, &push, sizeof push);
    specialize(l, op);
    ad_vk_spec(l, (uint32_t)run);
    ad_vk_bind_parts(l, 5, 5, parts == 1);
    ad_vk_items(l, caps, parts * channels4, op->tasks);
    return ad_vk_add_merges(plan, op, caps, AD_VK_SUM_MERGE, 5, windows, run, out);
}

const ad_vk_lowering ad_vk_lowering_AFFINE_POOL = {.lower = lower_affine_pool, .variants = {"vec4"}};
const ad_vk_lowering ad_vk_lowering_AFFINE_POOL_BACK = {.lower = lower_affine_pool_back, .variants = {"cell"}};
const ad_vk_lowering ad_vk_lowering_AFFINE_POOL_SUMS = {.lower = lower_affine_pool_sums, .variants = {"two-pass"}};
