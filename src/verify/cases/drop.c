/* DROP_MASK, DROP_APPLY. */
#include "verify/cases/families.h"

static void add_masks(ad_case_list *list) {
    static const struct {
        bool quick;
        int tasks, n, h, w, c, side, ramp, counter;
        float rate;
    } sizes[] = {
        {true, 1, 1, 1, 1, 4, 1, 0, 0, 0.5f},     {true, 3, 2, 5, 7, 8, 3, 100, 40, 0.3f},
        {true, 1, 3, 6, 6, 12, 2, 0, 9, 0.2f},    {true, 1, 2, 4, 4, 4, 1, 1 << 30, (1 << 30) - 7, 0.5f}, /* 64 bits */
        {true, 1, 2, 5, 4, 4, 4, 20, 0, 1}, /* nothing yet */
        {false, 1, 2, 5, 5, 64, 5, 20, 19, 1},    {false, 2, 3, 10, 10, 12, 5, 5000, 7000, 0.1f},
        {false, 1, 2, 21, 20, 20, 4, 0, 3, 0.9f}, {false, 1, 2, 3, 3, 4, 1, 0, 3, 1},
    };
    for (size_t s = 0; s < AD_COUNT(sizes); s++) {
        const ad_geometry g = {.n = sizes[s].n, .h = sizes[s].h, .w = sizes[s].w, .c = sizes[s].c};
        ad_case c = ad_case_of(AD_OP_DROP_MASK, sizes[s].tasks, g);
        c.op.i[0] = sizes[s].side;
        c.op.i[1] = sizes[s].ramp;
        c.op.i[6] = 4321;
        c.op.f[0] = sizes[s].rate;
        c.counter = sizes[s].counter;
        char words[64];
        ad_print(words, sizeof words, "rate%g side%d step%d of %d", (double)sizes[s].rate, sizes[s].side,
                 sizes[s].counter, sizes[s].ramp);
        ad_case_add(list, c, sizes[s].quick, words);
    }
}

static void add_products(ad_case_list *list) {
    enum { X, MASK, STATS, Y };
    static const struct {
        bool quick;
        int tasks, n, h, w, c;
    } sizes[] = {{true, 1, 1, 1, 1, 4}, {true, 3, 2, 3, 5, 8}, {false, 2, 3, 14, 9, 68}, {false, 1, 2, 40, 41, 4}};
    for (size_t s = 0; s < AD_COUNT(sizes); s++) {
        const ad_geometry g = {.n = sizes[s].n, .h = sizes[s].h, .w = sizes[s].w, .c = sizes[s].c};
        ad_case c = ad_case_of(AD_OP_DROP_APPLY, sizes[s].tasks, g);
        ad_case_add(list, c, sizes[s].quick, NULL);
        ad_case lost = c;
        lost.lost = true; /* a NaN stays one */
        ad_case_add(list, lost, sizes[s].quick, "not-finite");
        ad_case_alias(&c, Y, X);
        if (c.tasks > 1) {
            ad_case_share(&c, MASK);
            ad_case_share(&c, STATS);
        }
        ad_case_add(list, c, sizes[s].quick, NULL);
    }
}

void ad_cases_drop(ad_case_list *list) {
    add_masks(list);
    add_products(list);
}
