/* GATHER, GATHER_ROWS. */
#include "vk/kernels/lower.h"
#include "shaders/abi.h"

#include <math.h>

static bool lower_gather(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    const ad_geometry *g = &op->g;
    const bool crop = op->i[4] != 2;
    if (variant != 1 || !ad_vk_aligned(plan, op) || (crop && (g->h > op->i[2] || g->w > op->i[3]))) return false;
    const struct ad_push_gather push = {
        .x_task = ad_vk_stride(plan, op, 4),
        .images = g->n,
        .h = g->h,
        .w = g->w,
        .first = op->i[0],
        .chunk = op->i[1],
        .data_h = op->i[2],
        .data_w = op->i[3],
        .rounds = AD_MAX(op->i[7], 1),
        .tasks = op->tasks,
        .pad = op->i[5],
        .seed = (uint32_t)op->i[6],
        .stream = AD_STREAM_AUGMENT,
        .area_min = op->f[0],
        .area_max = op->f[1],
        .log_ratio_min = crop ? 0 : logf(op->f[2]),
        .log_ratio_max = crop ? 0 : logf(op->f[3]),
        .brightness = op->f[4],
        .contrast = op->f[5],
        .saturation = op->f[6],
        .grey = op->f[7],
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_GATHER, &push, sizeof push);
    ad_vk_spec(l, (uint32_t)op->i[4]);
    ad_vk_spec(l, (op->flags & AD_FLIP) != 0);
    ad_vk_spec(l, op->t[2] >= 0);
    ad_vk_spec(l, op->t[5] >= 0);
    ad_vk_spec(l, (op->flags & AD_TURN) != 0);
    ad_vk_spec(l, (op->flags & AD_MIRROR) != 0);
    ad_vk_items(l, caps, (size_t)g->n * (size_t)g->h * (size_t)g->w, op->tasks);
    return true;
}

static bool lower_gather_rows(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                              ad_vk_recipe *out) {
    if (variant != 1) return false;
    const struct ad_push_gather_rows push = {
        .x_task = ad_vk_stride(plan, op, 3),
        .rows = op->g.n,
        .columns = op->g.c,
        .first = op->i[0],
        .chunk = op->i[1],
        .rounds = AD_MAX(op->i[7], 1),
        .tasks = op->tasks,
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_GATHER_ROWS, &push, sizeof push);
    ad_vk_spec(l, op->t[2] >= 0);
    ad_vk_items(l, caps, (size_t)op->g.n * (size_t)op->g.c, op->tasks);
    return true;
}

const ad_vk_lowering ad_vk_lowering_GATHER = {.lower = lower_gather, .variants = {"pixel"}};
const ad_vk_lowering ad_vk_lowering_GATHER_ROWS = {.lower = lower_gather_rows, .variants = {"element"}};
