/* DEPTH, DEPTH_DX, DEPTH_DPSI: without and with groups of channels. */
#include "verify/cases/conv_shapes.h"

void ad_cases_depth(ad_case_list *list) {
    static const int kinds[] = {AD_OP_DEPTH, AD_OP_DEPTH_DX, AD_OP_DEPTH_DPSI};
    static const uint32_t shareable[] = {2, 2, 1};
    for (size_t kind = 0; kind < AD_COUNT(kinds); kind++) {
        for (size_t s = 0; s < AD_COUNT(ad_case_conv_shapes); s++)
            ad_case_add_variations(list, kinds[kind], &ad_case_conv_shapes[s],
                                   ad_case_shape_geometry(&ad_case_conv_shapes[s]), s, shareable[kind]);
        for (size_t s = 0; s < AD_COUNT(ad_case_grouped_shapes); s++)
            ad_case_add_variations(list, kinds[kind], &ad_case_grouped_shapes[s],
                                   ad_case_shape_geometry(&ad_case_grouped_shapes[s]), s, shareable[kind]);
    }
}
