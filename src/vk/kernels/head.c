/* ROW_NORM, ROW_NORM_BACK, CLASS_MEAN, MEAN_HEAD, SOFTMAX_CE. */
#include "vk/kernels/lower.h"
#include "shaders/abi.h"

static bool lower_row_norm(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                           ad_vk_recipe *out) {
    if (variant != 1) return false;
    const struct ad_push_rows push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .y_task = ad_vk_stride(plan, op, 1),
        .inverse_task = ad_vk_stride(plan, op, 2),
        .rows = op->g.n,
        .columns = op->g.c,
    };
    ad_vk_groups(ad_vk_add(out, op, AD_VK_ROW_NORM, &push, sizeof push), caps, (size_t)op->g.n, op->tasks);
    return true;
}

static bool lower_row_norm_back(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                                ad_vk_recipe *out) {
    if (variant != 1) return false;
    const struct ad_push_rows_back push = {
        .y_task = ad_vk_stride(plan, op, 0),
        .inverse_task = ad_vk_stride(plan, op, 1),
        .dy_task = ad_vk_stride(plan, op, 2),
        .dx_task = ad_vk_stride(plan, op, 3),
        .rows = op->g.n,
        .columns = op->g.c,
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_ROW_NORM_BACK, &push, sizeof push);
    ad_vk_groups(l, caps, (size_t)op->g.n, op->tasks);
    return true;
}

static bool lower_class_mean(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                             ad_vk_recipe *out) {
    if (variant != 1) return false;
    const struct ad_push_class_mean push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .mean_task = ad_vk_stride(plan, op, 2),
        .rows = op->g.n,
        .columns = op->g.c,
        .classes = op->g.o,
    };
    ad_vk_items(ad_vk_add(out, op, AD_VK_CLASS_MEAN, &push, sizeof push), caps, (size_t)op->g.o * (size_t)op->g.c,
                op->tasks);
    return true;
}

static bool lower_mean_head(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                            ad_vk_recipe *out) {
    if (variant != 1) return false;
    const struct ad_push_mean_head push = {
        .mean_task = ad_vk_stride(plan, op, 0),
        .w_task = ad_vk_stride(plan, op, 1),
        .bias_task = ad_vk_stride(plan, op, 2),
        .classes = op->g.o,
        .columns = op->g.c,
        .scale = op->f[0],
    };
    ad_vk_groups(ad_vk_add(out, op, AD_VK_MEAN_HEAD, &push, sizeof push), caps, (size_t)op->g.o, op->tasks);
    return true;
}

static bool lower_softmax_ce(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                             ad_vk_recipe *out) {
    const bool loss = op->t[3] >= 0, dlogits = op->t[4] >= 0;
    if (variant != 1 || ((loss || dlogits) && op->t[1] < 0)) return false;
    const struct ad_push_softmax push = {
        .logits_task = ad_vk_stride(plan, op, 0),
        .dlogits_task = ad_vk_stride(plan, op, 4),
        .rows = op->g.n,
        .classes = op->g.o,
        .rounds = AD_MAX(op->i[7], 1),
        .tasks = op->tasks,
        .smoothing = op->f[0],
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_SOFTMAX_CE, &push, sizeof push);
    ad_vk_spec(l, op->t[2] >= 0);
    for (int role = 3; role < 6; role++) ad_vk_spec(l, op->t[role] >= 0);
    ad_vk_items(l, caps, (size_t)op->g.n, op->tasks);
    if (!loss) return true;

    out->scratch_bytes = (size_t)op->tasks * (size_t)op->g.n * 4;
    l->bind[6] = AD_VK_SCRATCH;
    l->scratch_write = true;
    l = ad_vk_add(out, op, AD_VK_SOFTMAX_LOSS, &push, sizeof push);
    ad_vk_spec(l, op->t[2] >= 0);
    l->bind[6] = AD_VK_SCRATCH;
    l->scratch_read = true;
    ad_vk_groups(l, caps, 1, op->tasks);
    return true;
}

const ad_vk_family ad_vk_family_ROW_NORM = {.lower = lower_row_norm, .variants = {"workgroup"}};
const ad_vk_family ad_vk_family_ROW_NORM_BACK = {.lower = lower_row_norm_back, .variants = {"workgroup"}};
const ad_vk_family ad_vk_family_CLASS_MEAN = {.lower = lower_class_mean, .variants = {"element"}};
const ad_vk_family ad_vk_family_MEAN_HEAD = {.lower = lower_mean_head, .variants = {"workgroup"}};
const ad_vk_family ad_vk_family_SOFTMAX_CE = {.lower = lower_softmax_ce, .variants = {"row"}};
