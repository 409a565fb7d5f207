/* CONV, CONV_DX, CONV_DW, CONV_DBIAS: as convolutions, in groups of channels, and as matrix products. */
#include "plan/activation.h"
#include "verify/cases/conv_shapes.h"

#include <stdio.h>

enum { W = 1, BIAS = 2, Y = 3, COEF = 4, RESIDUAL = 5 };

/* Not decomposed: large kernels, and more weights than there is to read. */
static const ad_case_shape undecomposed[] = {
    {true, 1, 1, 23, 27, 4, 8, 11, 4, 2, 1, 0, 0},
    {false, 2, 2, 13, 12, 8, 4, 9, 1, 4, 1, 0, 0},
    {false, 1, 1, 14, 12, 4, 20, 11, 1, AD_CASE_SAME, 1, 0, 0},
    {false, 1, 1, 12, 10, 4, 16, 8, 2, AD_CASE_SAME, 1, 0, 0},
    {false, 1, 3, 3, 3, 200, 260, 1, 1, 0, 1, 0, 0}, /* a thread has several panels, each of several images */
};

/* In groups of 4, 8, 12 ... channels, as many of them as outputs or not. */
static const struct {
    ad_case_shape shape;
    int groups;
} in_groups[] = {
    {{true, 2, 2, 5, 6, 8, 8, 3, 1, 1, 1, 0, 0}, 2},
    {{true, 1, 3, 7, 8, 12, 12, 3, 2, 1, 1, 0, 0}, 3},
    {{false, 1, 1, 9, 7, 64, 64, 3, 1, 1, 1, 0, 0}, 16},
    {{true, 2, 1, 6, 5, 32, 32, 3, 1, 1, 1, 0, 0}, 4},
    {{false, 1, 2, 5, 5, 24, 24, 3, 1, 1, 1, 0, 0}, 3},
    {{false, 1, 2, 8, 8, 32, 32, 3, 2, AD_CASE_SAME, 1, 0, 0}, 2},
    {{false, 3, 1, 6, 7, 64, 64, 3, 1, 1, 1, 0, 0}, 2},
    {{true, 1, 2, 6, 5, 24, 16, 3, 1, 1, 1, 0, 0}, 2},
    {{false, 2, 1, 5, 6, 8, 40, 5, 1, 2, 1, 0, 0}, 2},
    {{false, 1, 2, 7, 7, 48, 48, 3, 1, 2, 2, 0, 0}, 2},
    {{false, 1, 2, 4, 5, 32, 32, 1, 1, 0, 1, 0, 0}, 4},
    {{false, 1, 1, 5, 5, 160, 160, 3, 1, 1, 1, 0, 0}, 2},
    {{false, 1, 1, 9, 9, 16, 16, 2, 2, AD_CASE_SAME, 1, 0, 0}, 4},
    {{false, 1, 4, 31, 33, 8, 8, 3, 1, 1, 1, 0, 0}, 2}, /* a reduction in many parts */
    {{false, 1, 1, 10, 9, 36, 36, 4, 4, 1, 1, 0, 0}, 9},
};

static ad_geometry geometry_in_groups(size_t s) {
    ad_geometry g = ad_case_shape_geometry(&in_groups[s].shape);
    g.groups = in_groups[s].groups;
    return g;
}

