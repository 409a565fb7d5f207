#include "verify/case_list.h"
#include "plan/activation.h"

#include <stdio.h>
#include <string.h>

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

bool ad_case_never_tasked(int kind, int role) {
    static const char *const names[] = {"index", "labels",   "counter", "predicted", "loss", "data",
                                        "table", "schedule", "norm",    "draw",      "mix",  "teacher"};
    for (size_t n = 0; n < AD_COUNT(names); n++)
        if (ad_case_role_is(kind, role, names[n])) return true;
    return false;
}

ad_geometry ad_case_geometry(ad_geometry g) {
    g.k = AD_MAX(g.k, 1);
    g.stride = AD_MAX(g.stride, 1);
    g.dil = AD_MAX(g.dil, 1);
    if (g.pad == AD_CASE_SAME) {
        g.oh = (g.h + g.stride - 1) / g.stride;
        g.ow = (g.w + g.stride - 1) / g.stride;
        g.pad = AD_MAX((g.oh - 1) * g.stride + g.dil * (g.k - 1) + 1 - g.h, 0) / 2;
        return g;
    }
    g.oh = (g.h + 2 * g.pad - g.dil * (g.k - 1) - 1) / g.stride + 1;
    g.ow = (g.w + 2 * g.pad - g.dil * (g.k - 1) - 1) / g.stride + 1;
    return g;
}

/* Whether a case has the role only where it asks for it: what follows the sum of a convolution; what makes targets of
 * more than labels. */
static bool is_more(int kind, int role) {
    return (kind == AD_OP_CONV && (ad_case_role_is(kind, role, "coef") || ad_case_role_is(kind, role, "residual"))) ||
           (kind == AD_OP_SOFTMAX_CE && (ad_case_role_is(kind, role, "mix") || ad_case_role_is(kind, role, "teacher")));
}

ad_case ad_case_of(int kind, int tasks, ad_geometry g) {
    ad_case c = {.op = {.kind = (uint16_t)kind, .tasks = (int16_t)tasks, .g = g}, .tasks = tasks};
    for (int r = 0; r < AD_OP_TENSORS; r++) c.op.t[r] = -1;
    for (int r = 0; ad_op_role(kind, r, NULL, NULL, NULL) != AD_ACCESS_NONE; r++) {
        c.op.t[r] = (int16_t)r;
        if (ad_case_never_tasked(kind, r)) ad_case_share(&c, r);
    }
    for (int r = 0; r < AD_OP_TENSORS; r++)
        if (is_more(kind, r)) ad_case_absent(&c, r);
    return c;
}

void ad_case_present(ad_case *c, int role) { c->op.t[role] = (int16_t)role; }

void ad_case_absent(ad_case *c, int role) { c->op.t[role] = -1; }
void ad_case_share(ad_case *c, int role) { c->shared |= 1u << role; }

void ad_case_activate(ad_case *c, int act) {
    c->op.i[0] = act;
    c->op.f[0] = act == AD_ACT_LEAKY ? 0.25f : 0;
}

void ad_case_activate_back(ad_case *c, int act) {
    enum { Y, DRESIDUAL = 5, COEF, SUMS_Y = 1, SUMS_COEF = 5 };
    const bool back = c->op.kind == AD_OP_AFFINE_BACK;
    ad_case_activate(c, act);
    if (ad_act_by_output(act)) {
        ad_case_absent(c, back ? COEF : SUMS_COEF);
        return;
    }
    ad_case_absent(c, back ? Y : SUMS_Y);
    if (back) ad_case_absent(c, DRESIDUAL);
}

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
    } sizes[] = {{"t", c->tasks}, {"n", g->n},     {"h", g->h},     {"w", g->w},      {"c", g->c},
                 {"o", g->o},     {"m", g->m},     {"k", g->k},     {"s", g->stride}, {"p", g->pad},
                 {"d", g->dil},   {"g", g->group}, {"G", g->groups}};
    char *text = c->shape;
    for (size_t s = 0; s < AD_COUNT(sizes); s++) {
        char number[16];
        snprintf(number, sizeof number, "%d", sizes[s].value);
        if (sizes[s].value) append(text, sizeof c->shape, number, 16, sizes[s].letter);
    }
    if (g->oh > 0 && g->k > 0) {
        const ad_geometry even = ad_case_geometry(*g);
        char outputs[32];
        snprintf(outputs, sizeof outputs, "%dx%d", g->oh, g->ow);
        if (even.oh != g->oh || even.ow != g->ow) append(text, sizeof c->shape, outputs, 32, "to");
    }
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        const char *name = NULL, *other = NULL;
        int length = 0, other_length = 0;
        if (ad_op_role(c->op.kind, r, NULL, &name, &length) == AD_ACCESS_NONE) break;
        const bool more = is_more(c->op.kind, r);
        if (more && c->op.t[r] >= 0) append(text, sizeof c->shape, name, length, "with-");
        if (c->op.t[r] < 0 && !more)
            append(text, sizeof c->shape, name, length, "no-");
        else if (c->op.t[r] >= 0 && c->op.t[r] != r) {
            ad_op_role(c->op.kind, c->op.t[r], NULL, &other, &other_length);
            append(text, sizeof c->shape, name, length, "");
            append(text, sizeof c->shape, other, other_length, "in-");
        } else if (c->op.t[r] >= 0 && (c->shared >> r & 1) && !ad_case_never_tasked(c->op.kind, r) && c->tasks > 1)
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
