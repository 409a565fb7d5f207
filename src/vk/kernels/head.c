/* LINEAR, LINEAR_DX, LINEAR_DW, ROW_NORM*, CLASS_MEAN*, MEAN_HEAD*, SOFTMAX_CE. */
#include "vk/kernels/conv.h"

/* Classes that one workgroup of LINEAR computes and that share the loads of x. In the variant for software drivers the
 * rows of a workgroup share the loads of w, too. */
enum { CLASSES = 4, TEXEL_CLASSES = 8, TEXEL_ROWS = 4 };
/* SOFTWARE is the variant for software drivers: "texel" of LINEAR, "spread" of the others. */
enum { PLAIN = 1, SOFTWARE };

static bool lower_linear(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    const size_t n = (size_t)op->g.n, o = (size_t)op->g.o;
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.optional = op->t[2] >= 0;
    if (variant == SOFTWARE) {
        if (op->g.c % 4 || !ad_vk_aligned(plan, op) || !ad_conv_texels(caps, plan, op, 2)) return false;
        const ad_conv_tile tile = {
            .lanes = ad_conv_lanes(caps), .a = (int)AD_MIN(n, TEXEL_ROWS), .v = ad_conv_balanced(o, TEXEL_CLASSES)};
        push.count = (int32_t)(ad_conv_ceil(n, (size_t)tile.a) * ad_conv_ceil(o, (size_t)tile.v));
        ad_conv_add(out, op, AD_VK_LINEAR_TEXEL, &push, tile)->texel = 3;
    } else {
        if (variant != PLAIN) return false;
        push.count = (int32_t)(n * ad_conv_ceil(o, CLASSES));
        ad_conv_add(out, op, AD_VK_LINEAR, &push, (ad_conv_tile){.lanes = ad_conv_lanes(caps), .a = CLASSES});
    }
    ad_vk_groups(&out->launches[0], caps, (size_t)push.count, op->tasks);
    return true;
}

static int preferred_linear(const ad_op *op, const ad_vk_caps *caps) {
    return caps->software && op->g.c % 4 == 0 ? SOFTWARE : PLAIN;
}

/* One invocation of "spread" holds all classes: with more than 16 its code and its sums grow too large. */
static int preferred_linear_gradient(const ad_op *op, const ad_vk_caps *caps) {
    return op->g.c % 4 == 0 && op->g.o <= 16 && ad_conv_spreads(caps) ? SOFTWARE : PLAIN;
}
static bool linear_gradient_spreads(const ad_plan *plan, const ad_op *op, const ad_vk_caps *caps) {
    return preferred_linear_gradient(op, caps) == SOFTWARE && ad_vk_aligned(plan, op) &&
           ad_conv_texels(caps, plan, op, 2);
}

static bool lower_linear_dx(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                            ad_vk_recipe *out) {
    const size_t n = (size_t)op->g.n, c = (size_t)op->g.c;
    if (variant == SOFTWARE && linear_gradient_spreads(plan, op, caps)) {
        const size_t lanes = caps->subgroup, groups = ad_conv_ceil(n, 4) * ad_conv_ceil(c / 4, lanes);
        ad_conv_spread(out, op, caps, AD_VK_LINEAR_DX_SPREAD, ad_conv_push(plan, op), groups * lanes, 1)->texel = 3;
        return true;
    }
    if (variant != PLAIN) return false;
    ad_conv_items(out, op, caps, AD_VK_LINEAR_DX, ad_conv_push(plan, op), n * c, 1);
    return true;
}

static bool lower_linear_dw(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                            ad_vk_recipe *out) {
    if (variant == SOFTWARE && linear_gradient_spreads(plan, op, caps)) {
        struct ad_push_conv push = ad_conv_push(plan, op);
        push.optional = op->t[3] >= 0;
        ad_conv_spread(out, op, caps, AD_VK_LINEAR_DW_SPREAD, push, (size_t)op->g.c / 4, 1)->texel = 3;
        return true;
    }
    if (variant != PLAIN) return false;
    const size_t o = (size_t)op->g.o, items = o * (size_t)op->g.c + (op->t[3] >= 0 ? o : 0);
    ad_conv_items(out, op, caps, AD_VK_LINEAR_DW, ad_conv_push(plan, op), items, 1);
    return true;
}

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

static bool lower_class_mean_back(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                                  ad_vk_recipe *out) {
    if (variant != 1) return false;
    const struct ad_push_class_mean_back push = {
        .dmean_task = ad_vk_stride(plan, op, 0),
        .dx_task = ad_vk_stride(plan, op, 2),
        .rows = op->g.n,
        .columns = op->g.c,
        .classes = op->g.o,
        .accumulate = (op->flags & AD_ACCUMULATE) != 0,
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_CLASS_MEAN_BACK, &push, sizeof push);
    ad_vk_groups(l, caps, (size_t)op->g.n, op->tasks);
    return true;
}

static bool lower_mean_head(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                            ad_vk_recipe *out) {
    if (variant != 1) return false;
    const struct ad_push_mean_head push = {
        .mean_task = ad_vk_stride(plan, op, 0),
        .w_task = ad_vk_stride(plan, op, 1),
        .bias_task = ad_vk_stride(plan, op, 2),
        .scale_task = ad_vk_stride(plan, op, 3),
        .classes = op->g.o,
        .columns = op->g.c,
        .scale = op->f[0],
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_MEAN_HEAD, &push, sizeof push);
    for (int role = 2; role < 4; role++) ad_vk_spec(l, op->t[role] >= 0);
    ad_vk_groups(l, caps, (size_t)op->g.o, op->tasks);
    return true;
}

