/* BN_STATS, BN_FOLD, BN_RUNNING, BN_BACK, AFFINE, AFFINE_SUMS, AFFINE_BACK. */
#include "vk/kernels/lower.h"
#include "shaders/abi.h"

static size_t positions(const ad_op *op) { return (size_t)op->g.n * (size_t)op->g.h * (size_t)op->g.w; }

static bool applies(const ad_plan *plan, const ad_op *op, int variant) {
    return variant == 1 && op->g.c % 4 == 0 && ad_vk_aligned(plan, op);
}

/* vec4 elements that one invocation of AFFINE and AFFINE_BACK takes. */
static size_t affine_rows(const ad_op *op) { return AD_MIN(positions(op), 4); }

static bool lower_affine(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    const size_t channels4 = (size_t)op->g.c / 4, rows = affine_rows(op),
                 slice = (positions(op) + rows - 1) / rows * channels4;
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
    ad_vk_spec(l, (uint32_t)rows);
    ad_vk_spec(l, (uint32_t)op->i[0]);
    ad_vk_spec(l, op->t[1] >= 0);
    ad_vk_spec(l, op->t[2] >= 0);
    ad_vk_spec(l, ad_vk_in_place(op, 3, 0)   ? AD_AFFINE_IN_X
                  : ad_vk_in_place(op, 3, 2) ? AD_AFFINE_IN_RESIDUAL
                                             : AD_AFFINE_APART);
    ad_vk_items(l, caps, slice, op->tasks);
    return true;
}

static bool lower_affine_back(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                              ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    const size_t channels4 = (size_t)op->g.c / 4, rows = affine_rows(op),
                 slice = (positions(op) + rows - 1) / rows * channels4;
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
    ad_vk_spec(l, ad_vk_in_place(op, 4, 1));
    ad_vk_spec(l, ad_vk_in_place(op, 5, 1));
    ad_vk_items(l, caps, slice, op->tasks);
    return true;
}

/* Parts that one invocation merges. */
enum { MERGE = 16 };

void ad_vk_bind_parts(ad_vk_launch *l, int to, int result, bool last) {
    l->bind[to] = (int16_t)(last ? result : AD_VK_SCRATCH);
    l->scratch_write = !last;
}

bool ad_vk_add_merges(const ad_plan *plan, const ad_op *op, const ad_vk_caps *caps, int kernel, int result,
                      size_t count, size_t run, ad_vk_recipe *out) {
    const size_t channels4 = (size_t)op->g.c / 4, tasks = (size_t)op->tasks;
    size_t from = 0, parts = (count + run - 1) / run;
    while (parts > 1) {
        if (out->count == (int)AD_COUNT(out->launches)) return false;
        const size_t groups = (parts + MERGE - 1) / MERGE, to = from + tasks * parts * 2 * channels4;
        const bool last = groups == 1;
        const struct ad_push_merge push = {
            .from = (int32_t)from,
            .to = last ? 0 : (int32_t)to,
            .to_task = last ? ad_vk_stride(plan, op, result) : (int32_t)(groups * 8 * channels4),
            .channels4 = (int32_t)channels4,
            .parts = (int32_t)parts,
            .positions = (int32_t)count,
            .run = (int32_t)run,
        };
        ad_vk_launch *l = ad_vk_add(out, op, kernel, &push, sizeof push);
        ad_vk_spec(l, MERGE);
        l->bind[0] = AD_VK_SCRATCH;
        l->scratch_read = true;
        ad_vk_bind_parts(l, 1, result, last);
        ad_vk_items(l, caps, groups * channels4 * (kernel == AD_VK_SUM_MERGE ? 2 : 1), op->tasks);
        out->scratch_bytes = 16 * to;
        from = to;
        parts = groups;
        run *= MERGE;
    }
    return true;
}

static bool lower_bn_stats(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                           ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    const size_t channels4 = (size_t)op->g.c / 4, run = 16, parts = (positions(op) + run - 1) / run;
    const struct ad_push_bn_stats push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .to_task = parts == 1 ? ad_vk_stride(plan, op, 1) : (int32_t)(parts * 8 * channels4),
        .channels4 = (int32_t)channels4,
        .positions = (int32_t)positions(op),
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_BN_STATS, &push, sizeof push);
    ad_vk_spec(l, (uint32_t)run);
    ad_vk_bind_parts(l, 1, 1, parts == 1);
    ad_vk_items(l, caps, parts * channels4, op->tasks);
    return ad_vk_add_merges(plan, op, caps, AD_VK_BN_MERGE, 1, positions(op), run, out);
}

static bool lower_affine_sums(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                              ad_vk_recipe *out) {
    if (!applies(plan, op, variant)) return false;
    /* Three operands: llvmpipe unrolls no more than about 32 loads. */
    const size_t channels4 = (size_t)op->g.c / 4, run = caps->software ? 8 : 32,
                 parts = (positions(op) + run - 1) / run;
    const struct ad_push_affine_sums push = {
        .x_task = ad_vk_stride(plan, op, 0),
        .y_task = ad_vk_stride(plan, op, 1),
        .dy_task = ad_vk_stride(plan, op, 2),
        .stats_task = ad_vk_stride(plan, op, 3),
        .to_task = parts == 1 ? ad_vk_stride(plan, op, 4) : (int32_t)(parts * 8 * channels4),
        .channels4 = (int32_t)channels4,
        .positions = (int32_t)positions(op),
        .slope = op->f[0],
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_AFFINE_SUMS, &push, sizeof push);
    ad_vk_spec(l, (uint32_t)run);
    ad_vk_spec(l, (uint32_t)op->i[0]);
    ad_vk_bind_parts(l, 4, 4, parts == 1);
    ad_vk_items(l, caps, parts * channels4, op->tasks);
    return ad_vk_add_merges(plan, op, caps, AD_VK_SUM_MERGE, 4, positions(op), run, out);
}

static bool lower_bn_fold(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                          ad_vk_recipe *out) {
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

static bool lower_bn_running(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                             ad_vk_recipe *out) {
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

static bool lower_bn_back(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                          ad_vk_recipe *out) {
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
    ad_vk_spec(l, op->i[0] != 0);
    for (int role = 3; role < 6; role++) ad_vk_spec(l, op->t[role] >= 0);
    ad_vk_items(l, caps, (size_t)op->g.c, op->tasks);
    return true;
}

const ad_vk_lowering ad_vk_lowering_BN_STATS = {.lower = lower_bn_stats, .variants = {"two-pass"}};
const ad_vk_lowering ad_vk_lowering_BN_FOLD = {.lower = lower_bn_fold, .variants = {"channel"}};
const ad_vk_lowering ad_vk_lowering_BN_RUNNING = {.lower = lower_bn_running, .variants = {"channel"}};
const ad_vk_lowering ad_vk_lowering_BN_BACK = {.lower = lower_bn_back, .variants = {"channel"}};
const ad_vk_lowering ad_vk_lowering_AFFINE = {.lower = lower_affine, .variants = {"vec4"}};
const ad_vk_lowering ad_vk_lowering_AFFINE_SUMS = {.lower = lower_affine_sums, .variants = {"two-pass"}};
const ad_vk_lowering ad_vk_lowering_AFFINE_BACK = {.lower = lower_affine_back, .variants = {"vec4"}};
