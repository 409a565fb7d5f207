/* CHANNEL_SCALE, CHANNEL_SCALE_BACK. */
#include "verify/cases/families.h"

static const struct {
    bool quick;
    int tasks, n, h, w, c;
} shapes[] = {
    {true, 1, 1, 1, 1, 4},    {true, 3, 2, 3, 5, 8},     {true, 1, 3, 7, 7, 12},
    {false, 2, 3, 14, 9, 68}, {false, 1, 5, 1, 1, 1152}, {false, 1, 2, 40, 41, 4}, /* a reduction in many parts */
};

static ad_case of(int kind, size_t s) {
    const ad_geometry g = {.n = shapes[s].n, .h = shapes[s].h, .w = shapes[s].w, .c = shapes[s].c};
    return ad_case_of(kind, shapes[s].tasks, g);
}

static void add(ad_case_list *list, ad_case c, size_t s) { ad_case_add(list, c, shapes[s].quick, NULL); }

void ad_cases_channel_scale(ad_case_list *list) {
    for (size_t s = 0; s < AD_COUNT(shapes); s++) {
        enum { X, S, Y, DY = 2, DX, DS };
        ad_case forward = of(AD_OP_CHANNEL_SCALE, s);
        add(list, forward, s);
        ad_case_alias(&forward, Y, X);
        if (shapes[s].tasks > 1) ad_case_share(&forward, S);
        add(list, forward, s);

        const ad_case full = of(AD_OP_CHANNEL_SCALE_BACK, s);
        ad_case c = full;
        add(list, c, s);
        c.op.flags = AD_ACCUMULATE;
        add(list, c, s);
        ad_case_alias(&c, DX, DY);
        add(list, c, s);
        c.op.flags = 0;
        if (shapes[s].tasks > 1) ad_case_share(&c, S);
        add(list, c, s);
        ad_case_absent(&c, DS);
        add(list, c, s);
        c = full;
        ad_case_absent(&c, DX);
        add(list, c, s);
        c = full;
        ad_case_absent(&c, DS);
        add(list, c, s);
        c.op.flags = AD_ACCUMULATE;
        add(list, c, s);
    }
    for (int kind = AD_OP_CHANNEL_SCALE; kind <= AD_OP_CHANNEL_SCALE_BACK; kind++) /* a NaN stays one */
        for (size_t s = 0; s < 3; s++) {
            ad_case c = of(kind, s);
            c.lost = true;
            ad_case_add(list, c, shapes[s].quick, "not-finite");
        }
}
