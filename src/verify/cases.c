#include "verify/cases.h"

#include "base/half.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

adatom_status ad_case_list_make(adatom_context *ctx, ad_case_list *out) {
    *out = (ad_case_list){.ctx = ctx};
    ad_cases_conv(out);
    ad_cases_norm(out);
    ad_cases_fused(out);
    ad_cases_fused_atoms(out);
    ad_cases_other(out);
    return out->failed ? ADATOM_OUT_OF_MEMORY : ADATOM_OK;
}

void ad_case_list_clear(ad_case_list *list) {
    ad_free(list->cases);
    *list = (ad_case_list){.ctx = list->ctx};
}

bool ad_case_role_is(int kind, int role, const char *name) {
    const char *at = NULL;
    int length = 0;
    return ad_op_role(kind, role, NULL, &at, &length) != AD_ACCESS_NONE && strlen(name) == (size_t)length &&
           memcmp(at, name, (size_t)length) == 0;
}

static bool role_is_one_of(int kind, int role, const char *const *names, size_t count) {
    for (size_t n = 0; n < count; n++)
        if (ad_case_role_is(kind, role, names[n])) return true;
    return false;
}

ad_type ad_case_type(int kind, int role) {
    static const char *const integers[] = {"index", "labels", "counter", "predicted", "winner"};
    if (ad_case_role_is(kind, role, "data")) return AD_U8;
    return role_is_one_of(kind, role, integers, AD_COUNT(integers)) ? AD_I32 : AD_F32;
}

bool ad_case_never_tasked(int kind, int role) {
    static const char *const names[] = {"index", "labels", "counter",  "predicted", "loss",
                                        "data",  "table",  "schedule", "norm"};
    return role_is_one_of(kind, role, names, AD_COUNT(names));
}

ad_geometry ad_case_geometry(int n, int h, int w, int c, int o, int k, int stride, int pad, int dil, int m) {
    return (ad_geometry){.n = n,
                         .h = h,
                         .w = w,
                         .c = c,
                         .o = o,
                         .k = k,
                         .stride = stride,
                         .pad = pad,
                         .dil = dil,
                         .m = m,
                         .oh = (h + 2 * pad - dil * (k - 1) - 1) / stride + 1,
                         .ow = (w + 2 * pad - dil * (k - 1) - 1) / stride + 1};
}

ad_geometry ad_case_shape_geometry(const ad_case_shape *s) {
    return ad_case_geometry(s->n, s->h, s->w, s->c, s->o, s->k, s->stride, s->pad, s->dil, s->m);
}

ad_case ad_case_of(int kind, int tasks, ad_geometry g) {
    ad_case c = {.op = {.kind = (uint16_t)kind, .tasks = (int16_t)tasks, .g = g}, .tasks = tasks};
    for (int r = 0; r < AD_OP_TENSORS; r++) c.op.t[r] = -1;
    for (int r = 0; ad_op_role(kind, r, NULL, NULL, NULL) != AD_ACCESS_NONE; r++) {
        c.op.t[r] = (int16_t)r;
        if (ad_case_never_tasked(kind, r)) ad_case_share(&c, r);
    }
    return c;
}

void ad_case_absent(ad_case *c, int role) { c->op.t[role] = -1; }
void ad_case_share(ad_case *c, int role) { c->shared |= 1u << role; }
void ad_case_halve(ad_case *c, int role) { c->half |= 1u << role; }
void ad_case_alias(ad_case *c, int role, int with) { c->op.t[role] = (int16_t)with; }

static void append(char *text, size_t size, const char *word, int length, const char *prefix) {
    const size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s%.*s", used ? " " : "", prefix, length, word);
}

static void describe(ad_case *c, const char *words) {
    const ad_geometry *g = &c->op.g;
    const struct {
        const char *letter;
        int value;
    } sizes[] = {{"t", c->tasks}, {"n", g->n}, {"h", g->h},      {"w", g->w},   {"c", g->c},   {"o", g->o},
                 {"m", g->m},     {"k", g->k}, {"s", g->stride}, {"p", g->pad}, {"d", g->dil}, {"g", g->group}};
    char *text = c->shape;
    for (size_t s = 0; s < AD_COUNT(sizes); s++) {
        char number[16];
        snprintf(number, sizeof number, "%d", sizes[s].value);
        if (sizes[s].value) append(text, sizeof c->shape, number, 16, sizes[s].letter);
    }
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        const char *name = NULL, *other = NULL;
        int length = 0, other_length = 0;
        if (ad_op_role(c->op.kind, r, NULL, &name, &length) == AD_ACCESS_NONE) break;
        if (c->op.t[r] < 0)
            append(text, sizeof c->shape, name, length, "no-");
        else if (c->op.t[r] != r) {
            ad_op_role(c->op.kind, c->op.t[r], NULL, &other, &other_length);
            append(text, sizeof c->shape, name, length, "");
            append(text, sizeof c->shape, other, other_length, "in-");
        } else if ((c->shared >> r & 1) && !ad_case_never_tasked(c->op.kind, r) && c->tasks > 1)
            append(text, sizeof c->shape, name, length, "shared-");
        if (c->half >> r & 1) append(text, sizeof c->shape, name, length, "half-");
    }
    if (c->op.flags & AD_ACCUMULATE) append(text, sizeof c->shape, "accumulate", 10, "");
    if (words) append(text, sizeof c->shape, words, (int)strlen(words), "");
}

