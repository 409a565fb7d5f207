/* A case as a plan that an engine can run, and the numbers that its operands hold. */
#include "verify/case_list.h"

#include "base/half.h"
#include "plan/activation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

ad_plan *ad_case_plan(adatom_context *ctx, const ad_case *c, int *whole) {
    ad_plan *plan = ad_plan_create(ctx, c->tasks);
    if (!plan) return NULL;
    plan->lanes = c->tasks; /* no tensor is of a lane, so that nothing shares memory */
    const int arena = ad_plan_arena(ctx, plan, false);
    ad_op *op = arena < 0 ? NULL : ad_plan_op(ctx, plan, AD_SEGMENT_STEP, c->op.kind);
    if (!op) goto failed;
    *op = c->op;
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        const char *name = NULL;
        int length = 0;
        if (c->op.t[r] < 0) continue;
        if (c->op.t[r] != r) {
            op->t[r] = op->t[c->op.t[r]];
            continue;
        }
        char text[40];
        ad_op_role(c->op.kind, r, NULL, &name, &length);
        snprintf(text, sizeof text, "%.*s", length, name);
        plan->arenas[arena].bytes += AD_CASE_GUARD;
        const ad_type type = c->half >> r & 1 ? AD_F16 : ad_op_role_type(c->op.kind, r);
        const int tensor = ad_plan_tensor(ctx, plan, text, type, arena, c->count[r], !(c->shared >> r & 1));
        if (tensor < 0) goto failed;
        op->t[r] = (int16_t)tensor;
    }
    const size_t bytes = (plan->arenas[arena].bytes + 3) / 4 * 4 + AD_CASE_GUARD;
    *whole = ad_plan_tensor(ctx, plan, "arena", AD_U8, arena, bytes, false);
    if (*whole < 0) goto failed;
    plan->tensors[*whole].offset = 0;
    plan->arenas[arena].bytes = bytes;
    return plan;
failed:
    ad_plan_destroy(&plan);
    return NULL;
}

/* Element e of row `row` of logits that are not finite: of five rows one is whole, one holds zeros only, and the others
 * hold a NaN and an infinity of either sign. Otherwise `any`. */
static float logit_not_finite(size_t e, size_t classes, float any) {
    const size_t row = e / classes % 5, column = e % classes;
    if (row == 4) return 0;
    if (row == 0 || column != row % classes) return any;
    return row == 1 ? NAN : row == 2 ? INFINITY : -INFINITY;
}

/* Element e of a table of mixtures. Where h and w are known some boxes are empty and some are whole pictures. */
static float mixture(const ad_geometry *g, size_t e, bool integers, ad_random *random) {
    const int column = (int)(e % AD_MIX_COLUMNS), side = column <= AD_MIX_BOTTOM ? g->h : g->w;
    if (column == AD_MIX_LAMBDA || column >= AD_MIX_SHARE)
        return integers ? (float)ad_random_below(random, 5) / 4 : ad_random_uniform(random);
    const bool end = column == AD_MIX_BOTTOM || column == AD_MIX_RIGHT;
    const int at = (int)ad_random_below(random, (uint32_t)(side / 2 + 1));
    return (float)(end ? side - at : at);
}

/* A number for element e of a role. ops.def gives some roles a narrower meaning than "numbers", and some operations
 * need numbers that tell a sound kernel from a simpler one. */
