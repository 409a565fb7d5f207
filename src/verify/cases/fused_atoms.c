/* FUSED_ATOMS and FUSED_ATOMS_DX. */
#include "verify/cases/conv_shapes.h"

static const ad_case_shape shapes[] = {
    {true, 1, 1, 1, 1, 4, 4, 1, 1, 0, 1, 1, 0},
    {true, 3, 2, 5, 7, 8, 12, 3, 1, 1, 1, 3, 0},
    {true, 1, 3, 9, 8, 12, 20, 3, 2, 1, 1, 8, 0},
    {true, 1, 2, 5, 6, 64, 64, 3, 1, 1, 1, 2, 0},
    {true, 3, 1, 6, 7, 16, 32, 3, 2, 1, 1, 4, 0},
    {false, 3, 1, 7, 7, 4, 68, 3, 1, 1, 1, 9, 0},
    {false, 1, 2, 6, 5, 68, 4, 3, 1, 0, 1, 8, 0},
    {true, 1, 1, 11, 9, 4, 8, 7, 2, 3, 1, 2, 0},
    {false, 1, 2, 6, 6, 8, 4, 5, 1, 2, 1, 3, 0},
    {false, 3, 1, 8, 8, 8, 8, 3, 1, 1, 1, 5, 0},
    {true, 1, 2, 9, 9, 16, 16, 3, 1, 2, 2, 8, 0},
    {false, 3, 1, 10, 10, 4, 12, 5, 2, 1, 2, 7, 0},
    {false, 1, 1, 5, 3, 20, 8, 1, 2, 0, 1, 6, 0},
    {true, 3, 1, 4, 5, 4, 5, 3, 1, 1, 1, 3, 0},
    {false, 1, 2, 6, 7, 8, 21, 3, 2, 1, 1, 8, 0},
    {false, 1, 1, 17, 17, 4, 4, 3, 1, 1, 1, 12, 0},
    {false, 3, 2, 2, 2, 4, 20, 3, 1, 1, 1, 1, 0},
    {true, 3, 2, 5, 6, 8, 7, 3, 1, 1, 1, 4, 0},
    {false, 1, 1, 9, 7, 12, 66, 3, 2, 1, 1, 10, 0},
    {false, 1, 1, 9, 7, 32, 60, 3, 1, 1, 1, 4, 0},
    {false, 2, 1, 13, 5, 36, 64, 3, 1, 1, 1, 4, 0},
    {false, 1, 1, 8, 8, 60, 132, 3, 3, 1, 1, 2, 0},
    {false, 1, 1, 1, 1, 512, 4, 3, 1, 1, 1, 4, 0},
    {false, 1, 1, 3, 43, 80, 256, 3, 2, 1, 1, 16, 0},
    {false, 1, 1, 4, 3, 640, 64, 3, 1, 1, 1, 3, 0},         /* atoms by slices of the second-level cache */
    {true, 2, 1, 8, 6, 8, 12, 3, 2, AD_CASE_SAME, 1, 3, 0}, /* less padding before than after */
    {false, 1, 2, 6, 5, 8, 4, 4, 1, AD_CASE_SAME, 1, 2, 0},
};

void ad_cases_fused_atoms(ad_case_list *list) {
    static const int kinds[] = {AD_OP_FUSED_ATOMS, AD_OP_FUSED_ATOMS_DX};
    enum { PACKED = 1, PSI = 2, BIAS = 3 };
    for (size_t kind = 0; kind < AD_COUNT(kinds); kind++)
        for (size_t s = 0; s < AD_COUNT(shapes); s++) {
            const ad_case plain = ad_case_of(kinds[kind], shapes[s].tasks, ad_case_shape_geometry(&shapes[s]));
            ad_case c = plain;
            if (kinds[kind] == AD_OP_FUSED_ATOMS && s % 2) ad_case_absent(&c, BIAS);
            ad_case_add(list, c, shapes[s].quick, NULL);
            if (c.tasks > 1) { /* adapted atoms, and what is shared with all tasks */
                ad_case_share(&c, PACKED);
                ad_case_add(list, c, shapes[s].quick, NULL);
                ad_case_share(&c, PSI);
                ad_case_add(list, c, shapes[s].quick, NULL);
            }
            if (s % 3) continue;
            c = plain;
            c.op.flags = AD_ACCUMULATE;
            ad_case_add(list, c, shapes[s].quick, NULL);
        }
}
