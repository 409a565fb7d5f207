/* POOL, POOL_BACK. */
#include "verify/cases/families.h"

#include <stdio.h>

void ad_cases_pool(ad_case_list *list) {
    static const struct {
        bool quick;
        int tasks, n, h, w, c, k, stride, pad;
    } pools[] = {
        {true, 1, 2, 8, 8, 8, 2, 2, 0},
        {true, 3, 1, 9, 7, 4, 2, 2, 0},
        {true, 1, 1, 7, 9, 12, 3, 2, 1},
        {false, 3, 2, 5, 5, 64, 5, 5, 0},
        {false, 1, 5, 1, 1, 68, 1, 1, 0},
        {false, 1, 1, 6, 7, 4, 3, 1, 1},
        {false, 1, 1, 21, 21, 4, 2, 2, 0},
        {true, 1, 2, 8, 6, 4, 3, 2, AD_CASE_SAME},
        {false, 2, 1, 7, 9, 8, 2, 2, AD_CASE_SAME},
    };
    for (size_t s = 0; s < AD_COUNT(pools); s++)
        for (int average = 0; average < 2; average++) {
            const ad_geometry g = ad_case_geometry((ad_geometry){.n = pools[s].n,
                                                                 .h = pools[s].h,
                                                                 .w = pools[s].w,
                                                                 .c = pools[s].c,
                                                                 .o = pools[s].c,
                                                                 .k = pools[s].k,
                                                                 .stride = pools[s].stride,
                                                                 .pad = pools[s].pad});
            ad_case forward = ad_case_of(AD_OP_POOL, pools[s].tasks, g),
                    back = ad_case_of(AD_OP_POOL_BACK, pools[s].tasks, g);
            const char *words = average ? "average" : "maximum";
            forward.op.i[0] = back.op.i[0] = average;
            ad_case_add(list, forward, pools[s].quick, words);
            ad_case_add(list, back, pools[s].quick, words);
            back.op.flags = AD_ACCUMULATE;
            if (s % 2) ad_case_add(list, back, pools[s].quick, words);
            if (!pools[s].quick) continue;
            char lost[40];
            snprintf(lost, sizeof lost, "%s not-finite", words);
            forward.lost = true;
            ad_case_add(list, forward, true, lost);
        }
}