static float number_of(const ad_case *c, int role, size_t e, bool integers, ad_random *random) {
    const int kind = c->op.kind;
    const size_t channels = (size_t)c->op.g.c, outputs = (size_t)c->op.g.o;
    const float any = integers ? (float)ad_random_below(random, 7) - 3 : 2 * ad_random_uniform(random) - 1;
    const float positive = integers ? 1 + (float)ad_random_below(random, 3) : 0.01f + 3 * ad_random_uniform(random);
    const bool by_position = kind == AD_OP_LAYER_NORM_BACK || kind == AD_OP_LAYER_NORM_SUMS; /* mean, 1/deviation */
    const bool is_variance = ad_case_role_is(kind, role, "stats") && (by_position ? e % 2 == 1 : e >= channels);
    if (is_variance || ad_case_role_is(kind, role, "second") || ad_case_role_is(kind, role, "inverse") ||
        ad_case_role_is(kind, role, "norms"))
        return positive;
    /* Too large for a result in half precision. */
    if (kind == AD_OP_CONV && c->half && ad_case_role_is(kind, role, "bias") && e % 4 == 1)
        return any < 0 ? -7e4f : 7e4f;
    /* Some channels are dropped as a whole. */
    if (ad_case_role_is(kind, role, "mask")) return ad_random_below(random, 4) ? 1 : 0;
    if (kind == AD_OP_DROP_APPLY && ad_case_role_is(kind, role, "stats")) return e % 5 == 2 ? 0 : positive / 4;
    if (ad_case_role_is(kind, role, "schedule")) return 0.02f + 0.9f * ad_random_uniform(random);
    if (ad_case_role_is(kind, role, "mix")) return mixture(&c->op.g, e, integers, random);
    if (ad_case_role_is(kind, role, "teacher")) return integers ? any : 30 * any;
    if (ad_case_role_is(kind, role, "logits")) {
        const float logit = integers ? any : 30 * any;
        return c->lost ? logit_not_finite(e, outputs, logit) : logit;
    }
    if (c->lost && e % 7 == 3 &&
        (ad_case_role_is(kind, role, "x") || ad_case_role_is(kind, role, "residual") ||
         ad_case_role_is(kind, role, "dy")))
        return NAN;
    /* Numbers on both sides of every place where the activation changes, and outputs that it has. */
    const int act = ad_op_act(&c->op);
    if (act > AD_ACT_LEAKY && ad_case_role_is(kind, role, "x")) return (integers ? 2 : 6) * any;
    if (act == AD_ACT_RELU6 && ad_case_role_is(kind, role, "y"))
        return fminf(fmaxf(integers ? 2 * any : 8 * any, 0), 6);
    /* Means far from zero, for which E[x^2] - E[x]^2 is too inexact. */
    if (kind == AD_OP_BN_STATS && !integers) return any + 300 * (float)(e % channels % 4);
    if (kind == AD_OP_LAYER_NORM && !integers && ad_case_role_is(kind, role, "x"))
        return any + 300 * (float)(e / channels % 4);
    /* A row and a channel without direction. */
    if (kind == AD_OP_ROW_NORM && c->op.g.n > 1 && e < channels) return 0;
    if (kind == AD_OP_WEIGHT_NORM && e % outputs == 0) return 0;
    return any;
}

/* v as a half. Numbers that devices may flush to zero are zero. */
static uint16_t half_of(float v) { return v > -0x1p-14f && v < 0x1p-14f ? 0 : ad_half_from_float(v); }

static int32_t integer_of(const ad_case *c, int role, ad_random *random) {
    const ad_op *op = &c->op;
    if (ad_case_role_is(op->kind, role, "counter")) return c->counter;
    if (ad_case_role_is(op->kind, role, "labels")) {
        if (!c->unlabelled || ad_random_below(random, (uint32_t)c->unlabelled))
            return (int32_t)ad_random_below(random, (uint32_t)op->g.o);
        /* To SOFTMAX_CE only negative ones are of no class. */
        const int32_t past = (int32_t)ad_random_below(random, 2);
        return op->kind != AD_OP_SOFTMAX_CE && past ? op->g.o + past - 1 : -1 - past;
    }
    if (ad_case_role_is(op->kind, role, "draw")) return (int32_t)ad_random_below(random, UINT32_MAX);
    if (ad_case_role_is(op->kind, role, "winner")) {
        /* The tap numbers of four channels. */
        uint32_t taps = 0;
        for (int b = 0; b < 4; b++) taps |= ad_random_below(random, (uint32_t)(op->g.k * op->g.k)) << 8 * b;
        return (int32_t)taps;
    }
    /* The role is an index; now and then it lies outside the chunk. */
    return op->i[0] - 1 + (int32_t)ad_random_below(random, (uint32_t)op->i[1] + 2);
}

void ad_case_fill(const ad_case *c, const ad_plan *plan, uint64_t seed, bool integers, uint8_t *image) {
    const uint32_t nothing = AD_CASE_NAN;
    for (size_t at = 0; at + 4 <= plan->arenas[0].bytes; at += 4) memcpy(image + at, &nothing, 4);
    const uint32_t name = (uint32_t)ad_hash(c->shape, strlen(c->shape), c->op.kind);
    ad_random random = ad_random_make(seed, AD_STREAM_CHECK, name);
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        if (c->op.t[r] != r || ad_op_access(&c->op, r) == AD_WRITE) continue;
        /* The first step finds a velocity that was never written. */
        if (c->op.kind == AD_OP_SGD && ad_case_role_is(AD_OP_SGD, r, "velocity") && c->counter == 0) continue;
        const ad_tensor *t = &plan->tensors[plan->ops[0].t[r]];
        for (int task = 0; task < (t->stride ? c->tasks : 1); task++)
            for (size_t e = 0; e < t->count; e++) {
                uint8_t *at = image + t->offset + ((size_t)task * t->stride + e) * ad_type_bytes(t->type);
                if (t->type == AD_U8)
                    *at = (uint8_t)ad_random_below(&random, 256);
                else if (t->type == AD_I32)
                    memcpy(at, &(int32_t){integer_of(c, r, &random)}, 4);
                else if (t->type == AD_F16)
                    memcpy(at, &(uint16_t){half_of(number_of(c, r, e, integers, &random))}, 2);
                else
                    memcpy(at, &(float){number_of(c, r, e, integers, &random)}, 4);
            }
    }
}
