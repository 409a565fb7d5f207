/* BN_STATS, BN_FOLD, BN_RUNNING, BN_BACK, AFFINE, AFFINE_SUMS, AFFINE_BACK. */
#include "vk/lower.h"
#include "shaders/abi.h"

static size_t positions(const ad_op *op) { return (size_t)op->g.n * (size_t)op->g.h * (size_t)op->g.w; }

static bool applies(const ad_plan *plan, const ad_op *op, int variant) {
    return variant == 1 && op->g.c % 4 == 0 && ad_vk_aligned(plan, op);
}

/* vec4 elements that one invocation of AFFINE and AFFINE_BACK takes. */
static size_t affine_rows(const ad_op *op) { return AD_MIN(positions(op), 4); }

static bool lower_affine(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    const size_t channels4 = (size_t)op->g.c / 4, rows = affine_rows(op), slice = (positions(op) + rows - 1) / rows * channels4;
    const struct ad_push_affine push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .coef_task = ad_vk_stride(plan, op, 1),
        .residual_task = ad_vk_stride(plan, op, 2),
        .y_task = ad_vk_stride(plan, op, 3),
        .channels4 = (int32_t)channels4,
        .slice = (int32_t)slice,
        .elements4 = (int32_t)(positions(op) * channels4),
        .slope = op->f[0],
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_AFFINE, &push, sizeof push);
    ad_vk_spec(l, op->flags & AD_ACCUMULATE);
    ad_vk_spec(l, (uint32_t)op->i[0]);
    ad_vk_spec(l, (uint32_t)rows);
    ad_vk_spec(l, op->t[1] >= 0);
    ad_vk_spec(l, op->t[2] >= 0);
    ad_vk_items(l, caps, slice, op->tasks);
    return true;
}

static bool lower_affine_back(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    const size_t channels4 = (size_t)op->g.c / 4, rows = affine_rows(op), slice = (positions(op) + rows - 1) / rows * channels4;
    const struct ad_push_affine_back push = {
        .y_task = ad_vk_stride(plan, op, 0),
        .dy_task = ad_vk_stride(plan, op, 1),
        .back_task = ad_vk_stride(plan, op, 2),
        .x_task = ad_vk_stride(plan, op, 3),
        .dx_task = ad_vk_stride(plan, op, 4),
        .dresidual_task = ad_vk_stride(plan, op, 5),
        .channels4 = (int32_t)channels4,
        .slice = (int32_t)slice,
        .elements4 = (int32_t)(positions(op) * channels4),
        .slope = op->f[0],
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_AFFINE_BACK, &push, sizeof push);
    ad_vk_spec(l, op->flags & AD_ACCUMULATE);
    ad_vk_spec(l, (uint32_t)op->i[0]);
    ad_vk_spec(l, (uint32_t)rows);
    for (int role = 2; role < 6; role++) ad_vk_spec(l, op->t[role] >= 0);
    ad_vk_items(l, caps, slice, op->tasks);
    return true;
}

/* Number of partial sums that the positions of a task are cut into for a reduction per channel: enough invocations to fill the
 * device, at least 16 positions each. */
static size_t parts_of(const ad_op *op, const ad_vk_caps *caps) {
    const size_t wanted = caps->software ? 512 : 65536, lanes = (size_t)op->g.c / 4 * (size_t)op->tasks;
    const size_t parts = AD_MIN((wanted + lanes - 1) / lanes, (positions(op) + 15) / 16);
    return AD_MIN(parts, 1024);
}

static bool lower_bn_stats(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    const size_t channels4 = (size_t)op->g.c / 4, slice = parts_of(op, caps) * channels4;
    const struct ad_push_bn_stats push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .stats_task = ad_vk_stride(plan, op, 1),
        .channels4 = (int32_t)channels4,
        .slice = (int32_t)slice,
        .elements4 = (int32_t)(positions(op) * channels4),
    };
    out->scratch_bytes = (size_t)op->tasks * slice * 2 * 16;
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_BN_STATS, &push, sizeof push);
    l->bind[2] = AD_VK_SCRATCH;
    l->scratch_write = true;
    ad_vk_items(l, caps, slice, op->tasks);
    l = ad_vk_add(out, op, AD_VK_BN_STATS_MERGE, &push, sizeof push);
    l->bind[2] = AD_VK_SCRATCH;
    l->scratch_read = true;
    ad_vk_groups(l, caps, channels4, op->tasks);
    return true;
}