static bool lower_mean_head_back(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                                 ad_vk_recipe *out) {
    if (variant != 1) return false;
    const bool dscale = op->t[5] >= 0;
    const struct ad_push_mean_head_back push = {
        .mean_task = ad_vk_stride(plan, op, 0),
        .dw_task = ad_vk_stride(plan, op, 1),
        .dbias_task = ad_vk_stride(plan, op, 2),
        .scale_task = ad_vk_stride(plan, op, 3),
        .dmean_task = ad_vk_stride(plan, op, 4),
        .dscale_task = ad_vk_stride(plan, op, 5),
        .classes = op->g.o,
        .columns = op->g.c,
        .scale = op->f[0],
    };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_MEAN_HEAD_BACK, &push, sizeof push);
    for (int role = 2; role < 4; role++) ad_vk_spec(l, op->t[role] >= 0);
    ad_vk_spec(l, dscale);
    ad_vk_groups(l, caps, (size_t)op->g.o, op->tasks);
    if (!dscale) return true;

    out->scratch_bytes = (size_t)op->tasks * (size_t)op->g.o * 4;
    l->bind[6] = AD_VK_SCRATCH;
    l->scratch_write = true;
    l = ad_vk_add(out, op, AD_VK_MEAN_HEAD_DSCALE, &push, sizeof push);
    l->bind[6] = AD_VK_SCRATCH;
    l->scratch_read = true;
    ad_vk_groups(l, caps, 1, op->tasks);
    return true;
}

/* A launch of head_softmax_ce.comp for loss and dlogits, for predicted, or for all of them. */
static void add_softmax(const ad_op *op, const struct ad_push_softmax *push, const ad_vk_caps *caps, bool targets,
                        bool predicted, ad_vk_recipe *out) {
    enum { COUNTER = 2, LOSS, DLOGITS, PREDICTED, MIX, TEACHER };
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_SOFTMAX_CE, push, sizeof *push);
    const bool loss = targets && op->t[LOSS] >= 0, mix = targets && op->t[MIX] >= 0;
    l->bind[3] = loss ? AD_VK_SCRATCH : -1;
    l->scratch_write = loss;
    l->bind[5] = mix ? MIX : PREDICTED;
    l->bind[6] = TEACHER;
    ad_vk_spec(l, op->t[COUNTER] >= 0);
    ad_vk_spec(l, loss);
    ad_vk_spec(l, targets && op->t[DLOGITS] >= 0);
    ad_vk_spec(l, predicted && op->t[PREDICTED] >= 0);
    ad_vk_spec(l, mix);
    ad_vk_spec(l, targets && op->t[TEACHER] >= 0);
    ad_vk_items(l, caps, (size_t)op->g.n, op->tasks);
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
        .taught = op->f[1],
        .temperature = op->f[2],
    };
    const bool targets = loss || dlogits, apart = targets && op->t[6] >= 0; /* mix */
    add_softmax(op, &push, caps, targets, !apart, out);
    if (apart && op->t[5] >= 0) add_softmax(op, &push, caps, false, true, out);
    if (!loss) return true;

    out->scratch_bytes = (size_t)op->tasks * (size_t)op->g.n * 4;
    ad_vk_launch *l = ad_vk_add(out, op, AD_VK_SOFTMAX_LOSS, &push, sizeof push);
    ad_vk_spec(l, op->t[2] >= 0);
    l->bind[6] = AD_VK_SCRATCH;
    l->scratch_read = true;
    ad_vk_groups(l, caps, 1, op->tasks);
    return true;
}

const ad_vk_lowering ad_vk_lowering_LINEAR = {
    .lower = lower_linear, .variants = {"lanes", "texel"}, .preferred = preferred_linear};
const ad_vk_lowering ad_vk_lowering_LINEAR_DX = {
    .lower = lower_linear_dx, .variants = {"single", "spread"}, .preferred = preferred_linear_gradient};
const ad_vk_lowering ad_vk_lowering_LINEAR_DW = {
    .lower = lower_linear_dw, .variants = {"single", "spread"}, .preferred = preferred_linear_gradient};
const ad_vk_lowering ad_vk_lowering_ROW_NORM = {.lower = lower_row_norm, .variants = {"workgroup"}};
const ad_vk_lowering ad_vk_lowering_ROW_NORM_BACK = {.lower = lower_row_norm_back, .variants = {"workgroup"}};
const ad_vk_lowering ad_vk_lowering_CLASS_MEAN = {.lower = lower_class_mean, .variants = {"element"}};
const ad_vk_lowering ad_vk_lowering_CLASS_MEAN_BACK = {.lower = lower_class_mean_back, .variants = {"workgroup"}};
const ad_vk_lowering ad_vk_lowering_MEAN_HEAD = {.lower = lower_mean_head, .variants = {"workgroup"}};
const ad_vk_lowering ad_vk_lowering_MEAN_HEAD_BACK = {.lower = lower_mean_head_back, .variants = {"workgroup"}};
const ad_vk_lowering ad_vk_lowering_SOFTMAX_CE = {.lower = lower_softmax_ce, .variants = {"row"}};
