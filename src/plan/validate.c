/* What an engine relies on (ad_plan_validate). */
#include "plan/activation.h"
#include "plan/plan.h"

/* Whether an operation on atoms knows no groups. */
static bool one_dictionary(int kind) {
    return kind == AD_OP_PACK || kind == AD_OP_ATOMS || kind == AD_OP_ATOMS_DU || kind == AD_OP_ATOMS_DPSI ||
           kind == AD_OP_FUSED_ATOMS || kind == AD_OP_FUSED_ATOMS_DX;
}

/* What ops.def asks of a tensor of type AD_F16. */
static bool may_be_half(const ad_op *op, int role) {
    return ad_op_role_half(op->kind, role) && op->g.o % 4 == 0 &&
           (op->kind != AD_OP_CONV ||
            (op->g.k == 1 && !(op->flags & AD_ACCUMULATE) && ad_groups(&op->g) == 1 && !ad_op_has_epilogue(op)));
}

/* What ops.def asks of the groups and of the epilogue of a convolution. */
static adatom_status check_convolution(adatom_context *ctx, const ad_op *op, int number) {
    const ad_geometry *g = &op->g;
    const bool grouped = op->kind == AD_OP_CONV || op->kind == AD_OP_CONV_DX || op->kind == AD_OP_CONV_DW;
    if (g->groups < 0 ||
        (g->groups > 1 && (!grouped || g->c % (4 * (int64_t)g->groups) || g->o % (4 * (int64_t)g->groups))))
        return ad_fail(ctx, ADATOM_USAGE,
                       "plan: operation %d (%s) cannot convolve %d inputs and %d outputs in %d groups", number,
                       ad_op_name(op->kind), (int)g->c, (int)g->o, (int)g->groups);
    if (ad_op_has_epilogue(op) && (op->flags & AD_ACCUMULATE))
        return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s) cannot add what it scales or activates", number,
                       ad_op_name(op->kind));
    return ADATOM_OK;
}

/* Whether the operation moves windows of k x k over h x w pixels, and whether each of these must have a pixel. */
static bool has_windows(int kind, bool *each) {
    *each = kind == AD_OP_POOL || kind == AD_OP_POOL_BACK;
    switch (kind) {
    case AD_OP_CONV:
    case AD_OP_CONV_DX:
    case AD_OP_CONV_DW:
    case AD_OP_ATOMS:
    case AD_OP_ATOMS_DU:
    case AD_OP_ATOMS_DPSI:
    case AD_OP_DEPTH:
    case AD_OP_DEPTH_DX:
    case AD_OP_DEPTH_DPSI:
    case AD_OP_FUSED_ATOMS:
    case AD_OP_FUSED_ATOMS_DX:
    case AD_OP_DEPTHWISE:
    case AD_OP_DEPTHWISE_DX:
    case AD_OP_DEPTHWISE_DW: return true;
    default: return *each;
    }
}

/* What ops.def says of the padding, for one dimension: `in` pixels, `out` windows. */
static bool padding_fits(const ad_geometry *g, int64_t in, int64_t out, bool each) {
    const int64_t span = (int64_t)g->dil * (g->k - 1) + 1, last = (out - 1) * g->stride - g->pad;
    if (each && (g->pad >= span || last >= in)) return false;
    return last + span - in <= (int64_t)g->pad + AD_MAX(g->stride - 1, 1);
}

static adatom_status check_windows(adatom_context *ctx, const ad_op *op, int number) {
    const ad_geometry *g = &op->g;
    bool each = false;
    if (!has_windows(op->kind, &each)) return ADATOM_OK;
    if (g->n < 1 || g->h < 1 || g->w < 1 || g->oh < 1 || g->ow < 1 || g->k < 1 || g->stride < 1 || g->dil < 1 ||
        g->pad < 0)
        return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s) has no such windows", number, ad_op_name(op->kind));
    if (padding_fits(g, g->h, g->oh, each) && padding_fits(g, g->w, g->ow, each)) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_USAGE,
                   "plan: operation %d (%s) cannot make %dx%d outputs of %dx%d pixels with k %d, stride %d, pad %d, "
                   "dilation %d",
                   number, ad_op_name(op->kind), (int)g->oh, (int)g->ow, (int)g->h, (int)g->w, (int)g->k,
                   (int)g->stride, (int)g->pad, (int)g->dil);
}

