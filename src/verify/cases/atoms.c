/* ATOMS, ATOMS_DU, ATOMS_DPSI. */
#include "verify/cases/conv_shapes.h"

static void add_stages(ad_case_list *list) {
    static const int kinds[] = {AD_OP_ATOMS, AD_OP_ATOMS_DU, AD_OP_ATOMS_DPSI};
    static const uint32_t shareable[] = {2, 2, 1};
    for (size_t kind = 0; kind < AD_COUNT(kinds); kind++)
        for (size_t s = 0; s < AD_COUNT(ad_case_conv_shapes); s++)
            ad_case_add_variations(list, kinds[kind], &ad_case_conv_shapes[s],
                                   ad_case_shape_geometry(&ad_case_conv_shapes[s]), s, shareable[kind]);
}

/* u may be kept in half precision (conv.c writes it). */
static void add_half_products(ad_case_list *list) {
    static const int kinds[] = {AD_OP_ATOMS, AD_OP_ATOMS_DPSI};
    enum { U };
    for (size_t kind = 0; kind < AD_COUNT(kinds); kind++)
        for (size_t s = 0; s < AD_COUNT(ad_case_conv_shapes); s++) {
            const ad_case_shape *shape = &ad_case_conv_shapes[s];
            if (shape->o % 4 || (!shape->quick && s % 2)) continue;
            ad_case c = ad_case_of(kinds[kind], shape->tasks, ad_case_shape_geometry(shape));
            ad_case_halve(&c, U);
            if (s % 3 == 1) c.op.flags = AD_ACCUMULATE;
            ad_case_add(list, c, shape->quick, NULL);
        }
}

void ad_cases_atoms(ad_case_list *list) {
    add_stages(list);
    add_half_products(list);
}