void ad_case_add(ad_case_list *list, ad_case c, bool quick, const char *words) {
    if (list->failed) return;
    if (list->count == list->capacity) {
        const int capacity = AD_MAX(256, 2 * list->capacity);
        ad_case *grown = ad_realloc(list->ctx, list->cases, (size_t)list->count, (size_t)capacity, sizeof *grown);
        if (!grown) {
            list->failed = true;
            return;
        }
        list->cases = grown;
        list->capacity = capacity;
    }
    c.quick = quick;
    for (int r = 0; r < AD_OP_TENSORS; r++)
        if (c.op.t[r] >= 0 && c.count[r] == 0) c.count[r] = ad_op_elements(&c.op, r);
    describe(&c, words);
    list->cases[list->count++] = c;
}

ad_plan *ad_case_plan(adatom_context *ctx, const ad_case *c, int *whole) {
    ad_plan *plan = ad_plan_create(ctx, c->tasks);
    if (!plan) return NULL;
    plan->lanes = c->tasks; /* no tensor is of a lane: nothing shares memory */
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
        const ad_type type = c->half >> r & 1 ? AD_F16 : ad_case_type(c->op.kind, r);
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

/* Operands that ops.def gives a narrower meaning than "numbers". */
static float number(const ad_case *c, int role, size_t e, bool integers, ad_random *random) {
    const int kind = c->op.kind;
    const size_t channels = (size_t)c->op.g.c;
    const float any = integers ? (float)ad_random_below(random, 7) - 3 : 2 * ad_random_uniform(random) - 1;
    const float positive = integers ? 1 + (float)ad_random_below(random, 3) : 0.01f + 3 * ad_random_uniform(random);
    if (ad_case_role_is(kind, role, "stats") && e >= channels) return positive; /* a variance */
    if (ad_case_role_is(kind, role, "second") || ad_case_role_is(kind, role, "inverse") ||
        ad_case_role_is(kind, role, "norms"))
        return positive;
    if (kind == AD_OP_CONV && c->half && ad_case_role_is(kind, role, "bias") && e % 4 == 1)
        return any < 0 ? -7e4f : 7e4f; /* too large */
    if (ad_case_role_is(kind, role, "schedule")) return 0.02f + 0.9f * ad_random_uniform(random);
    if (c->lost &&
        ad_case_role_is(kind, role,
                        "logits")) { /* of five rows one is whole, one all zero, and one each has NaN, +-infinity */
        const size_t row = e / (size_t)c->op.g.o % 5, column = e % (size_t)c->op.g.o;
        if (row == 4) return 0;
        if (row && column == row % (size_t)c->op.g.o) return row == 1 ? NAN : row == 2 ? INFINITY : -INFINITY;
    }
    if (c->lost && e % 7 == 3 &&
        (ad_case_role_is(kind, role, "x") || ad_case_role_is(kind, role, "residual") ||
         ad_case_role_is(kind, role, "dy")))
        return NAN;
    if (ad_case_role_is(kind, role, "logits") && !integers) return 30 * any;
    if (kind == AD_OP_BN_STATS && !integers)
        return any + 300 * (float)(e % channels % 4);                      /* E[x^2] - E[x]^2 would not do */
    if (kind == AD_OP_ROW_NORM && c->op.g.n > 1 && e < channels) return 0; /* a row without direction */
    if (kind == AD_OP_WEIGHT_NORM && e % (size_t)c->op.g.o == 0) return 0; /* a channel without direction */
    return any;
}

/* A half; what devices may take for zero is zero. */
static uint16_t half(float v) { return v > -0x1p-14f && v < 0x1p-14f ? 0 : ad_half_from_float(v); }

static int32_t integer(const ad_case *c, int role, ad_random *random) {
    const ad_op *op = &c->op;
    if (ad_case_role_is(op->kind, role, "counter")) return c->counter;
    if (ad_case_role_is(op->kind, role, "labels")) return (int32_t)ad_random_below(random, (uint32_t)op->g.o);
    if (ad_case_role_is(op->kind, role, "winner")) { /* four tap numbers */
        uint32_t taps = 0;
        for (int b = 0; b < 4; b++) taps |= ad_random_below(random, (uint32_t)(op->g.k * op->g.k)) << 8 * b;
        return (int32_t)taps;
    }
    return op->i[0] - 1 +
           (int32_t)ad_random_below(random, (uint32_t)op->i[1] + 2); /* index: now and then outside the chunk */
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
                    memcpy(at, &(int32_t){integer(c, r, &random)}, 4);
                else if (t->type == AD_F16)
                    memcpy(at, &(uint16_t){half(number(c, r, e, integers, &random))}, 2);
                else
                    memcpy(at, &(float){number(c, r, e, integers, &random)}, 4);
            }
    }
}
