/* WEIGHT_NORM, WEIGHT_SCALE, WEIGHT_SCALE_BACK. */
#include "verify/cases/families.h"

/* Kernels scaled by channel; c, o beside what a workgroup or a cache line takes. */
void ad_cases_weights(ad_case_list *list) {
    static const struct {
        bool quick;
        int tasks, c, o, k;
    } sizes[] = {{true, 1, 4, 1, 1},   {true, 3, 8, 20, 3},   {true, 1, 4, 64, 3},
                 {false, 1, 68, 5, 3}, {false, 3, 20, 33, 5}, {false, 1, 512, 64, 3}};
    static const char *const axes[] = {"outputs", "inputs"};
    for (size_t s = 0; s < AD_COUNT(sizes); s++)
        for (int axis = 0; axis < 2; axis++) {
            const ad_geometry g = {.c = sizes[s].c, .o = sizes[s].o, .k = sizes[s].k};
            ad_case norm = ad_case_of(AD_OP_WEIGHT_NORM, sizes[s].tasks, g),
                    scale = ad_case_of(AD_OP_WEIGHT_SCALE, sizes[s].tasks, g);
            ad_case back = ad_case_of(AD_OP_WEIGHT_SCALE_BACK, sizes[s].tasks, g);
            norm.op.i[0] = scale.op.i[0] = back.op.i[0] = axis;
            ad_case_add(list, norm, sizes[s].quick, axes[axis]);
            ad_case_add(list, scale, sizes[s].quick, axes[axis]);
            ad_case_add(list, back, sizes[s].quick, axes[axis]);
            ad_case_alias(&back, 4, 3);
            ad_case_add(list, back, sizes[s].quick, axes[axis]);
            ad_case_share(&norm, 0);
            if (norm.tasks > 1) ad_case_add(list, norm, sizes[s].quick, axes[axis]);
        }
}
