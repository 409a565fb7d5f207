/* Shapes that the families of convolutions share, and the variations in which each of them is checked. */
#ifndef AD_VERIFY_CONV_SHAPES_H
#define AD_VERIFY_CONV_SHAPES_H

#include "verify/cases/families.h"

typedef struct ad_case_shape {
    bool quick;
    int tasks, n, h, w, c, o, k, stride, pad, dil, m, group;
} ad_case_shape;

/* Ordinary shapes; pairs of groups of channels, each with atoms of its own; and matrix products, whose rows and columns
 * lie around multiples of tiles. */
enum { AD_CASE_CONV_SHAPES = 35, AD_CASE_GROUPED_SHAPES = 8, AD_CASE_PRODUCT_SHAPES = 9 };
extern const ad_case_shape ad_case_conv_shapes[AD_CASE_CONV_SHAPES];
extern const ad_case_shape ad_case_grouped_shapes[AD_CASE_GROUPED_SHAPES];
extern const ad_case_shape ad_case_product_shapes[AD_CASE_PRODUCT_SHAPES];

ad_geometry ad_case_shape_geometry(const ad_case_shape *shape);

/* The cases of one shape, whose number in its table is index: with operands shared by the tasks, without bias, adding
 * to the output. shareable: bits of the roles that tasks may share. */
void ad_case_add_variations(ad_case_list *list, int kind, const ad_case_shape *shape, ad_geometry g, size_t index,
                            uint32_t shareable);
#endif
