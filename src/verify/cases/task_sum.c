/* TASK_SUM. */
#include "verify/cases/families.h"

void ad_cases_task_sum(ad_case_list *list) {
    enum { X, Y };
    static const struct {
        bool quick;
        int tasks, summed, c;
        float factor;
    } sizes[] = {
        {true, 1, 1, 1, 1},          {true, 3, 3, 7, 0.3f},    {true, 8, 5, 1000, 0.125f},
        {false, 9, 9, 257, 1 / 3.f}, {false, 4, 1, 64, -0.7f}, {false, 3, 3, 20000, 0.1f},
    };
    for (size_t s = 0; s < AD_COUNT(sizes); s++) {
        ad_case c = ad_case_of(AD_OP_TASK_SUM, sizes[s].tasks, (ad_geometry){.c = sizes[s].c});
        c.op.tasks = 1;
        c.op.i[0] = sizes[s].summed;
        c.op.f[0] = sizes[s].factor;
        ad_case_share(&c, Y);
        char words[32];
        ad_print(words, sizeof words, "sum%d by%.2g", sizes[s].summed, (double)sizes[s].factor);
        ad_case_add(list, c, sizes[s].quick, words);
        c.op.flags = AD_ACCUMULATE;
        ad_case_add(list, c, sizes[s].quick, words);
    }
}
