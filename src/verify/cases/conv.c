/* CONV, CONV_DX, CONV_DW, CONV_DBIAS: as convolutions and as matrix products. */
#include "verify/cases/conv_shapes.h"

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
    }
}

/* The product of coefficients-first may be kept in half precision (atoms.c reads it). */
static void add_half_products(ad_case_list *list) {
    enum { W = 1, BIAS = 2, Y = 3 };
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
}
