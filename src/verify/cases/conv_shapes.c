/* The shapes and variations of convolutions. */
#include "verify/cases/conv_shapes.h"

const ad_case_shape ad_case_conv_shapes[AD_CASE_CONV_SHAPES] = {
    {true, 1, 1, 1, 1, 4, 4, 1, 1, 0, 1, 1, 0},
    {true, 3, 2, 5, 7, 8, 12, 3, 1, 1, 1, 3, 0},
    {true, 1, 3, 9, 8, 12, 20, 3, 2, 1, 1, 8, 0},
    {false, 3, 1, 7, 7, 4, 68, 3, 1, 1, 1, 9, 0},
    {false, 1, 2, 6, 5, 68, 4, 3, 1, 0, 1, 8, 0},
    {true, 1, 1, 11, 9, 4, 8, 7, 2, 3, 1, 1, 0},
    {false, 1, 2, 6, 6, 8, 4, 7, 1, 3, 1, 3, 0},
    {false, 3, 1, 8, 8, 8, 8, 5, 1, 2, 1, 3, 0},
    {true, 1, 2, 9, 9, 8, 4, 3, 1, 2, 2, 8, 0},
    {false, 3, 1, 10, 10, 4, 12, 5, 2, 1, 2, 9, 0},
    {false, 1, 5, 4, 4, 64, 64, 3, 1, 1, 1, 8, 0},
    {false, 1, 1, 5, 3, 20, 8, 1, 2, 0, 1, 8, 0},
    {true, 3, 1, 4, 5, 4, 5, 3, 1, 1, 1, 3, 0},  /* rows of outputs that are no multiple of 4 */
    {true, 2, 1, 9, 7, 4, 80, 3, 1, 1, 1, 3, 0}, /* vectors of any length */
    {false, 1, 2, 6, 7, 8, 21, 3, 2, 1, 1, 8, 0},
    {false, 1, 1, 17, 17, 4, 4, 3, 1, 1, 1, 8, 0},
    {false, 3, 2, 2, 2, 4, 20, 3, 1, 1, 1, 1, 0},
    {false, 1, 4, 31, 33, 4, 4, 3, 1, 1, 1, 8, 0}, /* a reduction in many parts */
    {false, 1, 1, 1, 1, 64, 68, 3, 1, 1, 1, 8, 0}, /* only the centre tap is inside */
    {true, 3, 2, 5, 6, 8, 7, 3, 1, 1, 1, 3, 0},    /* outputs that are no vec4 */
    {false, 1, 1, 9, 7, 12, 66, 3, 2, 1, 1, 8, 0},
    {false, 3, 2, 19, 7, 8, 32, 3, 1, 1, 1, 8, 0}, /* whole vectors of outputs, several blocks of rows */
    {false, 1, 1, 3, 13, 4, 16, 3, 1, 0, 1, 3, 0},
    {true, 1, 2, 9, 6, 4, 64, 3, 1, 2, 1, 5, 0},
    {false, 1, 1, 4, 5, 4, 16, 3, 1, 3, 1, 2, 0},
    {false, 1, 1, 1, 2, 4, 16, 3, 1, 1, 1, 2, 0},
    {true, 2, 2, 8, 6, 4, 8, 3, 2, AD_CASE_SAME, 1, 3, 0}, /* less padding before than after */
    {false, 1, 1, 14, 10, 8, 12, 5, 2, AD_CASE_SAME, 1, 2, 0},
    {false, 1, 2, 5, 6, 4, 16, 2, 1, AD_CASE_SAME, 1, 3, 0},
    {true, 2, 1, 6, 5, 8, 4, 4, 1, AD_CASE_SAME, 1, 2, 0},
    {true, 1, 2, 6, 10, 4, 8, 2, 2, 0, 1, 3, 0}, /* patches */
    {false, 2, 1, 13, 9, 4, 20, 4, 4, AD_CASE_SAME, 1, 2, 0},
    {false, 3, 2, 9, 11, 32, 80, 3, 1, 1, 1, 2, 0},  /* squares of Winograd, whole and cut; two panels */
    {false, 1, 2, 31, 33, 16, 16, 3, 1, 1, 1, 1, 0}, /* several blocks of them */
    {false, 1, 2, 6, 9, 112, 16, 3, 1, 2, 1, 1, 0},  /* several parts of the sums of dw */
};

