/* LAYER_NORM, LAYER_NORM_BACK, LAYER_NORM_SUMS. */
#include "verify/cases/families.h"

static const struct {
    bool quick;
    int tasks, n, h, w, c;
} shapes[] = {
    {true, 1, 1, 1, 1, 4},    {true, 3, 2, 3, 5, 8},     {true, 1, 3, 7, 7, 12},   {true, 2, 1, 4, 3, 96},
    {false, 1, 2, 9, 9, 64},  {false, 3, 1, 5, 6, 68},   {false, 1, 1, 7, 7, 768}, {false, 2, 1, 3, 3, 1540},
    {false, 1, 8, 40, 41, 4}, {false, 1, 1, 33, 31, 40}, /* a reduction in many parts */
};

static ad_case of(int kind, size_t s) {
    const ad_geometry g = {.n = shapes[s].n, .h = shapes[s].h, .w = shapes[s].w, .c = shapes[s].c};
    ad_case c = ad_case_of(kind, shapes[s].tasks, g);
    c.op.f[0] = kind == AD_OP_LAYER_NORM ? 1e-6f : 0;
    return c;
}

static void add(ad_case_list *list, ad_case c, size_t s) { ad_case_add(list, c, shapes[s].quick, NULL); }

void ad_cases_layer_norm(ad_case_list *list) {
    for (size_t s = 0; s < AD_COUNT(shapes); s++) {
        enum { GAMMA = 1, BETA = 2, STATS = 4, BACK_DY = 3, BACK_DX = 4 };
        ad_case forward = of(AD_OP_LAYER_NORM, s), back = of(AD_OP_LAYER_NORM_BACK, s);
        add(list, forward, s);
        ad_case_absent(&forward, STATS);
        add(list, forward, s);
        add(list, back, s);
        back.op.flags = AD_ACCUMULATE;
        add(list, back, s);
        ad_case_alias(&back, BACK_DX, BACK_DY);
        add(list, back, s);
        back.op.flags = 0;
        add(list, back, s);
        add(list, of(AD_OP_LAYER_NORM_SUMS, s), s);
        if (shapes[s].tasks == 1) continue;
        ad_case_share(&forward, GAMMA);
        ad_case_share(&forward, BETA);
        ad_case_share(&back, GAMMA);
        add(list, forward, s);
        add(list, back, s);
    }
    for (int kind = AD_OP_LAYER_NORM; kind <= AD_OP_LAYER_NORM_SUMS; kind++) /* a NaN stays one */
        for (size_t s = 0; s < 4; s++) {
            ad_case c = of(kind, s);
            c.lost = true;
            ad_case_add(list, c, shapes[s].quick, "not-finite");
        }
}
