/* DEPTHWISE, DEPTHWISE_DX, DEPTHWISE_DW. */
#include "plan/activation.h"
#include "verify/cases/families.h"

#include <stdio.h>

enum { X, W, BIAS, Y, COEF, RESIDUAL };

/* more: rows and columns of outputs beyond those that as much padding after the image as before it gives. */
static const struct {
    bool quick;
    int tasks, n, h, w, c, k, stride, pad, dil, more;
} shapes[] = {
    {true, 1, 1, 1, 1, 4, 1, 1, 0, 1, 0},      {true, 3, 2, 5, 7, 8, 3, 1, 1, 1, 0},
    {true, 1, 3, 9, 8, 12, 3, 2, 1, 1, 0},     {false, 3, 1, 7, 7, 68, 3, 1, 1, 1, 0},
    {true, 2, 1, 8, 10, 20, 5, 1, 2, 1, 0},    {true, 1, 2, 11, 9, 16, 5, 2, 2, 1, 0},
    {false, 1, 1, 12, 13, 36, 7, 1, 3, 1, 0},  {false, 2, 1, 14, 11, 24, 7, 2, 3, 1, 0},
    {true, 2, 2, 8, 6, 40, 3, 2, 0, 1, 1}, /* TensorFlow's SAME: less padding before than after */
    {false, 1, 1, 14, 10, 20, 5, 2, 1, 1, 1},  {true, 1, 2, 6, 5, 24, 2, 1, 0, 1, 1},
    {false, 2, 1, 7, 6, 8, 4, 1, 1, 1, 1},     {true, 1, 2, 6, 10, 20, 2, 2, 0, 1, 0},
    {false, 2, 1, 13, 10, 24, 4, 4, 0, 1, 1},  {true, 1, 2, 9, 9, 20, 3, 1, 2, 2, 0}, /* dilation */
    {false, 3, 1, 13, 11, 8, 3, 2, 2, 2, 0},   {false, 1, 1, 15, 13, 20, 5, 2, 4, 3, 0},
    {false, 1, 1, 16, 14, 36, 3, 3, 1, 2, 0},  {false, 1, 1, 13, 12, 20, 9, 1, 4, 1, 0},
    {false, 2, 1, 12, 14, 24, 11, 2, 5, 1, 0}, {false, 1, 1, 11, 12, 32, 6, 1, 2, 1, 1},
    {false, 1, 4, 31, 33, 4, 3, 1, 1, 1, 0},                                           /* a reduction in many parts */
    {false, 1, 9, 10, 17, 32, 3, 1, 0, 1, 0},  {false, 1, 1, 4, 5, 16, 3, 1, 3, 1, 0}, /* windows that lie outside */
    {false, 1, 2, 1, 2, 36, 7, 1, 3, 1, 0},    {false, 1, 1, 7, 7, 132, 5, 1, 2, 1, 0},
};

static ad_case of(int kind, size_t s) {
    ad_geometry g = ad_case_geometry((ad_geometry){.n = shapes[s].n,
                                                   .h = shapes[s].h,
                                                   .w = shapes[s].w,
                                                   .c = shapes[s].c,
                                                   .k = shapes[s].k,
                                                   .stride = shapes[s].stride,
                                                   .pad = shapes[s].pad,
                                                   .dil = shapes[s].dil});
    g.oh += shapes[s].more;
    g.ow += shapes[s].more;
    return ad_case_of(kind, shapes[s].tasks, g);
}

static void add(ad_case_list *list, ad_case c, bool quick, int act, const char *also) {
    char words[40];
    snprintf(words, sizeof words, "%s%s", ad_act_name(act), also);
    ad_case_activate(&c, act);
    ad_case_add(list, c, quick, words);
}

static void add_forward(ad_case_list *list) {
    for (size_t s = 0; s < AD_COUNT(shapes); s++) {
        const bool quick = shapes[s].quick;
        const ad_case full = of(AD_OP_DEPTHWISE, s);
        ad_case plain = full;
        ad_case_absent(&plain, COEF);
        ad_case_absent(&plain, RESIDUAL);
        if (s % 2) ad_case_absent(&plain, BIAS);
        add(list, plain, quick, AD_ACT_NONE, "");
        add(list, full, quick, (int)(s % AD_ACT_COUNT), "");
        ad_case c = full;
        ad_case_absent(&c, BIAS);
        ad_case_absent(&c, RESIDUAL);
        add(list, c, quick, (int)((s + 3) % AD_ACT_COUNT), "");
        c = full;
        ad_case_absent(&c, COEF);
        if (s % 3) ad_case_absent(&c, BIAS);
        add(list, c, quick, s % 2 ? AD_ACT_NONE : AD_ACT_RELU6, "");
        if (shapes[s].tasks == 1) continue;
        c = full;
        ad_case_share(&c, W);
        ad_case_share(&c, COEF);
        add(list, c, quick, AD_ACT_RELU, "");
        ad_case_share(&plain, X);
        ad_case_share(&plain, BIAS);
        add(list, plain, quick, AD_ACT_SILU, "");
    }
    for (int act = 0; act < AD_ACT_COUNT; act++) {
        enum { SMALL = 1 };
        ad_case c = of(AD_OP_DEPTHWISE, SMALL);
        if (act != SMALL % AD_ACT_COUNT) add(list, c, true, act, ""); /* that one is above */
        c.lost = true;
        add(list, c, true, act, " not-finite");
    }
}

/* Role 1 of DEPTHWISE_DX is w, role 0 of DEPTHWISE_DW is x. */
static void add_gradient(ad_case_list *list, int kind, int shareable) {
    for (size_t s = 0; s < AD_COUNT(shapes); s++) {
        ad_case c = of(kind, s);
        ad_case_add(list, c, shapes[s].quick, NULL);
        c.op.flags = AD_ACCUMULATE;
        if (s % 3 != 1 || shapes[s].tasks > 1) ad_case_add(list, c, shapes[s].quick, NULL);
        c.op.flags = 0;
        ad_case_share(&c, shareable);
        if (shapes[s].tasks > 1) ad_case_add(list, c, shapes[s].quick, NULL);
        if (s > 2) continue;
        c.lost = true;
        ad_case_add(list, c, shapes[s].quick, "not-finite");
    }
}

void ad_cases_depthwise(ad_case_list *list) {
    add_forward(list);
    add_gradient(list, AD_OP_DEPTHWISE_DX, W);
    add_gradient(list, AD_OP_DEPTHWISE_DW, X);
}