static adatom_status check_flags(adatom_context *ctx, const ad_op *op, int number) {
    bool adds = false;
    for (int r = 0; r < AD_OP_TENSORS; r++) adds |= ad_op_role_adds(op->kind, r);
    if ((op->flags & AD_ACCUMULATE) && !adds)
        return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s) cannot add to its results", number,
                       ad_op_name(op->kind));
    const int own = op->kind == AD_OP_GATHER      ? AD_FLIP | AD_TURN | AD_MIRROR
                    : op->kind == AD_OP_CONV      ? AD_FAST | AD_CHAINED
                    : op->kind == AD_OP_CONV_DX   ? AD_FAST
                    : op->kind == AD_OP_CONV_DW   ? AD_FAST
                    : op->kind == AD_OP_DEPTHWISE ? AD_CHAINED
                                                  : 0;
    if (op->flags & ~(AD_ACCUMULATE | own))
        return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s) has no flags %#x", number, ad_op_name(op->kind),
                       (unsigned)op->flags);
    if ((op->flags & AD_TURN) && op->g.h != op->g.w)
        return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (gather) cannot turn pictures of %dx%d pixels", number,
                       (int)op->g.h, (int)op->g.w);
    if ((op->flags & AD_MIRROR) && (op->g.n % 2 != 0 || (op->flags & AD_TURN)))
        return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (gather) cannot make %d pictures that are mirrored%s",
                       number, (int)op->g.n, op->flags & AD_TURN ? " and turned" : "");
    return ADATOM_OK;
}

/* The operation can have its activation, and what the derivative of this is taken from is there. */
static adatom_status check_activation(adatom_context *ctx, const ad_op *op, int number) {
    const int act = ad_op_act(op);
    const bool pool =
        op->kind == AD_OP_AFFINE_POOL || op->kind == AD_OP_AFFINE_POOL_BACK || op->kind == AD_OP_AFFINE_POOL_SUMS;
    if (act < 0 || act >= AD_ACT_COUNT || (pool && act > AD_ACT_RELU6))
        return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s) cannot have activation %d", number,
                       ad_op_name(op->kind), act);
    if (op->kind != AD_OP_AFFINE_BACK && op->kind != AD_OP_AFFINE_SUMS) return ADATOM_OK;
    const bool back = op->kind == AD_OP_AFFINE_BACK, by_output = ad_act_by_output(act);
    const int y = back ? op->t[0] : op->t[1], x = back ? op->t[3] : op->t[0];
    if (by_output ? y < 0 : x < 0)
        return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s) with activation %s lacks %s", number,
                       ad_op_name(op->kind), ad_act_name(act), by_output ? "y" : "x");
    if (back && !by_output && op->t[5] >= 0)
        return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s) with activation %s cannot have dresidual", number,
                       ad_op_name(op->kind), ad_act_name(act));
    return ADATOM_OK;
}

static adatom_status check_copy(adatom_context *ctx, const ad_op *op, int number) {
    if (op->kind != AD_OP_COPY || (op->i[0] >= 0 && op->i[0] % 4 == 0)) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (copy) cannot begin at element %d", number, (int)op->i[0]);
}

static adatom_status check_blocks(adatom_context *ctx, const ad_op *op, int number) {
    const ad_geometry *g = &op->g;
    if (op->kind != AD_OP_DROP_MASK || (op->i[0] >= 1 && op->i[0] <= g->h && op->i[0] <= g->w && op->i[1] >= 0 &&
                                        g->c % 4 == 0 && op->f[0] >= 0 && op->f[0] <= 1))
        return ADATOM_OK;
    return ad_fail(ctx, ADATOM_USAGE,
                   "plan: operation %d (drop-mask) cannot drop %g of %dx%d pixels, %d channels, in blocks of side %d, "
                   "over %d steps",
                   number, (double)op->f[0], (int)g->h, (int)g->w, (int)g->c, (int)op->i[0], (int)op->i[1]);
}

static adatom_status check_teacher(adatom_context *ctx, const ad_op *op, int number) {
    enum { TEACHER = 7 };
    if (op->kind != AD_OP_SOFTMAX_CE || op->t[TEACHER] < 0 || op->f[2] > 0) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (softmax-ce) cannot learn from a teacher at temperature %g",
                   number, (double)op->f[2]);
}

static adatom_status check_task_sum(adatom_context *ctx, const ad_plan *plan, const ad_op *op, int number) {
    enum { X, Y };
    if (op->kind != AD_OP_TASK_SUM) return ADATOM_OK;
    const ad_tensor *x = &plan->tensors[op->t[X]], *y = &plan->tensors[op->t[Y]];
    if (op->tasks != 1 || y->stride)
        return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (task-sum) is run once, for a y that all tasks share",
                       number);
    /* A lane holds the task that was there last; that of a single task holds it. */
    const int copies = !x->stride ? 1 : !x->lane || plan->tasks == 1 ? plan->tasks : 0;
    if (op->i[0] >= 1 && op->i[0] <= copies) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (task-sum) cannot sum %d tasks, x '%s' is of %d", number,
                   (int)op->i[0], x->name, copies);
}

static adatom_status check_type(adatom_context *ctx, const ad_plan *plan, const ad_op *op, int number, int role) {
    static const char *const types[] = {
        [AD_F32] = "floats", [AD_I32] = "integers", [AD_U8] = "bytes", [AD_F16] = "half precision"};
    const ad_tensor *t = &plan->tensors[op->t[role]];
    const ad_type type = ad_op_role_type(op->kind, role);
    const char *name = "";
    int length = 0;
    if (t->type == type || (t->type == AD_F16 && may_be_half(op, role))) return ADATOM_OK;
    ad_op_role(op->kind, role, NULL, &name, &length);
    if (t->type == AD_F16)
        return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s): %.*s '%s' cannot be in half precision", number,
                       ad_op_name(op->kind), length, name, t->name);
    return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s): %.*s must be of %s, '%s' is of %s", number,
                   ad_op_name(op->kind), length, name, types[type], t->name, types[t->type]);
}