static void add_convolutions(ad_case_list *list) {
    static const int kinds[] = {AD_OP_CONV, AD_OP_CONV_DX, AD_OP_CONV_DW, AD_OP_CONV_DBIAS};
    static const uint32_t shareable[] = {7, 2, 1, 0};
    for (size_t kind = 0; kind < AD_COUNT(kinds); kind++) {
        for (size_t s = 0; s < AD_COUNT(ad_case_conv_shapes); s++) {
            ad_geometry g = ad_case_shape_geometry(&ad_case_conv_shapes[s]);
            g.m = 0;
            ad_case_add_variations(list, kinds[kind], &ad_case_conv_shapes[s], g, s, shareable[kind]);
        }
        for (size_t s = 0; s < AD_COUNT(ad_case_product_shapes); s++)
            ad_case_add_variations(list, kinds[kind], &ad_case_product_shapes[s],
                                   ad_case_shape_geometry(&ad_case_product_shapes[s]), s, shareable[kind]);
        for (size_t s = 0; s < AD_COUNT(undecomposed) && kinds[kind] != AD_OP_CONV_DBIAS; s++)
            ad_case_add_variations(list, kinds[kind], &undecomposed[s], ad_case_shape_geometry(&undecomposed[s]), s,
                                   shareable[kind]);
        for (size_t s = 0; s < AD_COUNT(in_groups) && kinds[kind] != AD_OP_CONV_DBIAS; s++)
            ad_case_add_variations(list, kinds[kind], &in_groups[s].shape, geometry_in_groups(s), s, shareable[kind]);
    }
}

/* What follows the sum: coef, residual and each activation, one after the other over all shapes. */
static void add_epilogue(ad_case_list *list, const ad_case_shape *shape, ad_geometry g, int number) {
    for (int more = 0; more < 3; more++) {
        const int which = 3 * number + more, act = which % AD_ACT_COUNT, parts = (which / AD_ACT_COUNT + which) % 4;
        ad_case c = ad_case_of(AD_OP_CONV, shape->tasks, g);
        if (parts & 1) ad_case_present(&c, COEF);
        if (parts & 2) ad_case_present(&c, RESIDUAL);
        if (which % 3 == 0) ad_case_absent(&c, BIAS);
        if (which % 2) ad_case_share(&c, W);
        if ((parts & 1) && which % 4 == 1) ad_case_share(&c, COEF);
        ad_case_activate(&c, act);
        ad_case_add(list, c, shape->quick, ad_act_name(act));
    }
}

static void add_epilogues(ad_case_list *list) {
    int number = 0;
    for (size_t s = 0; s < AD_COUNT(ad_case_conv_shapes); s++) {
        ad_geometry g = ad_case_shape_geometry(&ad_case_conv_shapes[s]);
        g.m = 0;
        add_epilogue(list, &ad_case_conv_shapes[s], g, number++);
    }
    for (size_t s = 0; s < AD_COUNT(ad_case_product_shapes); s++)
        add_epilogue(list, &ad_case_product_shapes[s], ad_case_shape_geometry(&ad_case_product_shapes[s]), number++);
    for (size_t s = 0; s < AD_COUNT(in_groups); s++)
        add_epilogue(list, &in_groups[s].shape, geometry_in_groups(s), number++);
    for (int act = 0; act < AD_ACT_COUNT; act++) { /* a NaN stays one */
        const ad_geometry g = ad_case_geometry((ad_geometry){.n = 1, .h = 7, .w = 5, .c = 4, .o = 20});
        char words[40];
        snprintf(words, sizeof words, "%s not-finite", ad_act_name(act));
        ad_case c = ad_case_of(AD_OP_CONV, 1, g);
        ad_case_present(&c, COEF);
        if (act % 2) ad_case_present(&c, RESIDUAL);
        ad_case_activate(&c, act);
        c.lost = true;
        ad_case_add(list, c, true, words);
    }
}

/* The product of coefficients-first may be kept in half precision (atoms.c reads it). */
static void add_half_products(ad_case_list *list) {
    for (size_t s = 0; s < AD_COUNT(ad_case_product_shapes); s++) {
        const ad_case_shape *shape = &ad_case_product_shapes[s];
        if (shape->o % 4) continue;
        ad_case c = ad_case_of(AD_OP_CONV, shape->tasks, ad_case_shape_geometry(shape));
        ad_case_halve(&c, Y);
        if (s % 2) ad_case_share(&c, W);
        if (s % 3 == 0) ad_case_absent(&c, BIAS);
        ad_case_add(list, c, shape->quick, NULL);
    }
}

void ad_cases_conv(ad_case_list *list) {
    add_convolutions(list);
    add_half_products(list);
    add_epilogues(list);
}
