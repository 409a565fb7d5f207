/* AFFINE_POOL, AFFINE_POOL_BACK, AFFINE_POOL_SUMS. */
#include "plan/activation.h"
#include "verify/cases/families.h"

#include <stdio.h>

static const struct {
    bool quick;
    int tasks, n, h, w, c, k;
} shapes[] =
    {
        {true, 1, 2, 8, 8, 8, 2},     {true, 3, 1, 9, 7, 4, 2},   {true, 1, 1, 7, 10, 12, 3},
        {false, 3, 2, 21, 21, 64, 2}, {false, 1, 1, 5, 5, 68, 1}, {false, 1, 2, 15, 33, 4, 15},
        {false, 1, 8, 40, 41, 4, 2}, /* a reduction in many parts */
};

static ad_case of(int kind, size_t s) {
    return ad_case_of(kind, shapes[s].tasks,
                      ad_case_geometry((ad_geometry){.n = shapes[s].n,
                                                     .h = shapes[s].h,
                                                     .w = shapes[s].w,
                                                     .c = shapes[s].c,
                                                     .o = shapes[s].c,
                                                     .k = shapes[s].k,
                                                     .stride = shapes[s].k}));
}

static void add(ad_case_list *list, ad_case c, size_t s, int activation) {
    ad_case_activate(&c, activation);
    ad_case_add(list, c, shapes[s].quick, ad_act_name(activation));
}

static void add_forward(ad_case_list *list, size_t s) {
    enum { X, COEF, RESIDUAL, Y, WINNER };
    const ad_case full = of(AD_OP_AFFINE_POOL, s);
    ad_case c = full;
    add(list, c, s, AD_ACT_LEAKY);
    ad_case_absent(&c, RESIDUAL);
    add(list, c, s, AD_ACT_RELU);
    add(list, c, s, AD_ACT_NONE);
    ad_case_absent(&c, WINNER);
    if (shapes[s].tasks > 1) ad_case_share(&c, COEF);
    add(list, c, s, AD_ACT_RELU);
    ad_case_absent(&c, COEF);
    add(list, c, s, AD_ACT_LEAKY);
    c = full;
    ad_case_absent(&c, COEF);
    add(list, c, s, AD_ACT_RELU);
    ad_case_absent(&c, WINNER);
    add(list, c, s, AD_ACT_RELU);
    add(list, full, s, AD_ACT_RELU6);
}

static void add_back(ad_case_list *list, size_t s) {
    enum { Y, WINNER, DY, BACK, X, DX, DRESIDUAL };
    const ad_case full = of(AD_OP_AFFINE_POOL_BACK, s);
    ad_case c = full;
    add(list, c, s, AD_ACT_LEAKY);
    c.op.flags = AD_ACCUMULATE;
    add(list, c, s, AD_ACT_RELU);
    c = full;
    ad_case_absent(&c, DRESIDUAL);
    add(list, c, s, AD_ACT_RELU);
    ad_case_absent(&c, X);
    if (shapes[s].tasks > 1) ad_case_share(&c, BACK);
    add(list, c, s, AD_ACT_LEAKY);
    ad_case_absent(&c, BACK);
    add(list, c, s, AD_ACT_NONE);
    c = full;
    ad_case_absent(&c, X);
    add(list, c, s, AD_ACT_RELU);
    c.op.flags = AD_ACCUMULATE;
    ad_case_absent(&c, BACK);
    add(list, c, s, AD_ACT_NONE);
    ad_case_absent(&c, DX);
    add(list, c, s, AD_ACT_LEAKY);
    add(list, full, s, AD_ACT_RELU6);
}

static void add_sums(ad_case_list *list, size_t s) {
    ad_case c = of(AD_OP_AFFINE_POOL_SUMS, s);
    for (int activation = AD_ACT_NONE; activation <= AD_ACT_RELU6; activation++) add(list, c, s, activation);
    if (shapes[s].tasks == 1) return;
    ad_case_share(&c, 4);
    add(list, c, s, AD_ACT_RELU);
}

/* Operands with NaN, as of a task that diverged: a NaN stays one. */
static void add_not_finite(ad_case_list *list, size_t s, int kind) {
    for (int activation = AD_ACT_NONE; activation <= AD_ACT_RELU6; activation++) {
        char words[40];
        ad_case c = of(kind, s);
        c.lost = true;
        ad_case_activate(&c, activation);
        snprintf(words, sizeof words, "%s not-finite", ad_act_name(activation));
        ad_case_add(list, c, true, words);
        if (kind != AD_OP_AFFINE_POOL) continue;
        ad_case_absent(&c, 1);
        ad_case_absent(&c, 2);
        ad_case_absent(&c, 4);
        ad_case_add(list, c, true, words);
    }
}

void ad_cases_affine_pool(ad_case_list *list) {
    for (size_t s = 0; s < AD_COUNT(shapes); s++) {
        add_forward(list, s);
        add_back(list, s);
        add_sums(list, s);
        for (int kind = AD_OP_AFFINE_POOL; shapes[s].quick && kind <= AD_OP_AFFINE_POOL_SUMS; kind++)
            add_not_finite(list, s, kind);
    }
}