/* What is written shares no memory with another operand, but where ops.def says so. */
static adatom_status check_aliasing(adatom_context *ctx, const ad_plan *plan, const ad_op *op, int number) {
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        if (ad_op_access(op, r) < AD_WRITE) continue;
        for (int other = 0; other < AD_OP_TENSORS; other++) {
            if (other == r || op->t[other] < 0) continue;
            const ad_tensor *a = &plan->tensors[op->t[r]], *b = &plan->tensors[op->t[other]];
            if (!ad_tensors_overlap(plan, a, b) ||
                (a == b && ad_op_access(op, other) == AD_READ && ad_op_role_same(op->kind, r, other)))
                continue;
            const char *name = "", *other_name = "";
            int length = 0, other_length = 0;
            if (ad_op_role(op->kind, other, NULL, &other_name, &other_length) == AD_ACCESS_NONE) continue;
            ad_op_role(op->kind, r, NULL, &name, &length);
            return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s): %.*s '%s' must not share memory with %.*s '%s'",
                           number, ad_op_name(op->kind), length, name, a->name, other_length, other_name, b->name);
        }
    }
    return ADATOM_OK;
}

adatom_status ad_plan_validate(adatom_context *ctx, const ad_plan *plan) {
    if (plan->tasks < 1 || plan->tasks > AD_MOST_TASKS)
        return ad_fail(ctx, ADATOM_USAGE, "plan: %d tasks, 1 to %d are possible", plan->tasks, AD_MOST_TASKS);
    for (int i = 0; i < plan->tensor_count; i++) {
        const ad_tensor *t = &plan->tensors[i];
        if (t->arena < 0 || t->arena >= plan->arena_count || t->offset % AD_TENSOR_ALIGN_BYTES ||
            t->offset + ad_tensor_bytes(t, ad_tensor_copies(plan, t)) > plan->arenas[t->arena].bytes ||
            (t->stride && t->stride < t->count))
            return ad_fail(ctx, ADATOM_USAGE, "plan: tensor %d '%s' does not lie in its arena", i, t->name);
        if (t->lane && (plan->lanes < 1 || t->stride == 0))
            return ad_fail(ctx, ADATOM_USAGE, "plan: tensor %d '%s' is of a lane, the plan has none", i, t->name);
    }
    for (int i = 0; i < plan->op_count; i++) {
        const ad_op *op = &plan->ops[i];
        if (op->kind >= AD_OP_COUNT || (op->tasks != 1 && op->tasks != plan->tasks))
            return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d has no such kind or tasks", i);
        const int32_t group = op->g.group;
        if (group && (group < 0 || group % 4 || op->g.c % group || op->g.o % group || one_dictionary(op->kind)))
            return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s) cannot have groups of %d channels", i,
                           ad_op_name(op->kind), (int)group);
        for (int r = 0; r < AD_OP_TENSORS; r++) {
            bool optional = true;
            const char *role = "";
            int length = 0;
            ad_access access = ad_op_role(op->kind, r, &optional, &role, &length);
            if (access == AD_ACCESS_NONE) break;
            if (op->t[r] < 0) {
                if (optional) continue;
                return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s) lacks %.*s", i, ad_op_name(op->kind), length,
                               role);
            }
            if (op->t[r] >= plan->tensor_count)
                return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s): no tensor %d", i, ad_op_name(op->kind),
                               op->t[r]);
            const ad_tensor *t = &plan->tensors[op->t[r]];
            size_t need = ad_op_elements(op, r);
            if (t->count < need)
                return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s): %.*s '%s' has %zu elements, %zu needed", i,
                               ad_op_name(op->kind), length, role, t->name, t->count, need);
            const adatom_status status = check_type(ctx, plan, op, i, r);
            if (status != ADATOM_OK) return status;
        }
        adatom_status status = check_copy(ctx, op, i);
        if (status == ADATOM_OK) status = check_teacher(ctx, op, i);
        if (status == ADATOM_OK) status = check_blocks(ctx, op, i);
        if (status == ADATOM_OK) status = check_windows(ctx, op, i);
        if (status == ADATOM_OK) status = check_convolution(ctx, op, i);
        if (status == ADATOM_OK) status = check_flags(ctx, op, i);
        if (status == ADATOM_OK) status = check_activation(ctx, op, i);
        if (status == ADATOM_OK) status = check_aliasing(ctx, plan, op, i);
        if (status == ADATOM_OK) status = check_task_sum(ctx, plan, op, i);
        if (status != ADATOM_OK) return status;
    }
    return ad_plan_check_chains(ctx, plan);
}