const ad_case_shape ad_case_grouped_shapes[AD_CASE_GROUPED_SHAPES] = {
    {true, 3, 2, 5, 7, 8, 12, 3, 1, 1, 1, 3, 4},    {true, 1, 3, 9, 8, 16, 8, 3, 2, 1, 1, 8, 8},
    {false, 3, 1, 6, 5, 24, 8, 5, 2, 2, 1, 16, 8},  {false, 1, 2, 7, 7, 32, 64, 3, 1, 1, 1, 8, 16},
    {false, 1, 1, 11, 9, 12, 12, 3, 1, 2, 2, 9, 4}, {false, 3, 1, 4, 5, 20, 60, 1, 1, 0, 1, 8, 20},
    {false, 1, 7, 10, 9, 8, 4, 3, 1, 1, 1, 24, 4},  /* a reduction in many parts */
    {false, 1, 1, 3, 3, 64, 64, 3, 2, 1, 1, 4, 64}, /* a single group */
};

const ad_case_shape ad_case_product_shapes[AD_CASE_PRODUCT_SHAPES] = {
    {true, 1, 1, 13, 5, 20, 68, 1, 1, 0, 1, 0, 0}, {true, 3, 1, 9, 7, 12, 64, 1, 1, 0, 1, 0, 0},
    {false, 3, 1, 9, 6, 20, 13, 1, 1, 0, 1, 0, 0}, {false, 1, 1, 8, 8, 64, 128, 1, 1, 0, 1, 0, 0},
    {true, 1, 3, 43, 1, 68, 60, 1, 1, 0, 1, 0, 0}, {false, 3, 1, 16, 8, 4, 132, 1, 1, 0, 1, 0, 0},
    {false, 1, 1, 1, 1, 512, 4, 1, 1, 0, 1, 0, 0}, {false, 1, 2, 1, 127, 256, 12, 1, 1, 0, 1, 0, 0},
    {false, 1, 3, 41, 37, 4, 8, 1, 1, 0, 1, 0, 0},
};

ad_geometry ad_case_shape_geometry(const ad_case_shape *s) {
    return ad_case_geometry((ad_geometry){.n = s->n,
                                          .h = s->h,
                                          .w = s->w,
                                          .c = s->c,
                                          .o = s->o,
                                          .k = s->k,
                                          .stride = s->stride,
                                          .pad = s->pad,
                                          .dil = s->dil,
                                          .m = s->m,
                                          .group = s->group});
}

void ad_case_add_variations(ad_case_list *list, int kind, const ad_case_shape *shape, ad_geometry g, size_t index,
                            uint32_t shareable) {
    const bool quick = shape->quick;
    const int tasks = shape->tasks;
    const ad_case plain = ad_case_of(kind, tasks, g);
    ad_case c = plain;
    const int bias = 2;
    if (ad_case_role_is(kind, bias, "bias") && index % 2) ad_case_absent(&c, bias);
    ad_case_add(list, c, quick, NULL);
    for (int role = 0; tasks > 1 && role < AD_OP_TENSORS; role++)
        if ((shareable >> role & 1) && c.op.t[role] >= 0) {
            ad_case shared = c;
            ad_case_share(&shared, role);
            ad_case_add(list, shared, quick, NULL);
        }
    if (index % 3 == 1) {
        c = plain;
        c.op.flags = AD_ACCUMULATE;
        ad_case_add(list, c, quick, NULL);
    }
}