static bool lower_affine_sums(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    const size_t channels4 = (size_t)op->g.c / 4, parts = parts_of(op, caps), slice = parts * channels4;
    const struct ad_push_affine_sums push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .y_task = ad_vk_stride(plan, op, 1),
        .dy_task = ad_vk_stride(plan, op, 2),
        .stats_task = ad_vk_stride(plan, op, 3),
        .channels4 = (int32_t)channels4,
        .slice = (int32_t)slice,
        .elements4 = (int32_t)(positions(op) * channels4),
        .slope = op->f[0],
    };
    out->scratch_bytes = (size_t)op->tasks * slice * 2 * 16;
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_AFFINE_SUMS, &push, sizeof push);
    l->bind[5] = AD_VK_SCRATCH;
    l->scratch_write = true;
    ad_vk_spec(l, 0);
    ad_vk_spec(l, (uint32_t)op->i[0]);
    ad_vk_items(l, caps, slice, op->tasks);

    const struct ad_push_sum_parts sum = {
        .out_task = ad_vk_stride(plan, op, 4),
        .elements4 = (int32_t)(2 * channels4),
        .parts = (int32_t)parts,
    };
    l = ad_vk_add(out, op, AD_VK_SUM_PARTS, &sum, sizeof sum);
    l->bind[0] = 4;
    l->bind[1] = AD_VK_SCRATCH;
    l->scratch_read = true;
    ad_vk_groups(l, caps, 2 * channels4, op->tasks);
    return true;
}

static bool lower_bn_fold(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (variant != 1) return false;
    const struct ad_push_bn_fold push = {
        .stats_task = ad_vk_stride(plan, op, 0),
        .gamma_task = ad_vk_stride(plan, op, 1),
        .beta_task = ad_vk_stride(plan, op, 2),
        .coef_task = ad_vk_stride(plan, op, 3),
        .channels = op->g.c,
        .epsilon = op->f[0],
    };
    ad_vk_items(ad_vk_add(out, op, AD_VK_BN_FOLD, &push, sizeof push), caps, (size_t)op->g.c, op->tasks);
    return true;
}

static bool lower_bn_running(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (variant != 1) return false;
    const struct ad_push_bn_running push = {
        .stats_task = ad_vk_stride(plan, op, 0),
        .running_task = ad_vk_stride(plan, op, 1),
        .channels = op->g.c,
        .momentum = op->f[0],
        .correction = op->f[1],
    };
    ad_vk_items(ad_vk_add(out, op, AD_VK_BN_RUNNING, &push, sizeof push), caps, (size_t)op->g.c, op->tasks);
    return true;
}

static bool lower_bn_back(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (variant != 1) return false;
    const struct ad_push_bn_back push = {
        .sums_task = ad_vk_stride(plan, op, 0),
        .stats_task = ad_vk_stride(plan, op, 1),
        .gamma_task = ad_vk_stride(plan, op, 2),
        .dgamma_task = ad_vk_stride(plan, op, 3),
        .dbeta_task = ad_vk_stride(plan, op, 4),
        .back_task = ad_vk_stride(plan, op, 5),
        .channels = op->g.c,
        .epsilon = op->f[0],
        .positions = (float)positions(op),
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_BN_BACK, &push, sizeof push);
    ad_vk_spec(l, op->flags & AD_ACCUMULATE);
    ad_vk_spec(l, op->i[0] != 0);
    for (int role = 3; role < 6; role++) ad_vk_spec(l, op->t[role] >= 0);
    ad_vk_items(l, caps, (size_t)op->g.c, op->tasks);
    return true;
}

const ad_vk_family ad_vk_family_BN_STATS = {lower_bn_stats, {"two-pass"}, NULL};
const ad_vk_family ad_vk_family_BN_FOLD = {lower_bn_fold, {"channel"}, NULL};
const ad_vk_family ad_vk_family_BN_RUNNING = {lower_bn_running, {"channel"}, NULL};
const ad_vk_family ad_vk_family_BN_BACK = {lower_bn_back, {"channel"}, NULL};
const ad_vk_family ad_vk_family_AFFINE = {lower_affine, {"vec4"}, NULL};
const ad_vk_family ad_vk_family_AFFINE_SUMS = {lower_affine_sums, {"two-pass"}, NULL};
const ad_vk_family ad_vk_family_AFFINE_BACK = {lower_affine_back, {"vec4"}, NULL};
